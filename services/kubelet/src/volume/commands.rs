//! The host's own programs, by which network file systems and disks are attached.

use std::process::Stdio;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::process::Command;

/// How long a program may take: a server that does not answer must not hold a pod's deletion up for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// How much of what a program says goes into an error.
const WORDS: usize = 512;

/// Runs the host's programs.
pub trait Commands: Send + Sync + 'static {
    /// Runs a program until it ends; what it has written to its standard output.
    fn run<'a>(&'a self, program: &'a str, args: &'a [String])
    -> BoxFuture<'a, Result<String, CommandError>>;
}

/// A program of the host did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It is not there.
    #[error("{program} cannot be run on this node: {message}; install it, or use another kind of volume")]
    Absent {
        /// The program.
        program: String,
        /// The system's words.
        message: String,
    },
    /// It failed.
    #[error("{command:?} failed ({}): {output}", code.map_or("killed".to_owned(), |code| format!("exit status {code}")))]
    Failed {
        /// The command line.
        command: String,
        /// How it ended; absent after a signal.
        code: Option<i32>,
        /// What it said.
        output: String,
    },
    /// It did not end.
    #[error("{command:?} did not end within {PATIENCE:?}")]
    Late {
        /// The command line.
        command: String,
    },
}

/// This host's programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host;

/// A command line, for people.
pub(super) fn line(program: &str, args: &[String]) -> String {
    [program].into_iter().chain(args.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

impl Commands for Host {
    fn run<'a>(
        &'a self,
        program: &'a str,
        args: &'a [String],
    ) -> BoxFuture<'a, Result<String, CommandError>> {
        run(program, args).boxed()
    }
}

async fn run(program: &str, args: &[String]) -> Result<String, CommandError> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true).env("GIT_TERMINAL_PROMPT", "0");
    let late = || CommandError::Late { command: line(program, args) };
    let ended = tokio::time::timeout(PATIENCE, command.output()).await.map_err(|_| late())?;
    let output = ended
        .map_err(|error| CommandError::Absent { program: program.to_owned(), message: error.to_string() })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stderr, output.stdout].concat();
    let said: String = String::from_utf8_lossy(&said).trim().chars().take(WORDS).collect();
    Err(CommandError::Failed { command: line(program, args), code: output.status.code(), output: said })
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Programs that do nothing but say what a test has told them to; it remembers what was run.
    #[derive(Clone, Default)]
    pub(in crate::volume) struct Scripted {
        said: Arc<Mutex<Vec<String>>>,
        /// Answers by the beginning of a command line.
        answers: Arc<Mutex<Vec<(String, Answer)>>>,
    }

    /// What a program says, or how it fails.
    type Answer = Result<String, Option<i32>>;

    impl Scripted {
        /// What was run since the last look.
        pub(in crate::volume) fn ran(&self) -> Vec<String> {
            std::mem::take(&mut *self.said.lock().unwrap())
        }

        /// Command lines that begin so are answered so from now on.
        pub(in crate::volume) fn answer(&self, begin: &str, answer: Result<&str, Option<i32>>) {
            let answer = answer.map(str::to_owned);
            self.answers.lock().unwrap().push((begin.to_owned(), answer));
        }
    }

    impl Commands for Scripted {
        fn run<'a>(
            &'a self,
            program: &'a str,
            args: &'a [String],
        ) -> BoxFuture<'a, Result<String, CommandError>> {
            let line = line(program, args);
            let answers = self.answers.lock().unwrap();
            let answer = answers.iter().rev().find(|(begin, _)| line.starts_with(begin.as_str()));
            let answer = answer.map_or(Ok(String::new()), |(_, answer)| answer.clone());
            self.said.lock().unwrap().push(line.clone());
            let failed = |code| CommandError::Failed { command: line, code, output: "no".to_owned() };
            std::future::ready(answer.map_err(failed)).boxed()
        }
    }

    #[tokio::test]
    async fn programs_say_why_they_failed() {
        let args = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(Host.run("echo", &args(&["a b"])).await.unwrap(), "a b\n");
        let failed = Host.run("sh", &args(&["-c", "echo no such disk >&2; exit 3"])).await.unwrap_err();
        assert!(failed.to_string().ends_with("failed (exit status 3): no such disk"), "{failed}");
        let absent = Host.run("no-such-program-here", &[]).await.unwrap_err();
        assert!(matches!(absent, CommandError::Absent { .. }), "{absent}");
    }
}
