//! Who comes out when.

use super::*;
use crate::testing::{MkPod, mk_pod};

fn created(name: &str, seconds: i64) -> MkPod {
    mk_pod(name).edit(|pod| pod.metadata.creation_timestamp.as_mut().unwrap().seconds = seconds)
}

fn mk_queue(pods: impl IntoIterator<Item = MkPod>) -> Queue {
    let mut queue = Queue::default();
    for pod in pods {
        queue.insert(pod.info(), None);
    }
    queue
}

fn take(queue: &mut Queue) -> Option<String> {
    queue.take().map(|attempt| attempt.pod.key.name.clone())
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

#[test]
fn the_important_and_then_the_old_come_first() {
    let pods = [created("young", 9), created("old", 1), created("vip", 10).priority(5), created("next", 1)];
    let mut queue = mk_queue(pods);
    let order: Vec<_> = std::iter::from_fn(|| take(&mut queue)).collect();
    assert_eq!(order, ["vip", "old", "next", "young"]);
}

#[tokio::test(start_paused = true)]
async fn a_parked_pod_waits_to_be_woken_or_for_the_safety_net() {
    let mut queue = mk_queue([mk_pod("a"), mk_pod("b")]);
    let now = Instant::now();
    for name in ["a", "b"] {
        assert_eq!(take(&mut queue).as_deref(), Some(name));
        queue.park(&key(name), "full", now);
    }
    queue.wake_due(now + Duration::from_secs(299));
    assert!(queue.take().is_none());
    assert_eq!(queue.parked(&key("a")).map(|(_, why)| why), Some("full"));
    queue.wake(|pod| pod.key.name == "b");
    assert_eq!(take(&mut queue).as_deref(), Some("b"));
    assert_eq!(queue.next_due(), Some(now + Duration::from_secs(300)));
    queue.wake_due(now + Duration::from_secs(300));
    assert_eq!(take(&mut queue).as_deref(), Some("a"));
    assert_eq!(queue.next_due(), None);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_status_wakes_nobody_but_one_of_needs_does() {
    let mut queue = mk_queue([mk_pod("a")]);
    take(&mut queue);
    queue.park(&key("a"), "full", Instant::now());
    queue.insert(mk_pod("a").edit(|pod| pod.status.message = "waits".into()).info(), None);
    assert!(queue.take().is_none());
    assert_eq!(queue.parked(&key("a")).unwrap().0.pod.status.message, "waits");
    queue.insert(mk_pod("a").label("x", "y").info(), None);
    assert_eq!(take(&mut queue).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_up_to_ten_seconds() {
    let mut queue = mk_queue([mk_pod("a")]);
    let mut now = Instant::now();
    for seconds in [1, 2, 4, 8, 10, 10] {
        assert!(queue.take().is_some());
        assert!(queue.retry(&key("a"), "uid-a", now));
        assert_eq!(queue.next_due(), Some(now + Duration::from_secs(seconds)));
        queue.wake(|_| true);
        assert!(queue.take().is_none(), "no event shortens a back-off");
        now += Duration::from_secs(seconds);
        queue.wake_due(now);
    }
    assert!(!queue.retry(&key("a"), "uid-of-another", now));
    assert!(!queue.retry(&key("gone"), "uid-gone", now));
}

#[tokio::test(start_paused = true)]
async fn a_new_pod_of_the_same_name_starts_over() {
    let mut queue = mk_queue([mk_pod("a")]);
    assert!(queue.take().unwrap().is_first);
    queue.retry(&key("a"), "uid-a", Instant::now());
    queue.insert(mk_pod("a").edit(|pod| pod.metadata.uid = "uid-2".into()).info(), None);
    let attempt = queue.take().unwrap();
    assert_eq!((attempt.pod.uid(), attempt.is_first), ("uid-2", true));
    assert_eq!(queue.next_due(), None);
    queue.remove(&key("a"));
    assert!(queue.entries.is_empty() && queue.ready.is_empty() && queue.timers.is_empty());
}
