//! What a controller's status says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keelson_base_model::{conditions, pod};
use keelson_proto::core::{
    Pod, ReplicationController, ReplicationControllerCondition, ReplicationControllerStatus,
};
use keelson_proto::meta::Time;

use super::Managed;

/// The condition that says that pods cannot be created or deleted.
const REPLICA_FAILURE: &str = "ReplicaFailure";

/// The status of a controller with these pods, of which this has been told before.
pub(super) fn status(
    rc: &ReplicationController,
    known: &ReplicationControllerStatus,
    members: &[Arc<Pod>],
    managed: &Managed,
    now: Time,
) -> ReplicationControllerStatus {
    let count = |holds: &dyn Fn(&Pod) -> bool| saturated(members.iter().filter(|pod| holds(pod)).count());
    let empty = BTreeMap::new();
    let labels = rc.spec.template.as_ref().map_or(&empty, |template| &template.metadata.labels);
    let fully_labelled = |pod: &Pod| {
        let of_pod = &pod.metadata.labels;
        labels.iter().all(|(key, value)| of_pod.get(key) == Some(value))
    };
    ReplicationControllerStatus {
        replicas: saturated(members.len()),
        fully_labeled_replicas: count(&fully_labelled),
        ready_replicas: count(&pod::is_ready),
        available_replicas: count(&|pod| pod::is_available(pod, rc.spec.min_ready_seconds, now)),
        observed_generation: rc.metadata.generation,
        conditions: conditions_after(known, managed, now),
    }
}

/// When the next pod becomes available that is ready already; none if all of those are.
pub(super) fn next_available(
    rc: &ReplicationController,
    members: &[Arc<Pod>],
    now: Time,
) -> Option<Duration> {
    let wait = i64::from(rc.spec.min_ready_seconds);
    let remaining = |pod: &Arc<Pod>| {
        let ready = pod::ready_condition(pod).filter(|condition| condition.status == conditions::TRUE)?;
        let due = ready.last_transition_time?.seconds + wait;
        u64::try_from(due - now.seconds).ok().filter(|left| *left > 0)
    };
    let soonest = members.iter().filter_map(remaining).min()?;
    Some(Duration::from_secs(soonest))
}

fn conditions_after(
    known: &ReplicationControllerStatus,
    managed: &Managed,
    now: Time,
) -> Vec<ReplicationControllerCondition> {
    let mut all = known.conditions.clone();
    match managed {
        Managed::Nothing => {}
        Managed::Done => all.retain(|condition| condition.r#type != REPLICA_FAILURE),
        Managed::Failed(failure) => {
            let failed = ReplicationControllerCondition {
                r#type: REPLICA_FAILURE.to_owned(),
                status: conditions::TRUE.to_owned(),
                reason: failure.reason.to_owned(),
                message: failure.error.to_string(),
                last_transition_time: None,
            };
            conditions::set(&mut all, failed, now);
        }
    }
    all
}

fn saturated(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use keelson_base_client::ApiError;

    use super::*;
    use crate::replication::act::Failure;
    use crate::testing::{mk_pod, mk_rc, ready_since};

    const NOW: Time = Time { seconds: 1000, nanos: 0 };

    fn mk_members() -> Vec<Arc<Pod>> {
        let mut odd = ready_since(mk_pod("c", "web", "Running"), 500);
        odd.metadata.labels.remove("tier");
        let members = [mk_pod("a", "web", "Pending"), ready_since(mk_pod("b", "web", "Running"), 995), odd];
        members.map(Arc::new).to_vec()
    }

    fn mk_tiered_rc() -> ReplicationController {
        let mut rc = mk_rc("web", 3);
        rc.metadata.generation = 4;
        let template = rc.spec.template.as_mut().unwrap();
        template.metadata.labels.insert("tier".to_owned(), "front".to_owned());
        rc
    }

    #[test]
    fn pods_are_counted() {
        let mut rc = mk_tiered_rc();
        let members: Vec<_> = mk_members()
            .into_iter()
            .map(|pod| {
                let mut pod = Pod::clone(&pod);
                if pod.metadata.name != "c" {
                    pod.metadata.labels.insert("tier".to_owned(), "front".to_owned());
                }
                Arc::new(pod)
            })
            .collect();
        for (min_ready, available) in [(0, 2), (10, 1), (600, 0)] {
            rc.spec.min_ready_seconds = min_ready;
            let status = status(&rc, &rc.status, &members, &Managed::Done, NOW);
            let counts = (status.replicas, status.fully_labeled_replicas, status.ready_replicas);
            assert_eq!(counts, (3, 2, 2));
            assert_eq!(status.available_replicas, available, "after {min_ready} s");
            assert_eq!(status.observed_generation, 4);
        }
    }

    #[test]
    fn the_next_pod_to_be_available_is_known() {
        let mut rc = mk_rc("web", 3);
        for (min_ready, expected) in [(0, None), (3, None), (10, Some(5)), (600, Some(100))] {
            rc.spec.min_ready_seconds = min_ready;
            let found = next_available(&rc, &mk_members(), NOW);
            assert_eq!(found, expected.map(Duration::from_secs), "after {min_ready} s");
        }
    }

    #[test]
    fn a_failure_is_told_until_it_is_over() {
        let mut rc = mk_rc("web", 3);
        let failure = |seconds| {
            let error = ApiError::internal("no room");
            let failed = Managed::Failed(Failure { reason: "FailedCreate", error });
            (failed, Time { seconds, nanos: 0 })
        };
        let (managed, now) = failure(1);
        rc.status = status(&rc, &rc.status, &[], &managed, now);
        let (managed, now) = failure(2);
        assert_eq!(status(&rc, &rc.status, &[], &managed, now), rc.status, "the same failure is no news");
        let told = &rc.status.conditions[0];
        assert_eq!((told.r#type.as_str(), told.reason.as_str()), ("ReplicaFailure", "FailedCreate"));
        assert!(told.message.contains("no room"), "{}", told.message);
        assert_eq!(status(&rc, &rc.status, &[], &Managed::Nothing, now).conditions.len(), 1);
        assert!(status(&rc, &rc.status, &[], &Managed::Done, now).conditions.is_empty());
    }
}
