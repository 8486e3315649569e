//! Readers at their own pace.

use super::*;
use futures::FutureExt;

/// A history that knows every revision after `compacted`.
struct Endless {
    compacted: Revision,
}

impl History for Endless {
    fn after(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Batch>, Error>> {
        let answer = if after < self.compacted {
            Err(Error::Compacted { requested: after, compacted: self.compacted })
        } else {
            Ok((after + 1..after + 4).map(mk_batch).collect())
        };
        futures::future::ready(answer).boxed()
    }
}

fn mk_batch(revision: Revision) -> Batch {
    Batch { revision, changes: [].into() }
}

fn mk_fanout(batches: usize, head: Revision) -> Arc<Fanout> {
    Arc::new(Fanout::new(FanoutConfig { batches, bytes: usize::MAX }, head))
}

async fn take(stream: &mut WatchStream, count: usize) -> Vec<Revision> {
    stream.by_ref().take(count).map(|batch| batch.unwrap().revision).collect().await
}

#[tokio::test]
async fn a_waiting_reader_wakes_when_a_batch_comes() {
    let fanout = mk_fanout(8, 1);
    let mut stream = fanout.subscribe(1, Arc::new(Endless { compacted: 1 }));
    assert!(stream.next().now_or_never().is_none());
    fanout.publish([mk_batch(2), mk_batch(3)]);
    assert_eq!(take(&mut stream, 2).await, [2, 3]);
    assert!(stream.next().now_or_never().is_none());
}

#[tokio::test]
async fn a_slow_reader_catches_up_without_gap_or_repeat() {
    let fanout = mk_fanout(4, 1);
    let mut stream = fanout.subscribe(1, Arc::new(Endless { compacted: 1 }));
    fanout.publish((2..=30).map(mk_batch));
    assert_eq!(take(&mut stream, 29).await, (2..=30).collect::<Vec<_>>());
    assert!(stream.next().now_or_never().is_none());
}

#[tokio::test]
async fn a_reader_before_the_history_fails_and_ends() {
    let fanout = mk_fanout(2, 1);
    let mut stream = fanout.subscribe(1, Arc::new(Endless { compacted: 5 }));
    fanout.publish((2..=9).map(mk_batch));
    let error = Error::Compacted { requested: 1, compacted: 5 };
    assert_eq!(stream.next().await, Some(Err(error)));
    assert_eq!(fanout.slowest(), None, "it holds nothing back any more");
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn the_slowest_reader_is_the_one_that_has_delivered_least() {
    let fanout = mk_fanout(8, 1);
    let history: Arc<dyn History> = Arc::new(Endless { compacted: 1 });
    assert_eq!(fanout.slowest(), None);
    let slow = fanout.subscribe(1, Arc::clone(&history));
    let mut quick = fanout.subscribe(1, history);
    fanout.publish([mk_batch(2), mk_batch(3)]);
    take(&mut quick, 2).await;
    assert_eq!(fanout.slowest(), Some(1));
    drop(slow);
    assert_eq!(fanout.slowest(), Some(3));
    drop(quick);
    assert_eq!(fanout.slowest(), None);
}

#[tokio::test]
async fn ending_wakes_readers() {
    let fanout = mk_fanout(8, 1);
    let mut stream = fanout.subscribe(1, Arc::new(Endless { compacted: 1 }));
    let waiting = tokio::spawn(async move { (stream.next().await, stream.next().await) });
    tokio::task::yield_now().await;
    fanout.end(Error::Closed);
    assert_eq!(waiting.await.unwrap(), (Some(Err(Error::Closed)), None));
}
