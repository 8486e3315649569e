//! What is to be said of a certificate's end, and when to look again.

use std::time::{Duration, SystemTime};

use crate::tls::validity::{seconds, time_text};
use crate::tls::{Age, Validity};

/// A certificate is spoken of once in so long.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// An authority that ends is spoken of this long before: replacing it takes its time.
const AUTHORITY: Duration = Duration::from_secs(180 * 24 * 3600);

/// What is to be said of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    what: Option<What>,
    /// How long nothing new can be said.
    pub(super) rest: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// It will end.
    Ends(String),
    /// It cannot be used.
    Useless(String),
}

// === impl Notice ===

impl Notice {
    /// Of a certificate that this process presents.
    pub(super) fn own(name: &str, validity: Validity, now: SystemTime) -> Self {
        Self::new(
            &format!("the certificate {name}"),
            "renew it with `keelson pki`",
            validity,
            validity.aging_from(),
            now,
        )
    }

    /// Of an authority that is trusted here.
    pub(super) fn authority(validity: Validity, now: SystemTime) -> Self {
        let from = validity.not_after - i64::try_from(AUTHORITY.as_secs()).unwrap_or_default();
        Self::new("the authority ca.crt", "replace it", validity, from, now)
    }

    fn new(what: &str, remedy: &str, validity: Validity, ends_from: i64, now: SystemTime) -> Self {
        let end = time_text(validity.not_after);
        let (what, next) = match validity.age(now) {
            Age::Expired => (
                Some(What::Useless(format!("{what} expired at {end}: no peer accepts it; {remedy}"))),
                i64::MAX,
            ),
            Age::NotYetValid => {
                let from = time_text(validity.not_before);
                let text = format!("{what} is valid from {from} on only: set this host's clock right");
                (Some(What::Useless(text)), validity.not_before)
            }
            _ if seconds(now) < ends_from => (None, ends_from),
            _ => (
                Some(What::Ends(format!(
                    "{what} expires at {end}, {}: {remedy}",
                    in_words(validity.left(now))
                ))),
                validity.not_after + 1,
            ),
        };
        let until = next.saturating_sub(seconds(now));
        let rest = Duration::from_secs(u64::try_from(until).unwrap_or_default());
        Self { what, rest: rest.clamp(Duration::from_secs(1), DAY) }
    }

    /// Writes it to the log.
    pub(super) fn tell(&self) {
        match &self.what {
            Some(What::Ends(text)) => tracing::warn!("{text}"),
            Some(What::Useless(text)) => tracing::error!("{text}"),
            None => {}
        }
    }
}

fn in_words(left: Duration) -> String {
    match left.as_secs() {
        seconds if seconds < 120 => format!("in {seconds} seconds"),
        seconds if seconds < 7200 => format!("in {} minutes", seconds / 60),
        seconds if seconds < 2 * DAY.as_secs() => format!("in {} hours", seconds / 3600),
        seconds => format!("in {} days", seconds / DAY.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const D: i64 = 24 * 3600;

    fn at(days: i64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(days * D).unwrap())
    }

    #[test]
    fn notice_table() {
        let validity = Validity { not_before: 10 * D, not_after: 310 * D };
        let table = [
            ("before it begins", 9, Some("valid from 1970-01-11T00:00:00Z on only"), D),
            ("long before it begins", 1, Some("valid from"), D),
            ("at first", 10, None, D),
            ("a day before the last third", 209, None, D),
            ("in the last third", 210, Some("expires at 1970-11-07T00:00:00Z, in 100 days: renew it"), D),
            ("on the last day", 309, Some("in 24 hours"), D),
            ("in the last second", 310, Some("in 0 seconds"), 1),
            ("after it", 311, Some("expired at 1970-11-07T00:00:00Z"), D),
        ];
        for (name, day, expected, rest) in table {
            let notice = Notice::own("api", validity, at(day));
            let text = match &notice.what {
                Some(What::Ends(text) | What::Useless(text)) => Some(text.clone()),
                None => None,
            };
            assert_eq!(text.is_some(), expected.is_some(), "{name}: {text:?}");
            assert!(text.unwrap_or_default().contains(expected.unwrap_or_default()), "{name}");
            assert_eq!(notice.rest.as_secs(), u64::try_from(rest).unwrap(), "{name}");
        }
    }

    #[test]
    fn short_lives_are_looked_at_often_and_authorities_late() {
        let short = Validity { not_before: 0, not_after: 30 };
        let rest = |now| Notice::own("x", short, UNIX_EPOCH + Duration::from_secs(now)).rest.as_secs();
        assert_eq!([rest(0), rest(19), rest(20), rest(29)], [20, 1, 11, 2]);
        let ca = Validity { not_before: 0, not_after: 3650 * D };
        assert_eq!(Notice::authority(ca, at(3400)).what, None);
        assert!(
            matches!(Notice::authority(ca, at(3500)).what, Some(What::Ends(text)) if text.contains("150 days"))
        );
    }
}
