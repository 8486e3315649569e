//! Growing delays between attempts, spread so that many clients do not come back at once.

use std::time::Duration;

/// An endless iterator of delays: `initial`, times `factor` each time, never above `max`, each shortened by a random
/// part of up to `jitter`. Deterministic once [seeded](Backoff::seed).
#[derive(Clone, Debug)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    factor: f64,
    jitter: f64,
    next: Duration,
    rng: fastrand::Rng,
}

// === impl Backoff ===

impl Backoff {
    /// Doubles from `initial` to `max` with a jitter of 0.2.
    pub fn new(initial: Duration, max: Duration) -> Self {
        let initial = initial.min(max);
        Self { initial, max, factor: 2.0, jitter: 0.2, next: initial, rng: fastrand::Rng::new() }
    }

    /// What a delay is multiplied by to get the next; below 1 counts as 1.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// The part of a delay, 0 to 1, that chance may take away: 0.2 spreads 10 s over 8 to 10 s.
    #[must_use]
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter.clamp(0.0, 1.0);
        self
    }

    /// Makes the jitter repeatable.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.rng = fastrand::Rng::with_seed(seed);
        self
    }

    /// The delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = scaled(delay, self.factor).map_or(self.max, |grown| grown.min(self.max));
        scaled(delay, 1.0 - self.jitter * self.rng.f64()).unwrap_or(delay)
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.next = self.initial;
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.next_delay())
    }
}

/// `None` if the product is no `Duration`, where `mul_f64` would panic.
fn scaled(delay: Duration, by: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(delay.as_secs_f64() * by).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(backoff: &mut Backoff, count: usize) -> Vec<f64> {
        backoff.take(count).map(|delay| delay.as_secs_f64()).collect()
    }

    #[test]
    fn delay_table() {
        let s = Duration::from_secs;
        let exact = |initial, max, factor| Backoff::new(initial, max).factor(factor).jitter(0.0);
        let table = [
            ("doubles to the maximum", exact(s(1), s(5), 2.0), [1.0, 2.0, 4.0, 5.0, 5.0]),
            ("any factor", exact(s(2), s(100), 1.5), [2.0, 3.0, 4.5, 6.75, 10.125]),
            ("never shrinks", exact(s(3), s(9), 0.1), [3.0; 5]),
            ("initial above maximum", exact(s(9), s(3), 2.0), [3.0; 5]),
            ("zero stays zero", exact(s(0), s(3), 2.0), [0.0; 5]),
        ];
        for (name, mut backoff, expected) in table {
            assert_eq!(seconds(&mut backoff, 5), expected, "{name}");
            backoff.reset();
            assert_eq!(seconds(&mut backoff, 2), expected[..2], "{name}, after reset");
        }
    }

    #[test]
    fn jitter_shortens_within_its_bound_and_repeats_with_the_seed() {
        let new = |seed| Backoff::new(Duration::from_secs(8), Duration::from_secs(8)).jitter(0.5).seed(seed);
        let delays = seconds(&mut new(7), 1000);
        assert!(delays.iter().all(|&delay| (4.0..=8.0).contains(&delay)));
        let mean = delays.iter().sum::<f64>() / 1000.0;
        assert!((5.8..6.2).contains(&mean), "spread evenly, mean {mean}");
        assert_eq!(delays, seconds(&mut new(7), 1000));
        assert_ne!(delays, seconds(&mut new(8), 1000));
    }

    #[test]
    fn endless_growth_does_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::MAX).factor(1e9).jitter(0.0);
        assert_eq!(backoff.nth(100), Some(Duration::MAX));
    }
}
