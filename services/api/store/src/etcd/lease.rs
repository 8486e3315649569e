//! Leases, shared by the keys that end in the same span of time.

use super::members::{Member, Members};
use super::wire;
use crate::{Commit, Error, Op};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The leases we have been granted, and when each ends (in milliseconds since 1970).
pub(super) struct Leases {
    members: Arc<Members>,
    bucket: Duration,
    granted: Mutex<BTreeMap<u64, i64>>,
}

// === impl Leases ===

impl Leases {
    pub(super) fn new(members: Arc<Members>, bucket: Duration) -> Self {
        Self { members, bucket, granted: Mutex::default() }
    }

    /// A lease for each operation that has a time to live.
    pub(super) async fn cover(&self, commit: &Commit) -> Result<Vec<Option<i64>>, Error> {
        let mut leases = Vec::with_capacity(commit.ops.len());
        for op in &commit.ops {
            leases.push(match op {
                Op::Put { ttl: Some(ttl), .. } => Some(self.lease(*ttl).await?),
                _ => None,
            });
        }
        Ok(leases)
    }

    /// No longer uses the leases, which etcd does not know.
    pub(super) fn forget(&self, leases: &[Option<i64>]) {
        self.granted().retain(|_, lease| !leases.contains(&Some(*lease)));
    }

    /// A lease that ends when `ttl` is over or up to one bucket later.
    async fn lease(&self, ttl: Duration) -> Result<i64, Error> {
        let now = millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let end = bucket_end(now, millis(ttl), millis(self.bucket));
        if let Some(lease) = self.known(now, end) {
            return Ok(lease);
        }
        let seconds = wire::signed((end - now).div_ceil(1000));
        // Granted twice is no harm: one of the two ends unused.
        let grant = |member: Arc<Member>| async move { member.leases().grant(seconds, None).await };
        let granted = self.members.read("grant a lease", None, grant).await?;
        // Somebody else may have asked at the same time: one of the two leases ends unused.
        Ok(*self.granted().entry(end).or_insert_with(|| granted.id()))
    }

    fn known(&self, now: u64, end: u64) -> Option<i64> {
        let mut granted = self.granted();
        *granted = granted.split_off(&now);
        granted.get(&end).copied()
    }

    fn granted(&self) -> MutexGuard<'_, BTreeMap<u64, i64>> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The end of the bucket in which `now + ttl` falls; all in milliseconds.
fn bucket_end(now: u64, ttl: u64, bucket: u64) -> u64 {
    now.saturating_add(ttl).div_ceil(bucket.max(1)).saturating_mul(bucket.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_end_at_the_deadline_or_later() {
        let cases = [
            (0, 1, 60_000, 60_000),
            (59_999, 1, 60_000, 60_000),
            (60_000, 1, 60_000, 120_000),
            (100_000, 3_600_000, 60_000, 3_720_000),
            (5, 5, 0, 10),
        ];
        for (now, ttl, bucket, end) in cases {
            assert_eq!(bucket_end(now, ttl, bucket), end, "{now} + {ttl} in {bucket}");
        }
    }
}
