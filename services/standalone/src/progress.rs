//! What a person sees while a cluster starts: one line for each thing done, with the time it took.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Tells of progress on standard error, or nobody.
#[derive(Debug)]
pub struct Progress {
    last: Option<Mutex<Instant>>,
}

// === impl Progress ===

impl Progress {
    /// Tells a person.
    pub fn shown() -> Self {
        Self { last: Some(Mutex::new(Instant::now())) }
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Self { last: None }
    }

    /// Something has been done.
    pub fn done(&self, what: impl Display) {
        if let Some(took) = self.lap() {
            tell(format_args!("  ok {:>8}  {what}", format!("{} ms", took.as_millis())));
        }
    }

    /// Something is worth knowing.
    pub fn note(&self, what: impl Display) {
        if self.last.is_some() {
            tell(format_args!("   !            {what}"));
        }
    }

    fn lap(&self) -> Option<Duration> {
        // A panic elsewhere cannot leave an instant half written.
        let mut last = self.last.as_ref()?.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let took = last.elapsed();
        *last = Instant::now();
        Some(took)
    }
}

/// Writes a line on standard error. Nobody need listen: a closed pipe must not keep a cluster from cleaning up.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
