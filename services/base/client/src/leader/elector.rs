//! Whose turn it is, as a pure function of what was seen and when: client-go's rules.
//!
//! What counts is how long ago *we* saw the lease change, by our own monotonic clock. The times written in a lease are
//! for people: clocks of different machines may differ as they like.

use std::time::Duration;

use keelson_proto::coordination::{Lease, LeaseSpec};
use keelson_proto::meta::MicroTime;
use tokio::time::Instant;

use super::Timing;

/// What one candidate knows.
#[derive(Clone, Debug)]
pub(super) struct Elector {
    identity: String,
    timing: Timing,
    seen: Option<Seen>,
}

/// The lease as it was last seen to change.
#[derive(Clone, Debug)]
struct Seen {
    /// None if there is no lease.
    lease: Option<Lease>,
    /// When it was first seen so.
    since: Instant,
}

/// What a candidate is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing is known yet: look.
    Look,
    /// Write the lease: nobody holds it, its holder has fallen silent, or it is ours already.
    Take,
    /// Somebody else leads; look again then, or when the lease changes.
    Wait(Instant),
}

// === impl Elector ===

impl Elector {
    /// A candidate that has seen nothing.
    pub(super) fn new(identity: &str, timing: Timing) -> Self {
        Self { identity: identity.to_owned(), timing, seen: None }
    }

    /// Takes in the lease as it is at `now`; `None` if there is none. Only a change of its spec is a sign of life, and
    /// what is older than what was seen is no news.
    pub(super) fn observe(&mut self, lease: Option<&Lease>, now: Instant) {
        if let (Some(Seen { lease: Some(known), .. }), Some(lease)) = (&self.seen, lease)
            && known.metadata.uid == lease.metadata.uid
            && version(lease) < version(known)
        {
            return;
        }
        let since = match &self.seen {
            Some(seen) if spec(seen.lease.as_ref()) == spec(lease) => seen.since,
            _ => now,
        };
        self.seen = Some(Seen { lease: lease.cloned(), since });
    }

    /// What to do at `now`.
    pub(super) fn turn(&self, now: Instant) -> Turn {
        let Some(seen) = &self.seen else { return Turn::Look };
        let Some(LeaseSpec { holder_identity: Some(holder), lease_duration_seconds, .. }) =
            spec(seen.lease.as_ref())
        else {
            return Turn::Take;
        };
        if holder.is_empty() || *holder == self.identity {
            return Turn::Take;
        }
        // The holder's own promise counts, should it have been told another duration than we.
        let promised = lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let free = seen.since + promised.map_or(self.timing.lease, Duration::from_secs);
        if now < free { Turn::Wait(free) } else { Turn::Take }
    }

    /// Who leads as far as is known; "" if nobody does.
    pub(super) fn holder(&self) -> &str {
        let lease = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        spec(lease).and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
    }

    /// Whether the lease is ours as far as is known.
    pub(super) fn is_ours(&self) -> bool {
        self.holder() == self.identity
    }

    /// The lease as the candidate writes it to lead, and whether it is to be created: over what was seen, so that
    /// whoever was faster wins. `now` is for people to read.
    pub(super) fn taken(&self, namespace: &str, name: &str, now: MicroTime) -> (Lease, bool) {
        let seen = self.seen.as_ref().and_then(|seen| seen.lease.clone());
        let is_new = seen.is_none();
        let mut lease = seen.unwrap_or_else(|| empty(namespace, name));
        let old = lease.spec;
        let is_ours = old.holder_identity.as_deref() == Some(self.identity.as_str());
        let before = old.lease_transitions.unwrap_or(0);
        lease.spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(self.timing.lease_seconds()),
            acquire_time: if is_ours { old.acquire_time } else { Some(now) },
            renew_time: Some(now),
            lease_transitions: Some(if is_ours || is_new { before } else { before.saturating_add(1) }),
            ..old
        };
        (lease, is_new)
    }

    /// The lease as the candidate writes it to step down; `None` if it is not ours.
    pub(super) fn released(&self, now: MicroTime) -> Option<Lease> {
        let mut lease = self.seen.as_ref()?.lease.clone().filter(|_| self.is_ours())?;
        lease.spec = LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            acquire_time: Some(now),
            renew_time: Some(now),
            ..lease.spec
        };
        Some(lease)
    }
}

fn spec(lease: Option<&Lease>) -> Option<&LeaseSpec> {
    lease.map(|lease| &lease.spec)
}

/// A version is a revision of the store, and those grow.
fn version(lease: &Lease) -> u64 {
    lease.metadata.resource_version.parse().unwrap_or(0)
}

fn empty(namespace: &str, name: &str) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.namespace = namespace.to_owned();
    lease.metadata.name = name.to_owned();
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing::DEFAULT;

    fn at(seconds: i64) -> MicroTime {
        MicroTime { seconds, nanos: 0 }
    }

    /// A lease held by `holder`, renewed at `renewed` by its holder's clock, in version `version`.
    fn held(holder: &str, renewed: i64, version: u64) -> Lease {
        let mut lease = empty("kube-system", "x");
        lease.metadata.uid = "u".to_owned();
        lease.metadata.resource_version = version.to_string();
        lease.spec = LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            acquire_time: Some(at(1)),
            renew_time: Some(at(renewed)),
            lease_transitions: Some(4),
            ..LeaseSpec::default()
        };
        lease
    }

    #[test]
    fn a_turn_depends_on_what_was_seen_and_when_but_on_no_clock_in_it() {
        let start = Instant::now();
        let s = |seconds| start + Duration::from_secs(seconds);
        let mut short = held("other", 5, 1);
        short.spec.lease_duration_seconds = Some(3);
        let mut odd = held("other", 5, 1);
        odd.spec.lease_duration_seconds = Some(-3);
        let mut nobody = held("", 5, 1);
        nobody.spec.holder_identity = None;
        // What is seen, and when; what to do when.
        type Case = (&'static str, Vec<(Option<Lease>, u64)>, u64, Turn);
        let table: Vec<Case> = vec![
            ("nothing seen", vec![], 0, Turn::Look),
            ("no lease", vec![(None, 0)], 0, Turn::Take),
            ("released", vec![(Some(held("", 5, 1)), 0)], 0, Turn::Take),
            ("held by nobody", vec![(Some(nobody), 0)], 0, Turn::Take),
            ("ours, from an answer we did not get", vec![(Some(held("me", 5, 1)), 0)], 0, Turn::Take),
            ("just seen", vec![(Some(held("other", 5, 1)), 0)], 14, Turn::Wait(s(15))),
            ("silent since it was seen", vec![(Some(held("other", 5, 1)), 0)], 15, Turn::Take),
            (
                "its clock is a year late",
                vec![(Some(held("other", -31_536_000, 1)), 0)],
                14,
                Turn::Wait(s(15)),
            ),
            ("its clock is a year early", vec![(Some(held("other", 31_536_000, 1)), 0)], 15, Turn::Take),
            (
                "renewed",
                vec![(Some(held("other", 5, 1)), 0), (Some(held("other", 7, 2)), 10)],
                24,
                Turn::Wait(s(25)),
            ),
            (
                "renewed with a clock that goes backwards",
                vec![(Some(held("other", 5, 1)), 0), (Some(held("other", 3, 2)), 10)],
                24,
                Turn::Wait(s(25)),
            ),
            (
                "seen again is no sign of life",
                vec![(Some(held("other", 5, 1)), 0), (Some(held("other", 5, 1)), 10)],
                15,
                Turn::Take,
            ),
            (
                "labelled is no sign of life",
                vec![(Some(held("other", 5, 1)), 0), (Some(held("other", 5, 2)), 10)],
                15,
                Turn::Take,
            ),
            (
                "an older state that comes late",
                vec![(Some(held("other", 7, 9)), 0), (Some(held("", 5, 8)), 1)],
                2,
                Turn::Wait(s(15)),
            ),
            ("deleted", vec![(Some(held("other", 5, 1)), 0), (None, 1)], 1, Turn::Take),
            ("the holder's own duration", vec![(Some(short), 0)], 2, Turn::Wait(s(3))),
            ("a duration that makes no sense", vec![(Some(odd), 0)], 2, Turn::Wait(s(15))),
        ];
        for (name, seen, now, expected) in table {
            let mut elector = Elector::new("me", TIMING);
            for (lease, when) in seen {
                elector.observe(lease.as_ref(), s(when));
            }
            assert_eq!(elector.turn(s(now)), expected, "{name}");
        }
    }

    #[test]
    fn a_lease_is_written_over_what_was_seen() {
        let seen = |lease: Option<Lease>| {
            let mut elector = Elector::new("me", TIMING);
            elector.observe(lease.as_ref(), Instant::now());
            elector
        };
        let facts = |(lease, is_new): (Lease, bool)| {
            let (spec, version) = (lease.spec, lease.metadata.resource_version);
            let times = (spec.acquire_time.unwrap().seconds, spec.renew_time.unwrap().seconds);
            (is_new, version, times, spec.lease_transitions.unwrap())
        };
        let taken = |elector: &Elector| facts(elector.taken("kube-system", "x", at(50)));
        assert_eq!(taken(&seen(None)), (true, String::new(), (50, 50), 0), "the first");
        assert_eq!(
            taken(&seen(Some(held("other", 5, 8)))),
            (false, "8".to_owned(), (50, 50), 5),
            "taken over"
        );
        assert_eq!(
            taken(&seen(Some(held("", 5, 8)))),
            (false, "8".to_owned(), (50, 50), 5),
            "released before"
        );
        assert_eq!(taken(&seen(Some(held("me", 5, 8)))), (false, "8".to_owned(), (1, 50), 4), "renewed");
        assert_eq!(seen(Some(held("other", 5, 8))).released(at(50)), None);
        let released = seen(Some(held("me", 5, 8))).released(at(50)).unwrap();
        assert_eq!(released.spec.holder_identity.as_deref(), Some(""));
        assert_eq!(
            (released.spec.lease_transitions, released.spec.lease_duration_seconds),
            (Some(4), Some(1))
        );
    }
}
