//! Waiting for what another process will do, where no event can be had.

use std::time::{Duration, Instant};

/// How long [`assert_eventually!`](crate::assert_eventually) waits.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks until there is something to see.
///
/// # Panics
/// With the last excuse, if there is nothing after `patience`.
#[track_caller]
pub fn within<T>(patience: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + patience;
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(excuse) if Instant::now() >= end => panic!("still after {} s: {excuse}", patience.as_secs()),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Asserts that a condition holds, now or within [`PATIENCE`]; the message is made anew at each look.
#[macro_export]
macro_rules! assert_eventually {
    ($condition:expr, $($message:tt)+) => {
        $crate::eventually::within($crate::eventually::PATIENCE, || match $condition {
            true => Ok(()),
            false => Err(format!($($message)+)),
        })
    };
}
