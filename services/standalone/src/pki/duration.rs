//! How long a certificate may be valid.

use std::time::Duration;

use crate::duration;

/// A length of time of at least a second, which is as precise as certificates are.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text)?;
    if duration.as_secs() == 0 { Err(format!("{text:?} is less than a second")) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_valid_for_a_second_at_least() {
        assert_eq!(parse("12h").unwrap(), Duration::from_secs(12 * 3600));
        assert!(parse("500ms").unwrap_err().contains("less than a second"));
    }
}
