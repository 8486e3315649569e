//! What is written about nodes that are not well: conditions, taints, and which of their pods have to go.

use std::sync::Arc;
use std::time::Duration;

use keelson_base_model::{conditions, meta, node, pod};
use keelson_proto::core::{Node, NodeCondition, Pod, PodCondition, Taint};
use keelson_proto::meta::Time;
use tokio::time::Instant;

/// The taint of a node that says that it is not ready.
const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// The taint of a node that is not heard of.
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// No new pods come.
const NO_SCHEDULE: &str = "NoSchedule";
/// The pods go, too.
const NO_EXECUTE: &str = "NoExecute";

/// Says of a node that it is not known how it is; answers whether that is news. What else its kubelet has told is not
/// known either.
pub(super) fn mark_lost(node: &mut Node, posted: bool, now: Time) -> bool {
    let (reason, message) = if posted {
        ("NodeStatusUnknown", "Kubelet stopped posting node status.")
    } else {
        ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
    };
    let mut known: Vec<_> = node.status.conditions.iter().map(|condition| condition.r#type.clone()).collect();
    if !known.iter().any(|kind| kind == node::READY) {
        known.push(node::READY.to_owned());
    }
    let is_news = node::ready_condition(node).is_none_or(|ready| ready.status != conditions::UNKNOWN);
    if !is_news {
        return false;
    }
    for kind in known {
        let heartbeat =
            conditions::find(&node.status.conditions, &kind).and_then(|old| old.last_heartbeat_time);
        let unknown = NodeCondition {
            r#type: kind,
            status: conditions::UNKNOWN.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_heartbeat_time: heartbeat,
            last_transition_time: None,
        };
        conditions::set(&mut node.status.conditions, unknown, now);
    }
    true
}

/// The node with the taints that its condition calls for; none if it has them. Other taints are left alone.
pub(super) fn tainted(node: &Node, now: Time) -> Option<Node> {
    let key = called_for(node);
    let ours = |taint: &Taint| [NOT_READY, UNREACHABLE].contains(&taint.key.as_str());
    let mut tainted = node.clone();
    let taints = &mut tainted.spec.taints;
    taints.retain(|taint| !ours(taint) || Some(taint.key.as_str()) == key);
    for effect in [NO_SCHEDULE, NO_EXECUTE] {
        let Some(key) = key else { break };
        if !taints.iter().any(|taint| taint.key == key && taint.effect == effect) {
            taints.push(Taint {
                key: key.to_owned(),
                value: String::new(),
                effect: effect.to_owned(),
                time_added: (effect == NO_EXECUTE).then_some(now),
            });
        }
    }
    (tainted.spec.taints != node.spec.taints).then_some(tainted)
}

/// Says of a pod that it is not ready.
pub(super) fn mark_unready(pod: &mut Pod, now: Time) {
    let unready = PodCondition {
        r#type: pod::condition_type::READY.to_owned(),
        status: conditions::FALSE.to_owned(),
        reason: "NodeNotReady".to_owned(),
        message: "the pod's node has not been heard of in time".to_owned(),
        ..PodCondition::default()
    };
    conditions::set(&mut pod.status.conditions, unready, now);
}

/// Which pods a node that has been unwell `since` then must lose by `now`, and when the next ones are due. A pod stays
/// for `timeout`, unless it tolerates the node's state for another time, or for ever.
pub(super) fn evictions(
    pods: &[Arc<Pod>],
    node: &Node,
    since: Instant,
    timeout: Duration,
    now: Instant,
) -> (Vec<Arc<Pod>>, Option<Instant>) {
    let taint = Taint {
        key: called_for(node).unwrap_or(UNREACHABLE).to_owned(),
        effect: NO_EXECUTE.to_owned(),
        ..Taint::default()
    };
    let staying = |pod: &&Arc<Pod>| !meta::is_deleting(&pod.metadata);
    let (mut victims, mut next) = (Vec::new(), None);
    for pod in pods.iter().filter(staying) {
        let Some(patience) = patience(pod, &taint, timeout) else {
            continue;
        };
        let due = since + patience;
        if due <= now {
            victims.push(pod.clone());
        } else {
            next = Some(next.map_or(due, |next: Instant| next.min(due)));
        }
    }
    (victims, next)
}

/// How long a pod stands the taint; none if for ever.
fn patience(pod: &Pod, taint: &Taint, timeout: Duration) -> Option<Duration> {
    let tolerations = pod.spec.tolerations.iter().filter(|one| node::tolerates(one, taint));
    let mut limits = tolerations.map(|toleration| toleration.toleration_seconds).peekable();
    if limits.peek().is_none() {
        return Some(timeout);
    }
    let seconds = limits.flatten().min()?;
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// The key of the taints that a node's condition calls for. One that has not spoken yet needs none: it gets no pods.
fn called_for(node: &Node) -> Option<&'static str> {
    match node::ready_condition(node)?.status.as_str() {
        conditions::TRUE => None,
        conditions::FALSE => Some(NOT_READY),
        _ => Some(UNREACHABLE),
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::Toleration;

    use super::*;
    use crate::testing::{mk_node, mk_pod, ready_since};

    const NOW: Time = Time { seconds: 100, nanos: 0 };

    fn keys(node: &Node) -> Vec<String> {
        let key =
            |taint: &Taint| format!("{}:{}", taint.key.rsplit('/').next().unwrap_or_default(), taint.effect);
        node.spec.taints.iter().map(key).collect()
    }

    #[test]
    fn of_a_lost_node_nothing_is_known() {
        let mut node = mk_node("n1", conditions::TRUE);
        node.status.conditions.push(NodeCondition {
            r#type: "DiskPressure".to_owned(),
            status: conditions::FALSE.to_owned(),
            ..NodeCondition::default()
        });
        let heartbeat = node.status.conditions[0].last_heartbeat_time;
        assert!(mark_lost(&mut node, true, NOW));
        for condition in &node.status.conditions {
            assert_eq!(condition.status, conditions::UNKNOWN, "{}", condition.r#type);
            assert_eq!(condition.message, "Kubelet stopped posting node status.");
        }
        let ready = node::ready_condition(&node).unwrap();
        assert_eq!((ready.last_transition_time, ready.last_heartbeat_time), (Some(NOW), heartbeat));
        assert!(!mark_lost(&mut node, true, NOW), "once is enough");
        let mut new = Node::default();
        assert!(mark_lost(&mut new, false, NOW));
        assert_eq!(node::ready_condition(&new).unwrap().reason, "NodeStatusNeverUpdated");
    }

    #[test]
    fn taints_follow_the_condition() {
        let mut node = mk_node("n1", conditions::TRUE);
        node.spec.taints.push(Taint {
            key: "gpu".to_owned(),
            effect: NO_SCHEDULE.to_owned(),
            ..Taint::default()
        });
        let unreachable = ["gpu:NoSchedule", "unreachable:NoSchedule", "unreachable:NoExecute"];
        let not_ready = ["gpu:NoSchedule", "not-ready:NoSchedule", "not-ready:NoExecute"];
        let steps: [(&str, &[&str]); 4] = [
            (conditions::UNKNOWN, &unreachable),
            (conditions::FALSE, &not_ready),
            (conditions::UNKNOWN, &unreachable),
            (conditions::TRUE, &["gpu:NoSchedule"]),
        ];
        for (status, expected) in steps {
            node.status.conditions[0].status = status.to_owned();
            node = tainted(&node, NOW).unwrap();
            assert_eq!(keys(&node), expected, "{status}");
            assert_eq!(tainted(&node, NOW), None, "{status} once more");
        }
        assert_eq!(tainted(&Node::default(), NOW), None, "a node that has not spoken yet");
    }

    #[test]
    fn a_pod_of_a_lost_node_is_not_ready() {
        let mut pod = ready_since(mk_pod("a", "web", "Running"), 1);
        mark_unready(&mut pod, NOW);
        assert!(!pod::is_ready(&pod));
        assert_eq!(pod::ready_condition(&pod).unwrap().last_transition_time, Some(NOW));
    }

    #[test]
    fn pods_go_when_their_patience_ends() {
        let tolerating = |name: &str, key: &str, seconds| {
            let mut pod = mk_pod(name, "web", "Running");
            pod.spec.tolerations.push(Toleration {
                key: key.to_owned(),
                operator: "Exists".to_owned(),
                toleration_seconds: seconds,
                ..Toleration::default()
            });
            pod
        };
        let mut deleting = mk_pod("deleting", "web", "Running");
        deleting.metadata.deletion_timestamp = Some(NOW);
        let pods = [
            mk_pod("plain", "web", "Running"),
            tolerating("for a minute", UNREACHABLE, Some(60)),
            tolerating("not at all", UNREACHABLE, Some(-5)),
            tolerating("for ever", UNREACHABLE, None),
            tolerating("something else", "gpu", None),
            deleting,
        ]
        .map(Arc::new);
        let node = mk_node("n1", conditions::UNKNOWN);
        let since = Instant::now();
        let table: [(u64, &[&str], Option<u64>); 4] = [
            (0, &["not at all"], Some(60)),
            (60, &["for a minute", "not at all"], Some(300)),
            (299, &["for a minute", "not at all"], Some(300)),
            (300, &["plain", "for a minute", "not at all", "something else"], None),
        ];
        for (after, expected, next) in table {
            let now = since + Duration::from_secs(after);
            let (victims, due) = evictions(&pods, &node, since, Duration::from_secs(300), now);
            let names: Vec<_> = victims.iter().map(|pod| pod.metadata.name.as_str()).collect();
            assert_eq!(names, expected, "after {after} s");
            assert_eq!(due, next.map(|next| since + Duration::from_secs(next)), "after {after} s");
        }
    }
}
