//! A Prometheus of one's own, and its linter.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stack::ports;
use crate::{Output, Target, eventually, processes};

/// How often it scrapes: often, so that a rate is soon known.
const INTERVAL: &str = "500ms";

/// How long it may take to start, and to have scraped everything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Prometheus of one's own: Debian's, as `tests/run` unpacks it. Killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    child: Child,
    dir: TempDir,
}

/// What is scraped under one name.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// The label `job` of what it tells.
    pub job: String,
    /// Where it is, as `host:port` each.
    pub addresses: Vec<String>,
    /// Whether by TLS with the administrator's certificate; else in plain HTTP.
    pub tls: bool,
}

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: Value,
    /// Its value now.
    pub value: f64,
}

// === impl Prometheus ===

impl Prometheus {
    /// Starts one that scrapes these.
    ///
    /// # Panics
    /// With its log, if it does not start.
    #[track_caller]
    pub fn start(target: &Target, scrapes: &[Scrape]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = dir.path().join("prometheus.yml");
        // JSON is YAML.
        std::fs::write(&config, configuration(target, scrapes).to_string()).expect("a file can be written");
        let log = std::fs::File::create(dir.path().join("log")).expect("a log can be written");
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let mut command = Command::new(program("prometheus"));
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}")).current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("Prometheus does not start: {error}"));
        let mut started = Self { address, child, dir };
        eventually::within(PATIENCE, || {
            let ended = started.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "Prometheus ended with {ended:?}:\n{}", started.log());
            started.get("/-/ready", &[]).success.then_some(()).ok_or_else(|| started.log())
        });
        started
    }

    /// Waits until every target has been scraped without a fault.
    ///
    /// # Panics
    /// With what Prometheus says of each, if one cannot be scraped.
    #[track_caller]
    pub fn wait_all_up(&self) {
        eventually::within(PATIENCE, || {
            let answer = self.api("/api/v1/targets", &[]);
            let targets = answer["activeTargets"].as_array().cloned().unwrap_or_default();
            let down: Vec<&Value> = targets.iter().filter(|target| target["health"] != "up").collect();
            if down.is_empty() && !targets.is_empty() { Ok(()) } else { Err(format!("{down:#?}")) }
        });
    }

    /// What an expression is worth now.
    ///
    /// # Panics
    /// If Prometheus does not understand it.
    #[track_caller]
    pub fn query(&self, expression: &str) -> Vec<Series> {
        let answer = self.api("/api/v1/query", &[("query", expression)]);
        let series = answer["result"].as_array().unwrap_or_else(|| panic!("{expression}: {answer}"));
        series.iter().map(Series::parse).collect()
    }

    /// Waits until an expression has a value in some series; answers with all that it has then.
    ///
    /// # Panics
    /// If there is none within half a minute.
    #[track_caller]
    pub fn wait_for(&self, expression: &str) -> Vec<Series> {
        eventually::within(PATIENCE, || {
            let found = self.query(expression);
            if found.is_empty() { Err(format!("nothing is {expression}")) } else { Ok(found) }
        })
    }

    #[track_caller]
    fn api(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let text = self.get(path, query).ok();
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"].clone()
    }

    #[track_caller]
    fn get(&self, path: &str, query: &[(&str, &str)]) -> Output {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", "10", "--get"]);
        for (name, value) in query {
            command.args(["--data-urlencode", &format!("{name}={value}")]);
        }
        command.arg("--fail-with-body").arg(format!("http://{}{path}", self.address));
        Output::of(&mut command, "")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Prometheus said\n{}", self.log());
        }
        processes::stop(&mut self.child);
    }
}

// === impl Series ===

impl Series {
    fn parse(json: &Value) -> Self {
        let value = json["value"][1].as_str().and_then(|value| value.parse().ok());
        Self { labels: json["metric"].clone(), value: value.unwrap_or(f64::NAN) }
    }

    /// A label's value; empty if it has none of that name.
    pub fn label(&self, name: &str) -> &str {
        self.labels[name].as_str().unwrap_or_default()
    }
}

/// Asserts that Prometheus' linter has nothing to say about a `/metrics` page in the older text format.
///
/// # Panics
/// With what it says.
#[track_caller]
pub fn lint(what: &str, metrics: &str) {
    let output = Output::of(Command::new(program("promtool")).args(["check", "metrics"]), metrics);
    assert!(output.success && output.stderr.is_empty(), "{what}: {output}");
}

fn configuration(target: &Target, scrapes: &[Scrape]) -> Value {
    let tls = json!({
        "ca_file": target.ca(), "cert_file": target.certificate(), "key_file": target.key(),
    });
    let scrape = |scrape: &Scrape| {
        let mut config = json!({
            "job_name": scrape.job,
            "scheme": if scrape.tls { "https" } else { "http" },
            "static_configs": [{"targets": scrape.addresses}],
        });
        if scrape.tls {
            config["tls_config"] = tls.clone();
        }
        config
    };
    json!({
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL},
        "scrape_configs": scrapes.iter().map(scrape).collect::<Vec<_>>(),
    })
}

/// What `tests/run` has unpacked, or that of the search path.
fn program(name: &str) -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(name);
    if unpacked.exists() { unpacked } else { PathBuf::from(name) }
}
