//! kubectl, of every age that this machine has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::{Output, Stream, Table, Target};

/// Where the binaries are looked for, besides what `tests/run` has unpacked into `target/tools`.
const PLACES: [&str; 2] = ["/usr/bin", "/usr/lib/google-cloud-sdk/bin"];

/// A kubectl binary.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// Its minor version: 20 for v1.20.
    pub minor: u32,
    /// Where it is.
    pub path: PathBuf,
}

/// A person who works with one kubectl in one namespace of one target.
#[derive(Debug)]
pub struct Session {
    /// The binary.
    pub kubectl: Kubectl,
    /// The namespace that commands mean unless they say otherwise.
    pub namespace: String,
    kubeconfig: PathBuf,
    home: TempDir,
}

// === impl Kubectl ===

impl Kubectl {
    /// Every kubectl that is to be found, one of each version, oldest first; or those that `KEELSON_KUBECTLS`
    /// (paths with colons between them) names.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn all() -> Vec<Self> {
        let paths = match std::env::var_os("KEELSON_KUBECTLS") {
            Some(paths) => std::env::split_paths(&paths).collect(),
            None => found(),
        };
        let versions: BTreeMap<u32, PathBuf> =
            paths.into_iter().filter_map(|path| Some((minor_version(&path)?, path))).collect();
        assert!(!versions.is_empty(), "there is no kubectl; tests/run installs one");
        versions.into_iter().map(|(minor, path)| Self { minor, path }).collect()
    }

    /// The newest of them.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn newest() -> Self {
        Self::all().pop().expect("at least one")
    }

    /// Begins to work in a namespace, which is made.
    #[track_caller]
    pub fn in_new_namespace(&self, target: &Target, name: &str) -> Session {
        let mut session = self.clone().session(target);
        session.ok(&format!("create namespace {name}"));
        name.clone_into(&mut session.namespace);
        session
    }

    /// Begins to work in the namespace `default`.
    pub fn session(self, target: &Target) -> Session {
        Session {
            kubectl: self,
            namespace: "default".to_owned(),
            kubeconfig: target.kubeconfig().to_path_buf(),
            home: tempfile::tempdir().expect("a temporary directory"),
        }
    }
}

// === impl Session ===

impl Session {
    /// Runs a command, given as one would type it: words, and '…' around what holds spaces.
    #[track_caller]
    pub fn run(&self, line: &str, stdin: &str) -> Output {
        Output::of(&mut self.command(line), stdin)
    }

    /// What a command prints; it must succeed.
    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        self.run(line, "").ok()
    }

    /// The same, with a standard input.
    #[track_caller]
    pub fn ok_with(&self, line: &str, stdin: &str) -> String {
        self.run(line, stdin).ok()
    }

    /// What a command complains about; it must fail.
    #[track_caller]
    pub fn fails(&self, line: &str) -> String {
        self.run(line, "").fails()
    }

    /// The table that a command prints.
    #[track_caller]
    pub fn table(&self, line: &str) -> Table {
        Table::parse(&self.ok(line))
    }

    /// The object that a command prints, by `-o json`.
    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        let text = self.ok(&format!("{line} -o json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error} in {text}"))
    }

    /// A command that goes on printing.
    #[track_caller]
    pub fn stream(&self, line: &str) -> Stream {
        Stream::of(&mut self.command(line))
    }

    /// A command that opens the object in an editor: a shell command that is given the file's name.
    #[track_caller]
    pub fn edit(&self, line: &str, editor: &str) -> Output {
        Output::of(self.command(line).env("KUBE_EDITOR", editor), "")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.kubectl.path);
        command
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig);
        let words = words(line);
        if !words.iter().any(|word| word == "-n" || word == "-A") {
            command.arg("--namespace").arg(&self.namespace);
        }
        command.args(words);
        command
    }
}

fn found() -> Vec<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    let mut paths = Vec::new();
    for dir in PLACES.map(PathBuf::from).into_iter().chain([tools]) {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        paths.extend(entries.map(|entry| entry.path()).filter(|path| is_kubectl(path)));
    }
    paths
}

fn is_kubectl(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == "kubectl" || name.starts_with("kubectl.1.") || name.starts_with("kubectl-1.")
}

/// The version that a binary says it is of; None if it only passes calls on to others, as a cloud SDK's does.
fn minor_version(path: &Path) -> Option<u32> {
    let output = Output::of(Command::new(path).args(["version", "--client", "--output=json"]), "");
    let version: Value = serde_json::from_str(&output.stdout).ok()?;
    let full = version["clientVersion"]["gitVersion"].as_str()?;
    if full.contains("dispatcher") {
        return None;
    }
    full.strip_prefix("v1.")?.split('.').next()?.parse().ok()
}

/// The words of a command line, with '…' around what holds spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        let quoted = index % 2 == 1;
        match quoted {
            true => words.push(part.to_owned()),
            false => words.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    words
}
