//! The infra container's process: it holds the pod's namespaces until it is told to go.
use crate::sys;

/// Waits for signals as the first process of a pod: buries the orphans it inherits, ends with 0 on SIGTERM
/// and SIGINT.
pub fn run() -> i32 {
    sys::block(sys::ALL_SIGNALS);
    loop {
        match sys::wait_signal(sys::Signals::of(&[sys::SIGTERM, sys::SIGINT, sys::SIGCHLD])) {
            sys::SIGTERM | sys::SIGINT => return 0,
            sys::SIGCHLD => sys::reap(),
            _ => {} // interrupted: wait again
        }
    }
}
