//! How long each of many calls took.

use std::time::Duration;

/// How long each of many calls took, shortest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    sorted: Vec<Duration>,
}

// === impl Latencies ===

impl Latencies {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { sorted: times }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The time within which so many percent were done (nearest rank); zero if there were none.
    pub(crate) fn at(&self, percent: usize) -> Duration {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied().unwrap_or_default()
    }

    /// The middle one.
    pub(crate) fn median(&self) -> Duration {
        self.at(50)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let times = Latencies::new((1..=200).rev().map(Duration::from_millis).collect());
        let ms = [1, 50, 99, 100].map(|percent| times.at(percent).as_millis());
        assert_eq!(ms, [2, 100, 198, 200]);
        assert_eq!(Latencies::default().median(), Duration::ZERO);
        assert_eq!(Latencies::new(vec![Duration::from_secs(7)]).at(99), Duration::from_secs(7));
    }
}
