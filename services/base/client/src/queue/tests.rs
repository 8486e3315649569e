use std::time::Duration;

use futures::FutureExt as _;

use keelson_base_daemon::trace::TraceContext;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// The keys that are due now, each given back at once.
fn due(queue: &WorkQueue<&'static str>) -> Vec<&'static str> {
    std::iter::from_fn(|| queue.next().now_or_never().flatten().map(|item| *item)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_key_waits_once_and_keys_come_in_order() {
    let queue = WorkQueue::new();
    for key in ["a", "b", "a", "c", "b"] {
        queue.add(key);
    }
    assert_eq!(queue.len(), 3);
    assert_eq!(due(&queue), ["a", "b", "c"]);
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_key_is_ever_held_twice() {
    let queue = WorkQueue::new();
    queue.add("a");
    let held = queue.next().await.unwrap();
    queue.add("a");
    queue.add("b");
    queue.add("a");
    assert_eq!(due(&queue), ["b"], "a is being worked on");
    drop(held);
    assert_eq!(due(&queue), ["a"], "what came in the meantime is not lost, and comes once");
}

#[tokio::test(start_paused = true)]
async fn workers_never_overlap_on_a_key_and_miss_no_change() {
    let queue = WorkQueue::new();
    let held = Arc::new(Mutex::new(std::collections::HashMap::<u32, bool>::new()));
    let seen = Arc::new(Mutex::new(std::collections::HashMap::<u32, u32>::new()));
    let latest = Arc::new(Mutex::new(std::collections::HashMap::<u32, u32>::new()));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (queue, held, seen, latest) = (queue.clone(), held.clone(), seen.clone(), latest.clone());
            tokio::spawn(async move {
                while let Some(item) = queue.next().await {
                    assert_ne!(held.lock().unwrap().insert(*item, true), Some(true), "held twice");
                    let version = latest.lock().unwrap()[item.key()];
                    tokio::time::sleep(Duration::from_millis(u64::from(*item) + 1)).await;
                    seen.lock().unwrap().insert(*item, version);
                    held.lock().unwrap().insert(*item, false);
                }
            })
        })
        .collect();
    for version in 0..200 {
        let key = version % 7;
        latest.lock().unwrap().insert(key, version);
        queue.add(key);
        tokio::time::sleep(Duration::from_micros(700)).await;
    }
    tokio::time::sleep(SECOND).await;
    assert_eq!(*seen.lock().unwrap(), *latest.lock().unwrap());
    queue.shutdown();
    for worker in workers {
        worker.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_key_comes_when_it_is_due_and_the_earlier_plan_counts() {
    let queue = WorkQueue::new();
    queue.add_after("a", 10 * SECOND);
    queue.add_after("a", 5 * SECOND);
    queue.add_after("a", 20 * SECOND);
    queue.add_after("b", 7 * SECOND);
    queue.add_after("now", Duration::ZERO);
    assert_eq!((due(&queue), queue.delayed()), (vec!["now"], 2));
    let start = Instant::now();
    assert_eq!(*queue.next().await.unwrap(), "a");
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(*queue.next().await.unwrap(), "b");
    assert_eq!(start.elapsed().as_secs(), 7);
    tokio::time::advance(60 * SECOND).await;
    assert!(due(&queue).is_empty(), "the later plans are void");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_worker_hears_of_an_earlier_plan() {
    let queue = WorkQueue::new();
    queue.add_after("late", 60 * SECOND);
    let start = Instant::now();
    let worker = tokio::spawn({
        let queue = queue.clone();
        async move { *queue.next().await.unwrap() }
    });
    tokio::time::sleep(SECOND).await;
    queue.add_after("early", SECOND);
    assert_eq!(worker.await.unwrap(), "early");
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_due_at_once_wake_all_the_workers_they_need() {
    let queue = WorkQueue::new();
    for key in 0..4 {
        queue.add_after(key, SECOND);
    }
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let item = queue.next().await.unwrap();
                tokio::time::sleep(10 * SECOND).await;
                *item
            })
        })
        .collect();
    let start = Instant::now();
    let mut done =
        futures::future::join_all(workers).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    done.sort_unstable();
    assert_eq!((done, start.elapsed().as_secs()), (vec![0, 1, 2, 3], 11));
}

#[tokio::test(start_paused = true)]
async fn failures_space_a_key_out_until_they_are_forgotten() {
    let queue = WorkQueue::with_retry(SECOND, 5 * SECOND);
    let mut gaps = Vec::new();
    queue.add("a");
    for _ in 0..5 {
        let item = queue.next().await.unwrap();
        let start = Instant::now();
        item.retry();
        let item = queue.next().await.unwrap();
        gaps.push(start.elapsed().as_secs());
        drop(item);
        queue.add("a");
    }
    assert_eq!((gaps, queue.failures(&"a")), (vec![1, 2, 4, 5, 5], 5));
    queue.next().await.unwrap().forget();
    assert_eq!(queue.failures(&"a"), 0);
    queue.add_rate_limited("a");
    let start = Instant::now();
    assert_eq!(*queue.next().await.unwrap(), "a");
    assert_eq!(start.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_first_cause_of_a_key_comes_with_it_and_retries_are_late() {
    let queue = WorkQueue::with_retry(SECOND, SECOND);
    let (first, second) = (Cause::from(TraceContext::root()), Cause::from(TraceContext::root()));
    queue.add("a");
    queue.add_caused("a", Some(first));
    queue.add_caused("a", Some(second));
    let item = queue.next().await.unwrap();
    assert_eq!(item.cause(), Some(first));
    queue.add_caused("a", Some(second));
    drop(item);
    let item = queue.next().await.unwrap();
    assert_eq!(item.cause(), Some(second));
    item.retry();
    assert_eq!(queue.next().await.unwrap().cause(), Some(second.late()));
    queue.add_caused("a", Some(first.late()));
    assert_eq!(queue.next().await.unwrap().cause(), None, "what was there before is no reason");
    queue.add_caused("a", Some(first));
    tokio::time::sleep(61 * SECOND).await;
    assert_eq!(queue.next().await.unwrap().cause(), None, "nobody has worked for too long");
}

#[tokio::test(start_paused = true)]
async fn a_cause_that_may_wait_comes_later_and_news_outdoes_a_retry() {
    let queue = WorkQueue::with_retry(SECOND, SECOND);
    let (first, second) = (Cause::from(TraceContext::root()), Cause::from(TraceContext::root()));
    let start = Instant::now();
    queue.add_caused_after("a", None, SECOND);
    queue.add_caused_after("a", Some(first), 2 * SECOND);
    let item = queue.next().await.unwrap();
    assert_eq!((item.cause(), start.elapsed()), (Some(first), SECOND));
    item.retry();
    queue.add_caused_after("a", Some(second), 3 * SECOND);
    let item = queue.next().await.unwrap();
    assert_eq!((item.cause(), start.elapsed()), (Some(second), 2 * SECOND));
    item.retry();
    queue.add_caused("a", Some(first));
    assert_eq!(queue.next().await.unwrap().cause(), Some(first));
}

#[tokio::test(start_paused = true)]
async fn shut_down_it_lets_all_workers_go_and_takes_nothing_more() {
    let queue = WorkQueue::new();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.next().await.is_none() })
        })
        .collect();
    tokio::task::yield_now().await;
    queue.shutdown();
    for worker in workers {
        assert!(worker.await.unwrap());
    }
    queue.add("a");
    queue.add_after("b", SECOND);
    queue.add_rate_limited("c");
    assert_eq!((queue.len(), queue.delayed()), (0, 0));
    assert!(queue.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_gives_up_loses_no_wake_up() {
    let queue = WorkQueue::new();
    let mut first = Box::pin(queue.next());
    let mut second = Box::pin(queue.next());
    assert!(futures::poll!(first.as_mut()).is_pending());
    assert!(futures::poll!(second.as_mut()).is_pending());
    queue.add("a");
    drop(first);
    assert_eq!(*second.await.unwrap(), "a");
}
