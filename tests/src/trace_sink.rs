//! `keelson trace-sink`, in a process of its own, and what has come there.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use keelson_trace_sink::SinkClient;
use keelson_trace_sink::span::{PodName, Summary, Trace};

use crate::{Output, processes, up};

/// `keelson trace-sink`, in a process of its own. Killed when dropped.
#[derive(Debug)]
pub struct TraceSink {
    child: Child,
    endpoint: String,
    page: String,
    runtime: tokio::runtime::Runtime,
}

// === impl TraceSink ===

impl TraceSink {
    /// Starts it on ports of its own, and waits until it says which.
    ///
    /// # Panics
    /// If it does not start.
    #[track_caller]
    pub fn start() -> Self {
        let mut command = Command::new(up::binary());
        command.args(["trace-sink", "--listen", "127.0.0.1:0", "--page", "127.0.0.1:0"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("keelson starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("it says where it listens");
        let mut addresses =
            line.split([' ', ')', '\n']).filter(|word| word.parse::<std::net::SocketAddr>().is_ok());
        let mut address =
            || format!("http://{}", addresses.next().unwrap_or_else(|| panic!("no address in {line:?}")));
        let (endpoint, page) = (address(), address());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { child, endpoint, page, runtime }
    }

    /// What to give to --otlp-endpoint.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where it shows its traces.
    pub fn page(&self) -> &str {
        &self.page
    }

    /// The traces of a pod, the latest first.
    ///
    /// # Panics
    /// If it does not answer.
    #[track_caller]
    pub fn of_pod(&self, namespace: &str, name: &str) -> Vec<Summary> {
        let pod = PodName { namespace: namespace.to_owned(), name: name.to_owned() };
        self.runtime.block_on(self.client().list(Some(&pod))).expect("the sink answers")
    }

    /// All traces, the latest first.
    ///
    /// # Panics
    /// If it does not answer.
    #[track_caller]
    pub fn all(&self) -> Vec<Summary> {
        self.runtime.block_on(self.client().list(None)).expect("the sink answers")
    }

    /// A trace.
    ///
    /// # Panics
    /// If it does not answer.
    #[track_caller]
    pub fn trace(&self, id: &str) -> Option<Trace> {
        self.runtime.block_on(self.client().trace(id)).expect("the sink answers")
    }

    /// Runs `keelson trace` with these arguments.
    #[track_caller]
    pub fn ask(&self, args: &[&str]) -> Output {
        Output::of(Command::new(up::binary()).arg("trace").args(["--sink", &self.page]).args(args), "")
    }

    fn client(&self) -> SinkClient {
        SinkClient::new(&self.page).expect("an address")
    }
}

impl Drop for TraceSink {
    fn drop(&mut self) {
        processes::stop(&mut self.child);
    }
}
