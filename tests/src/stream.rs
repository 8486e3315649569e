//! A program that goes on printing: a watch, followed logs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::{output, processes};

/// How long a line is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program, read line by line. Killed when dropped.
#[derive(Debug)]
pub struct Stream {
    command: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

// === impl Stream ===

impl Stream {
    /// Starts a program.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        let spelled = output::spell(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot run {spelled}: {error}"),
        };
        let (tx, lines) = channel();
        let forward = |from: Box<dyn Read + Send>| {
            let tx = tx.clone();
            std::thread::spawn(move || {
                let lines = BufReader::new(from).lines();
                lines.map_while(Result::ok).try_for_each(|line| tx.send(line).ok())
            });
        };
        forward(Box::new(child.stdout.take().expect("a pipe")));
        forward(Box::new(child.stderr.take().expect("a pipe")));
        Self { command: spelled, child, lines, seen: Vec::new() }
    }

    /// Reads until a line in which this holds; answers with the line.
    ///
    /// # Panics
    /// With all that was read, if there is none within half a minute.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if holds(&line) {
                        return line;
                    }
                }
                Err(cause) => {
                    panic!("{}: {} without {what}; it printed\n{}", self.command, why(cause), self.said())
                }
            }
        }
    }

    /// Reads until a line that contains this; answers with the line.
    ///
    /// # Panics
    /// As [`until`](Self::until).
    #[track_caller]
    pub fn until_contains(&mut self, text: &str) -> String {
        self.until(&format!("{text:?}"), |line| line.contains(text))
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Panics
    /// If it goes on for half a minute.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let ended = processes::wait(&mut self.child, PATIENCE);
        self.seen.extend(self.lines.iter());
        ended.unwrap_or_else(|| panic!("{} goes on; it printed\n{}", self.command, self.said()))
    }

    /// All that was read until now.
    pub fn said(&self) -> String {
        self.seen.join("\n")
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        processes::stop(&mut self.child);
    }
}

fn why(cause: RecvTimeoutError) -> &'static str {
    match cause {
        RecvTimeoutError::Timeout => "half a minute went by",
        RecvTimeoutError::Disconnected => "it ended",
    }
}
