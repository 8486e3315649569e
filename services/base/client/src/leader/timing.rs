//! How long a lease is good for.

use std::time::Duration;

/// How long a lease is good for, and how it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A lease that has not changed for so long is free; whole seconds.
    pub lease: Duration,
    /// A holder that could not renew it for so long stops acting; less than `lease`.
    pub renew: Duration,
    /// Between renewals, and between attempts that failed; less than `renew`.
    pub retry: Duration,
}

// === impl Timing ===

impl Timing {
    /// What Kubernetes' components use: 15 s, 10 s, 2 s.
    pub const DEFAULT: Self = Self {
        lease: Duration::from_secs(15),
        renew: Duration::from_secs(10),
        retry: Duration::from_secs(2),
    };

    /// # Errors
    /// One sentence on what makes no sense.
    pub fn check(&self) -> Result<(), String> {
        if self.lease < Duration::from_secs(1) || self.lease.subsec_nanos() != 0 {
            return Err(
                "the duration of the leader's lease must be whole seconds, and at least one".to_owned()
            );
        }
        if self.renew >= self.lease {
            return Err(
                "the deadline for renewing the leader's lease must be shorter than the lease".to_owned()
            );
        }
        if self.retry.is_zero() || self.retry >= self.renew {
            let why =
                "the pause between renewals of the leader's lease must be above 0 and below their deadline";
            return Err(why.to_owned());
        }
        Ok(())
    }

    pub(super) fn lease_seconds(&self) -> i32 {
        i32::try_from(self.lease.as_secs()).unwrap_or(i32::MAX)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timing_table() {
        let s = Duration::from_secs;
        let timing = |lease, renew, retry| Timing { lease, renew, retry };
        assert_eq!(Timing::DEFAULT.check(), Ok(()));
        assert_eq!(timing(s(3), s(2), s(1)).check(), Ok(()));
        for bad in [
            timing(s(0), s(2), s(1)),
            timing(Duration::from_millis(1500), s(1), s(1)),
            timing(s(3), s(3), s(1)),
            timing(s(3), s(2), s(2)),
            timing(s(3), s(2), s(0)),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
