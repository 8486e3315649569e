//! Moments and spans of time.
//!
//! A protobuf message can hold seconds and nanoseconds that are no moment of the calendar (years -9999 to
//! 9999). Such a time is readable and writable as protobuf; it has no JSON, where it is `null`, so that one
//! bad object cannot make a whole list unreadable. Servers refuse it at the door with `is_valid`.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use crate::json::{At, Value};
use crate::leaves::leaf;
use crate::meta::{Duration, MicroTime, Time};

leaf!(Time);
leaf!(MicroTime);
leaf!(Duration);

// === impl Time ===

impl Time {
    /// Now, in whole seconds as all of Kubernetes' times are.
    pub fn now() -> Self {
        Timestamp::now().into()
    }

    /// Whether it is a moment of the calendar, and so has a JSON form.
    pub fn is_valid(&self) -> bool {
        self.timestamp().is_some()
    }

    /// The moment to the second, if it is one.
    fn timestamp(&self) -> Option<Timestamp> {
        Timestamp::new(self.seconds, self.nanos).ok()?;
        Timestamp::from_second(self.seconds).ok()
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self { seconds: floor(at).0, nanos: 0 }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(at) => write!(f, "{at}"),
            None => no_moment(self.seconds, self.nanos, f),
        }
    }
}

impl Value for Time {
    fn is_empty(&self) -> bool {
        false
    }

    /// Go's clients send an unset time as an empty message: it is none, not the first second of 1970.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.timestamp() {
            Some(at) if self.seconds != 0 => serializer.collect_str(&at),
            _ => serializer.serialize_unit(),
        }
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
        *self = timestamp(deserializer)?.into();
        Ok(())
    }
}

// === impl MicroTime ===

impl MicroTime {
    /// Now, in whole microseconds.
    pub fn now() -> Self {
        Timestamp::now().into()
    }

    /// Whether it is a moment of the calendar, and so has a JSON form.
    pub fn is_valid(&self) -> bool {
        self.timestamp().is_some()
    }

    /// The moment, if it is one.
    fn timestamp(&self) -> Option<Timestamp> {
        Timestamp::new(self.seconds, self.nanos).ok()
    }
}

impl From<Timestamp> for MicroTime {
    fn from(at: Timestamp) -> Self {
        let (seconds, nanos) = floor(at);
        Self { seconds, nanos: nanos / 1000 * 1000 }
    }
}

impl fmt::Display for MicroTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(at) => write!(f, "{at:.6}"),
            None => no_moment(self.seconds, self.nanos, f),
        }
    }
}

impl Value for MicroTime {
    fn is_empty(&self) -> bool {
        false
    }

    /// As with `Time`, an empty message is none, not the first microsecond of 1970.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.timestamp().map(Self::from) {
            Some(at) if at != Self::default() => serializer.collect_str(&at),
            _ => serializer.serialize_unit(),
        }
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
        *self = timestamp(deserializer)?.into();
        Ok(())
    }
}

fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!("{text:?} is not a time of RFC 3339, such as 2006-01-02T15:04:05Z"))
    })
}

/// Whole seconds, and the nanoseconds after them: never negative, as protobuf wants them.
fn floor(at: Timestamp) -> (i64, i32) {
    match (at.as_second(), at.subsec_nanosecond()) {
        (seconds, nanos @ ..0) => (seconds - 1, nanos + 1_000_000_000),
        whole => whole,
    }
}

/// How a time reads that is none; `Display` must not fail, since `to_string` panics if it does.
fn no_moment(seconds: i64, nanos: i32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "no time ({seconds}s and {nanos}ns after 1970)")
}

// === impl Duration ===

impl Value for Duration {
    fn is_empty(&self) -> bool {
        false
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D, _: &At<'_>) -> Result<(), D::Error> {
        let text = String::deserialize(deserializer)?;
        let span: jiff::SignedDuration = text
            .parse()
            .map_err(|_| D::Error::custom(format!("{text:?} is not a duration, such as 1m30s")))?;
        self.duration = i64::try_from(span.as_nanos()).map_err(|_| {
            D::Error::custom(format!("{text:?} is longer than 292 years, the longest duration"))
        })?;
        Ok(())
    }
}

/// Hours, minutes and seconds in the notation of Go: 1h0m30s, 1.5s. Every duration has this form.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) =
            (self.duration.unsigned_abs() / 1_000_000_000, self.duration.unsigned_abs() % 1_000_000_000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if self.duration < 0 {
            f.write_str("-")?;
        }
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}", seconds % 60)?;
        if nanos > 0 {
            write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))?;
        }
        f.write_str("s")
    }
}

#[cfg(test)]
mod tests;
