//! What a program said.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::processes::{self, Ended};

/// How long any one program may take.
const PATIENCE: Duration = Duration::from_secs(50);

/// What a program said until it ended, and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command line.
    pub command: String,
    /// Whether it exited with 0.
    pub success: bool,
    /// Its exit code; None if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

// === impl Output ===

impl Output {
    /// Runs a command to its end, with this standard input.
    ///
    /// # Panics
    /// If it cannot be started, or takes too long.
    #[track_caller]
    pub fn of(command: &mut Command, stdin: &str) -> Self {
        Self::within(PATIENCE, command, stdin)
    }

    /// The same for a command that may take this long.
    ///
    /// # Panics
    /// If it cannot be started, or takes longer.
    #[track_caller]
    pub fn within(patience: Duration, command: &mut Command, stdin: &str) -> Self {
        let spelled = spell(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot run {spelled}: {error}"),
        };
        let mut input = child.stdin.take().expect("a pipe");
        let text = stdin.to_owned();
        // A program that does not read is not waited for.
        std::thread::spawn(move || input.write_all(text.as_bytes()));
        let Ended { status, stdout, stderr } = processes::end(child, patience, &spelled);
        Self { command: spelled, success: status.success(), code: status.code(), stdout, stderr }
    }

    /// What it printed; it must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.success, "{self}");
        self.stdout
    }

    /// What it complained about; it must have failed.
    #[track_caller]
    pub fn fails(self) -> String {
        assert!(!self.success, "this should have failed: {self}");
        self.stderr
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr, .. } = self;
        write!(f, "$ {command}\nexit code: {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// A command line as one would type it.
pub(crate) fn spell(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
