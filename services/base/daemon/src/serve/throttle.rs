//! Lines of a log that may come as fast as strangers connect.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets one line through in each period, and counts the others.
#[derive(Debug)]
pub(super) struct Throttle {
    period: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

// === impl Throttle ===

impl Throttle {
    pub(super) fn new(period: Duration) -> Self {
        Self { period, state: Mutex::default() }
    }

    /// Whether a line may be written at `now`; if so, how many were held back since the last.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.duration_since(last) < self.period) {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_each_period_and_the_others_are_counted() {
        let throttle = Throttle::new(Duration::from_secs(10));
        let start = Instant::now();
        let table =
            [(0, Some(0)), (1, None), (9, None), (10, Some(2)), (19, None), (60, Some(1)), (70, Some(0))];
        for (second, expected) in table {
            assert_eq!(throttle.admit(start + Duration::from_secs(second)), expected, "{second}");
        }
    }
}
