//! When to stop: SIGINT or SIGTERM. A second one means now.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{self, SignalKind};

use crate::tasks::{TaskError, Tasks};

/// A request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, from a terminal.
    Interrupt,
    /// SIGTERM, from whoever supervises the process.
    Terminate,
}

/// Hears every SIGINT and SIGTERM from its creation on; none is lost between two calls of [`Signals::next`].
#[derive(Debug)]
pub struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

// === impl Signals ===

impl Signals {
    /// Takes the two signals away from their default, which is to kill the process.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

/// The first SIGINT or SIGTERM from now on. Whoever wants the second too uses [`Signals`].
pub async fn shutdown_signal() -> io::Result<Signal> {
    Ok(Signals::listen()?.next().await)
}

/// The life of a process after everything is spawned: waits for a signal or the failure of a critical task, drains
/// under `grace`, and returns how that went. A second signal ends the wait: what still runs is left to process exit.
pub async fn run_until_shutdown(
    tasks: &Tasks,
    mut signals: Signals,
    grace: Duration,
) -> Result<(), TaskError> {
    tokio::select! {
        signal = signals.next() => tracing::info!(?signal, ?grace, "stopping; once more stops now"),
        _ = tasks.failed() => {}
        () = tasks.draining() => {}
    }
    tokio::select! {
        joined = tasks.join(grace) => joined,
        _ = signals.next() => Err(TaskError::Overran { grace, tasks: tasks.running() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_ends_the_run_without_a_signal() {
        let tasks = Tasks::new();
        tasks.spawn_critical("api", async { Err::<(), _>("disk is full") });
        let ended = run_until_shutdown(&tasks, Signals::listen().unwrap(), Duration::from_secs(1)).await;
        assert_eq!(ended.unwrap_err().to_string(), "task \"api\" failed: disk is full");
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_begun_inside_ends_the_run_cleanly() {
        let tasks = Tasks::new();
        let drain = tasks.drain();
        tasks.spawn_critical("api", async move { drain.signaled().await });
        tasks.shutdown();
        run_until_shutdown(&tasks, Signals::listen().unwrap(), Duration::from_secs(1)).await.unwrap();
    }
}
