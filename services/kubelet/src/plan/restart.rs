//! Whether and when an ended container runs again.

use std::time::Duration;

use jiff::Timestamp;
use keelson_proto::core::{Container, Pod};

use super::memory::{Crash, FIRST_DELAY, MAX_DELAY, doubled};
use crate::clock::{later, until};
use crate::runtime::Exit;

/// A run of this length forgives all crashes before it.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// What follows an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Restart {
    /// When.
    pub(super) at: Timestamp,
    /// How long it waits for that.
    pub(super) delay: Duration,
    /// How long it will wait after the next end.
    pub(super) next_delay: Duration,
}

/// Whether a container that ended with `code` is to run again.
pub(crate) fn wanted(pod: &Pod, container: &Container, init: bool, code: i32) -> bool {
    let own = container.restart_policy.as_deref().filter(|_| init);
    match own.unwrap_or(&pod.spec.restart_policy) {
        // An init container that succeeded is done, whatever the pod's policy.
        "Always" => !init || own.is_some() || code != 0,
        "OnFailure" => code != 0,
        "Never" => false,
        // The default of api, which fills the field in.
        _ => !init || code != 0,
    }
}

/// When a container that ended so is started again: at once after its first end, then after 10 s, doubling to 5 min.
///
/// Without memory (the kubelet was restarted) the delay follows from the number of restarts.
pub(super) fn restart(exit: &Exit, restarts: u32, crash: Option<&Crash>) -> Restart {
    let ran = exit.started_at.map_or(Duration::ZERO, |start| until(start, exit.finished_at));
    let delay = match crash {
        _ if ran >= FORGIVEN_AFTER => Duration::ZERO,
        Some(crash) => crash.delay,
        None if restarts == 0 => Duration::ZERO,
        None => FIRST_DELAY.saturating_mul(1 << (restarts - 1).min(5)).min(MAX_DELAY),
    };
    let next_delay = if delay.is_zero() { FIRST_DELAY } else { doubled(delay) };
    Restart { at: later(exit.finished_at, delay), delay, next_delay }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(ran: u64) -> Exit {
        let start = Timestamp::UNIX_EPOCH;
        let finished_at = later(start, Duration::from_secs(ran));
        Exit { started_at: Some(start), finished_at, code: 1, oom_killed: false, error: String::new() }
    }

    #[test]
    fn back_off_table() {
        let s = Duration::from_secs;
        let crash = |delay| Some(Crash { delay: s(delay) });
        let table = [
            ("first end", exit(5), 0, None, 0, 10),
            ("second end", exit(5), 1, crash(10), 10, 20),
            ("grows", exit(5), 4, crash(160), 160, 300),
            ("stays at five minutes", exit(5), 9, crash(300), 300, 300),
            ("ten minutes forgive", exit(600), 9, crash(300), 0, 10),
            ("memory lost, once restarted", exit(5), 1, None, 10, 20),
            ("memory lost, often restarted", exit(5), 4, None, 80, 160),
            ("memory lost, restarted for ever", exit(5), u32::MAX, None, 300, 300),
        ];
        for (name, exit, restarts, crash, delay, next) in table {
            let restart = restart(&exit, restarts, crash.as_ref());
            assert_eq!((restart.delay, restart.next_delay), (s(delay), s(next)), "{name}");
            assert_eq!(restart.at, later(exit.finished_at, s(delay)), "{name}");
        }
    }

    #[test]
    fn policy_table() {
        let table = [
            // policy, init, own policy, after success, after failure
            ("Always", false, None, true, true),
            ("OnFailure", false, None, false, true),
            ("Never", false, None, false, false),
            ("Always", true, None, false, true),
            ("OnFailure", true, None, false, true),
            ("Never", true, None, false, false),
            ("Never", true, Some("Always"), true, true),
            ("", false, None, true, true),
        ];
        for (policy, init, own, success, failure) in table {
            let mut pod = Pod::default();
            pod.spec.restart_policy = policy.to_owned();
            let container = Container { restart_policy: own.map(str::to_owned), ..Container::default() };
            let got = (wanted(&pod, &container, init, 0), wanted(&pod, &container, init, 1));
            assert_eq!(got, (success, failure), "{policy} init {init} own {own:?}");
        }
    }
}
