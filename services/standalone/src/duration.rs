//! Lengths of time as people write them.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// A positive length of time: `365d`, `12h`, `1h 30m`, `90s`, `500ms`. A day has 24 hours.
///
/// # Errors
/// One sentence on what is wrong with the text.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no length of time; write for instance 365d, 12h or 90s");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    let duration = Duration::try_from(duration).map_err(|_| wrong())?;
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_table() {
        let table = [
            ("365d", Some(365 * 24 * 3600 * 1000)),
            ("12h", Some(12 * 3600 * 1000)),
            ("1h 30m", Some(5_400_000)),
            ("90s", Some(90_000)),
            ("500ms", Some(500)),
            ("90", None),
            ("", None),
            ("0s", None),
            ("-1h", None),
            ("1 year", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).ok().map(|duration| duration.as_millis()), expected, "{text}");
        }
    }
}
