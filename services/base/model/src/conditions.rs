//! Conditions: what a controller has found out about an object, one row per question.

use keelson_proto::core::{NamespaceCondition, NodeCondition, PodCondition, ReplicationControllerCondition};
use keelson_proto::meta::Time;

/// The answer yes.
pub const TRUE: &str = "True";
/// The answer no.
pub const FALSE: &str = "False";
/// No answer.
pub const UNKNOWN: &str = "Unknown";

/// What the conditions of all kinds have in common.
pub trait Condition {
    /// The question, for instance `Ready`.
    fn kind(&self) -> &str;
    /// The answer: [`TRUE`], [`FALSE`] or [`UNKNOWN`].
    fn status(&self) -> &str;
    /// Why, as one word and as a sentence.
    fn explanation(&self) -> (&str, &str);
    /// When the answer last changed.
    fn last_transition(&mut self) -> &mut Option<Time>;
}

/// The condition that answers `kind`.
pub fn find<'a, C: Condition>(conditions: &'a [C], kind: &str) -> Option<&'a C> {
    conditions.iter().find(|condition| condition.kind() == kind)
}

/// Whether the answer to `kind` is yes.
pub fn is_true<C: Condition>(conditions: &[C], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status() == TRUE)
}

/// Puts a condition in the place of the one that answers the same question, or at the end. The time of the
/// last transition stays as it was while the answer stays, and is `now` otherwise.
///
/// Answers whether status, reason or message changed (a new heartbeat alone is no change).
pub fn set<C: Condition>(conditions: &mut Vec<C>, mut condition: C, now: Time) -> bool {
    let Some(old) = conditions.iter_mut().find(|old| old.kind() == condition.kind()) else {
        *condition.last_transition() = Some(now);
        conditions.push(condition);
        return true;
    };
    let is_same_status = old.status() == condition.status();
    let is_same = is_same_status && old.explanation() == condition.explanation();
    let since = if is_same_status { old.last_transition().take() } else { None };
    *condition.last_transition() = since.or(Some(now));
    *old = condition;
    !is_same
}

macro_rules! condition {
    ($($message:ty),* $(,)?) => {$(
        impl Condition for $message {
            fn kind(&self) -> &str {
                &self.r#type
            }

            fn status(&self) -> &str {
                &self.status
            }

            fn explanation(&self) -> (&str, &str) {
                (&self.reason, &self.message)
            }

            fn last_transition(&mut self) -> &mut Option<Time> {
                &mut self.last_transition_time
            }
        }
    )*};
}

condition!(PodCondition, NodeCondition, NamespaceCondition, ReplicationControllerCondition);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time { seconds, nanos: 0 }
    }

    fn ready(status: &str, reason: &str, heartbeat: i64) -> NodeCondition {
        NodeCondition {
            r#type: "Ready".to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            last_heartbeat_time: Some(at(heartbeat)),
            ..NodeCondition::default()
        }
    }

    #[test]
    fn the_transition_time_moves_with_the_status_only() {
        let mut conditions = Vec::new();
        // (condition, now, is it a change, last transition after it)
        let steps = [
            (ready(TRUE, "KubeletReady", 1), 1, true, 1),
            (ready(TRUE, "KubeletReady", 2), 2, false, 1),
            (ready(TRUE, "Other", 3), 3, true, 1),
            (ready(UNKNOWN, "NodeStatusUnknown", 3), 4, true, 4),
            (ready(TRUE, "KubeletReady", 5), 5, true, 5),
        ];
        for (condition, now, is_change, transition) in steps {
            let heartbeat = condition.last_heartbeat_time;
            assert_eq!(set(&mut conditions, condition, at(now)), is_change, "at {now}");
            assert_eq!(conditions.len(), 1);
            assert_eq!(conditions[0].last_transition_time, Some(at(transition)), "at {now}");
            assert_eq!(conditions[0].last_heartbeat_time, heartbeat, "at {now}");
        }
    }

    #[test]
    fn questions_do_not_mix() {
        let mut conditions = vec![ready(FALSE, "", 0)];
        let full = NodeCondition { r#type: "DiskPressure".to_owned(), ..ready(TRUE, "", 0) };
        assert!(set(&mut conditions, full, at(1)));
        assert!(is_true(&conditions, "DiskPressure") && !is_true(&conditions, "Ready"));
        assert!(!is_true(&conditions, "MemoryPressure"));
        assert_eq!(find(&conditions, "Ready").map(Condition::status), Some(FALSE));
    }
}
