//! From counters of processor time to a rate. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// The shortest time that a rate is taken over: below it the counters' own steps would show.
pub(super) const SHORTEST: Duration = Duration::from_millis(200);

/// A rate over a time longer than this says nothing of now.
const LONGEST: Duration = Duration::from_secs(120);

/// What was counted last, by container.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: BTreeMap<String, Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    nanoseconds: u64,
    /// The rate that was told last.
    rate: Option<u64>,
}

// === impl Rates ===

impl Rates {
    /// Takes note of a counter; billionths of a core since the time before, if there was one not long ago.
    pub(super) fn take(&mut self, id: &str, nanoseconds: u64, now: Instant) -> Option<u64> {
        let last = self.last.get(id).copied();
        let last = last.filter(|last| last.nanoseconds <= nanoseconds && now - last.at <= LONGEST);
        let rate = match last {
            Some(last) if now - last.at < SHORTEST => return last.rate,
            Some(last) => {
                let nanoseconds = u128::from(nanoseconds - last.nanoseconds);
                let rate = nanoseconds * 1_000_000_000 / (now - last.at).as_nanos();
                Some(u64::try_from(rate).unwrap_or(u64::MAX))
            }
            None => None,
        };
        self.last.insert(id.to_owned(), Sample { at: now, nanoseconds, rate });
        rate
    }

    /// Forgets all but these.
    pub(super) fn keep(&mut self, ids: &BTreeSet<String>) {
        self.last.retain(|id, _| ids.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_taken_over_the_time_between_two_looks() {
        let (mut rates, begin) = (Rates::default(), Instant::now());
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let ms = |milliseconds: u64| milliseconds * 1_000_000;
        let table = [
            ("nothing before", 0, ms(100), None),
            ("too soon, and no rate yet", 100, ms(150), None),
            ("half a core", 1000, ms(600), Some(500_000_000)),
            ("too soon: the rate before", 1100, ms(700), Some(500_000_000)),
            ("two cores", 2000, ms(2600), Some(2_000_000_000)),
            ("began anew", 3000, ms(1), None),
            ("too long ago", 200_000, ms(2), None),
        ];
        for (name, milliseconds, nanoseconds, wanted) in table {
            assert_eq!(rates.take("c", nanoseconds, at(milliseconds)), wanted, "{name}");
        }
        rates.keep(&BTreeSet::new());
        assert_eq!(rates.take("c", ms(10), at(201_000)), None, "forgotten");
    }
}
