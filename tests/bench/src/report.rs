//! What is printed: our figure, the limit beside it, and their ratio.

use std::time::Duration;

use crate::process;

/// Which way is better.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// Events per second: more is better.
    PerSecond,
    /// Megabytes (10⁶) per second: more is better.
    MegabytesPerSecond,
    /// Milliseconds: less is better.
    Milliseconds,
    /// Microseconds: less is better.
    Microseconds,
    /// Percent of one core: less is better.
    PercentOfCore,
    /// MiB: less is better.
    Mebibytes,
    /// Kilobytes (10³): less is better.
    Kilobytes,
}

/// Begins a section. Says how busy the machine is: figures taken beside other work are worth little.
pub(crate) fn section(title: &str) {
    println!("\n== {title} (load before: {:.1})", process::machine_load());
    println!("   {:<56} {:>12} {:>12} {:>7}", "", "ours", "limit", "ratio");
}

/// Our figure, what could be had at best, and the first divided by the second.
pub(crate) fn row(what: &str, unit: Unit, ours: f64, limit: f64) {
    let what = format!("{what}, {}", unit.name());
    let ratio = if limit > 0.0 { format!("{:.2}", ours / limit) } else { "-".to_owned() };
    println!("   {what:<56} {:>12} {:>12} {ratio:>7}", number(ours), number(limit));
}

/// The same, of times.
pub(crate) fn times(what: &str, unit: Unit, ours: Duration, limit: Duration) {
    row(what, unit, unit.of(ours), unit.of(limit));
}

/// A figure of ours that stands alone.
pub(crate) fn alone(what: &str, unit: Unit, ours: f64) {
    let what = format!("{what}, {}", unit.name());
    println!("   {what:<56} {:>12}", number(ours));
}

/// A sentence.
pub(crate) fn note(text: &str) {
    println!("   {text}");
}

/// Three digits, at least.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

// === impl Unit ===

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "per s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::PercentOfCore => "% of a core",
            Self::Mebibytes => "MiB",
            Self::Kilobytes => "kB",
        }
    }

    /// A time in this unit; in seconds if it is none of times.
    fn of(self, time: Duration) -> f64 {
        let seconds = time.as_secs_f64();
        match self {
            Self::Milliseconds => seconds * 1e3,
            Self::Microseconds => seconds * 1e6,
            _ => seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        let cases = [
            (0.0, "0"),
            (0.234, "0.23"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (1234.5, "1234"),
            (-3.0, "-3.00"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn times_are_in_their_unit() {
        let time = Duration::from_micros(1500);
        assert_eq!((Unit::Milliseconds.of(time), Unit::Microseconds.of(time)), (1.5, 1500.0));
    }
}
