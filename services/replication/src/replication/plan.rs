//! How many pods to create, or which to delete.

use std::cmp::Reverse;
use std::sync::Arc;

use keelson_base_model::pod;
use keelson_proto::core::Pod;

/// What brings a controller's pods to the number that is wanted.
#[derive(Debug, PartialEq)]
pub(super) enum Plan {
    /// Nothing.
    Keep,
    /// This many new pods.
    Create(usize),
    /// The end of these.
    Delete(Vec<Arc<Pod>>),
}

/// What is to be done if `wanted` pods are, at most `burst` of it at once.
pub(super) fn plan(wanted: i32, members: &[Arc<Pod>], burst: usize) -> Plan {
    let wanted = usize::try_from(wanted).unwrap_or(0);
    let missing = wanted.saturating_sub(members.len()).min(burst);
    let excess = members.len().saturating_sub(wanted).min(burst);
    match (missing, excess) {
        (0, 0) => Plan::Keep,
        (0, excess) => Plan::Delete(victims(members, excess)),
        (missing, _) => Plan::Create(missing),
    }
}

/// The sizes of the batches in which `total` pods are created: `first`, then twice as many each time. A controller
/// whose pods are refused so finds out by the first of them, and not by hundreds.
pub(super) fn batches(total: usize, first: usize) -> impl Iterator<Item = usize> {
    let (mut left, mut next) = (total, first.max(1));
    std::iter::from_fn(move || {
        let size = next.min(left);
        left -= size;
        next = next.saturating_mul(2);
        (size > 0).then_some(size)
    })
}

/// Those `count` pods that are missed the least, in that order.
fn victims(members: &[Arc<Pod>], count: usize) -> Vec<Arc<Pod>> {
    let mut members = members.to_vec();
    if count < members.len() {
        members.sort_by_cached_key(|pod| worth(pod));
        members.truncate(count);
    }
    members
}

/// What a pod is worth: one with a node more than one without; a running one more than one that is yet to run; a
/// ready one more than one that is not; the longer it is ready, the less it has been restarted and the older it is.
fn worth(pod: &Pod) -> (bool, u8, bool, Reverse<i64>, Reverse<i32>, Reverse<i64>) {
    let phase = match pod.status.phase.as_str() {
        pod::phase::PENDING | "" => 0,
        pod::phase::UNKNOWN => 1,
        _ => 2,
    };
    let ready = pod::is_ready(pod);
    let ready_since = pod::ready_condition(pod)
        .filter(|_| ready)
        .and_then(|condition| condition.last_transition_time)
        .map_or(i64::MAX, |since| since.seconds);
    let statuses = &pod.status.container_statuses;
    let restarts = statuses.iter().map(|status| status.restart_count).max().unwrap_or(0);
    let created = pod.metadata.creation_timestamp.map_or(i64::MAX, |created| created.seconds);
    (pod::is_assigned(pod), phase, ready, Reverse(ready_since), Reverse(restarts), Reverse(created))
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::ContainerStatus;
    use keelson_proto::meta::Time;

    use super::*;
    use crate::testing::{mk_pod, ready_since};

    fn mk_pods(count: usize) -> Vec<Arc<Pod>> {
        (0..count).map(|index| Arc::new(mk_pod(&format!("p{index}"), "web", "Running"))).collect()
    }

    #[test]
    fn the_difference_is_made_up_in_bursts() {
        let table = [
            (3, 3, 0, 0),
            (3, 0, 3, 0),
            (3, 5, 0, 2),
            (0, 5, 0, 5),
            (-1, 1, 0, 1),
            (5000, 10, 500, 0),
            (0, 700, 0, 500),
        ];
        for (wanted, there, create, delete) in table {
            let found = match plan(wanted, &mk_pods(there), 500) {
                Plan::Keep => (0, 0),
                Plan::Create(count) => (count, 0),
                Plan::Delete(victims) => (0, victims.len()),
            };
            assert_eq!(found, (create, delete), "{there} of {wanted}");
        }
    }

    #[test]
    fn batches_double_until_all_is_done() {
        let sizes = |total, first| batches(total, first).collect::<Vec<_>>();
        assert_eq!(sizes(10, 1), [1, 2, 4, 3]);
        assert_eq!(sizes(500, 500), [500]);
        assert_eq!(sizes(3, 0), [1, 2]);
        assert!(sizes(0, 1).is_empty());
        assert_eq!(batches(500, 1).sum::<usize>(), 500);
    }

    #[test]
    fn the_least_missed_go_first() {
        let on_node = |mut pod: Pod| {
            pod.spec.node_name = "n1".to_owned();
            pod
        };
        let restarted = |mut pod: Pod, restart_count| {
            let status = ContainerStatus { restart_count, ..ContainerStatus::default() };
            pod.status.container_statuses.push(status);
            pod
        };
        let created = |mut pod: Pod, seconds| {
            pod.metadata.creation_timestamp = Some(Time { seconds, nanos: 0 });
            pod
        };
        let ready = |name, since| on_node(ready_since(mk_pod(name, "web", "Running"), since));
        // In the order in which they should go.
        let ranked = [
            mk_pod("no node", "web", "Pending"),
            on_node(mk_pod("pending", "web", "Pending")),
            on_node(mk_pod("unknown", "web", "Unknown")),
            created(on_node(mk_pod("not ready, newer", "web", "Running")), 20),
            created(on_node(mk_pod("not ready, older", "web", "Running")), 10),
            ready("ready for a short time", 200),
            created(restarted(ready("restarted twice", 100), 2), 1),
            created(restarted(ready("restarted once", 100), 1), 1),
            created(ready("new", 100), 30),
            created(ready("old", 100), 3),
        ];
        let names = |pods: &[Arc<Pod>]| pods.iter().map(|pod| pod.metadata.name.clone()).collect::<Vec<_>>();
        let expected: Vec<_> = ranked.iter().map(|pod| pod.metadata.name.clone()).collect();
        let mut given: Vec<_> = ranked.into_iter().map(Arc::new).collect();
        given.rotate_left(4);
        given.swap(0, 7);
        for count in 1..given.len() {
            assert_eq!(names(&victims(&given, count)), expected[..count], "{count}");
        }
    }
}
