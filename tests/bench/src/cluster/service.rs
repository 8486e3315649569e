//! One process of a cluster, and what it says.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::mpsc;

/// How long a start, the demo or a stop may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Lines that may wait to be read; further ones are lost, so that the process never waits for this bench.
const LINES: usize = 1024;

/// One process of a cluster. Ctrl-C'd when dropped, and waited for.
#[derive(Debug)]
pub(crate) struct Service {
    /// What it is: `keelson` if it is all of the cluster, else `api`, `gateway` and so on.
    pub(crate) name: &'static str,
    child: Child,
    lines: mpsc::Receiver<(Instant, String)>,
}

// === impl Service ===

impl Service {
    /// Starts it, and listens to what it says.
    pub(super) fn start(name: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (tx, lines) = mpsc::channel(LINES);
        read(child.stdout.take(), tx.clone());
        read(child.stderr.take(), tx);
        Ok(Self { name, child, lines })
    }

    /// The next line with this text, and when it came.
    pub(super) async fn wait_for(&mut self, text: &str) -> anyhow::Result<(Instant, String)> {
        let mut said = Vec::new();
        let find = async {
            while let Some((at, line)) = self.lines.recv().await {
                if line.contains(text) {
                    return Some((at, line));
                }
                said.push(line);
            }
            None
        };
        let found = tokio::time::timeout(PATIENCE, find).await;
        let name = self.name;
        match found {
            Ok(Some(found)) => Ok(found),
            Ok(None) => bail!("{name} ended before it said {text:?}; it said:\n{}", said.join("\n")),
            Err(_) => bail!(
                "{name} did not say {text:?} within {} s, but:\n{}",
                PATIENCE.as_secs(),
                said.join("\n")
            ),
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, without waiting.
    pub(super) fn interrupt(&self) {
        let Ok(pid) = i32::try_from(self.child.id()) else { return };
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        self.interrupt();
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        eprintln!(
            "{} did not stop within {} s and is killed; containers may be left",
            self.name,
            PATIENCE.as_secs()
        );
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes lines on until the process closes its end.
fn read(from: Option<impl Read + Send + 'static>, lines: mpsc::Sender<(Instant, String)>) {
    let Some(from) = from else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Nobody waits for lines most of the time.
            let _ = lines.try_send((Instant::now(), line));
        }
    });
}
