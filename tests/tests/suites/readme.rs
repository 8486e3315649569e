//! The README's commands, typed as they stand there: on Docker, with the ports and directories of a newcomer.
//!
//! Every block of commands is in [`BLOCKS`], with who runs it. What is typed here runs in one directory and one home,
//! in the README's order.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keelson_tests::{Kubectl, Output, docker, keelson};

/// Who runs a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    /// The script of this name, below.
    Script(&'static str),
    /// These tests, or this program.
    Others(&'static str),
}

/// Each block by how its first line begins.
const BLOCKS: [(&str, Runner); 12] = [
    ("cargo run --release -- up --demo", Runner::Script("up")),
    ("export KUBECONFIG", Runner::Script("up")),
    ("pki=~/.keelson/pki", Runner::Script("up")),
    ("creds=", Runner::Script("up")),
    ("mkdir -p ~/keelson-client", Runner::Script("up")),
    ("import os, grpc", Runner::Script("up")),
    (
        "grpc.secure_channel(address",
        Runner::Others("the suite python, which connects to services of their own so"),
    ),
    ("keelson pki --pki-dir", Runner::Script("apart")),
    ("tests/images", Runner::Others("the suite compose")),
    ("helm lint", Runner::Others("the suite chart; helm install needs a cluster that has Deployments")),
    ("keelson trace-sink &", Runner::Script("trace")),
    ("cargo build --release -p keelson-standalone", Runner::Others("whoever measures")),
];

/// How long a person goes on, in seconds.
const PATIENCE: &str = "200";

/// What a person does beside typing: starts what lasts in a terminal of its own and waits until it is ready, looks at a
/// watch for a while, and presses Ctrl-C at the end.
const PERSON: &str = r#"
set -euo pipefail
patiently() {
    for _ in $(seq 600); do ! "$@" || return 0; sleep 0.1; done
    echo "waited for a minute in vain: $*"; cat "$said"; return 1
}
for_a_while() { local status=0; timeout 5 "$@" || status=$?; [ $status = 124 ] || return $status; }
curl() {
    case " $* " in
        *" -N "*) for_a_while curl --fail "$@" ;;
        *) command curl --fail --silent --show-error "$@" ;;
    esac
}
grpcurl() { case "$*" in *Watch) for_a_while grpcurl "$@" ;; *) command grpcurl "$@" ;; esac; }
keelson() {
    case $1 in
        pki | trace | cleanup) command keelson "$@"; return ;;
    esac
    : > "$said.$1"
    command keelson "$@" >> "$said.$1" 2>&1 &
    echo $! >> "$pids"
}
cargo() { shift 3; keelson "$@"; }
ready() { patiently grep -q 'Ctrl-C stops it' "$said.up"; }
stop() {
    local status=$? pid
    [ $status = 0 ] || tail -n 40 "$said".*
    for pid in $(tac "$pids"); do kill -INT "$pid" 2> /dev/null || continue; tail --pid="$pid" -f /dev/null; done
    return $status
}
trap stop EXIT
trap "exit 124" TERM
touch "$pids"
"#;

/// A directory for a person: programs on the path, a home, and the README's own tree within reach.
struct Desk {
    dir: tempfile::TempDir,
}

struct Block {
    line: usize,
    language: String,
    text: String,
}

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn blocks() -> Vec<Block> {
    let readme = std::fs::read_to_string(tree().join("README.md")).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in readme.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block { line: at + 1, language: language.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    blocks.retain(|block| ["sh", "python"].contains(&block.language.as_str()));
    blocks
}

fn runner(block: &Block) -> Option<Runner> {
    BLOCKS.iter().find(|(begins, _)| block.text.starts_with(begins)).map(|(_, runner)| *runner)
}

/// The blocks that a script types, as bash reads them.
fn script(name: &'static str) -> String {
    let blocks = blocks().into_iter().filter(|block| runner(block) == Some(Runner::Script(name)));
    let spelled = blocks.map(|block| match block.language.as_str() {
        "python" => format!("cat > client.py <<'END'\n{}END\npython3 client.py\n", block.text),
        // The README's second command is what runs this.
        _ => block.text.lines().filter(|line| !line.starts_with("tests/run")).fold(String::new(), typed_line),
    });
    spelled.collect()
}

/// Whoever starts a cluster waits until it says what to type next.
fn typed_line(text: String, line: &str) -> String {
    let starts = line.starts_with("cargo run") || line.starts_with("keelson up");
    format!("{text}{line}\n{}", if starts { "ready\n" } else { "" })
}

// === impl Desk ===

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tools = tree().join("target/tools");
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        let desk = Self { dir };
        for (name, program) in [
            ("keelson", keelson()),
            ("kubectl", Kubectl::newest().path),
            ("grpcurl", tools.join("grpcurl")),
            ("python3", tools.join("venv/bin/python")),
        ] {
            // Not a link: Python finds its environment by the path that it was called by.
            let text = format!("#!/bin/sh\nexec '{}' \"$@\"\n", program.display());
            let path = desk.dir.path().join("bin").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::symlink(tree().join("proto"), desk.dir.path().join("proto")).unwrap();
        desk
    }

    /// Types a script, and what follows it.
    #[track_caller]
    fn types(&self, name: &'static str, then: &str) -> String {
        let dir = self.dir.path();
        // Ends by itself, and with it all that it has started.
        let mut command = Command::new("timeout");
        let path = format!("{}:{}", dir.join("bin").display(), std::env::var("PATH").unwrap());
        command
            .args([PATIENCE, "bash", "-c", &format!("{PERSON}{}{then}", script(name))])
            .current_dir(dir)
            .env("PATH", path);
        command.env("HOME", dir).env("said", dir.join("said")).env("pids", dir.join(format!("pids-{name}")));
        // As the first block of commands has exported it; the others follow in the same terminal.
        command.env("KUBECONFIG", dir.join(".keelson/kubeconfig"));
        for variable in ["KEELSON_DATA_DIR", "KEELSON_STORE", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
            command.env_remove(variable);
        }
        Output::within(Duration::from_secs(240), &mut command, "").ok()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for at in [".keelson/cluster-id", "pki/cluster-id"] {
            if let Ok(id) = std::fs::read_to_string(self.dir.path().join(at)) {
                docker::remove_cluster(id.trim());
            }
        }
    }
}

#[test]
fn every_block_of_commands_has_somebody_who_runs_it() {
    let blocks = blocks();
    for block in &blocks {
        assert!(runner(block).is_some(), "README.md:{}: nobody runs\n{}", block.line, block.text);
    }
    for (begins, runner) in BLOCKS {
        let found = blocks.iter().filter(|block| block.text.starts_with(begins)).count();
        assert_eq!(found, 1, "{begins:?} ({runner:?}) is not in the README once");
    }
}

#[test]
fn what_a_newcomer_types_works() {
    let desk = Desk::new();
    let said = desk.types("up", "");
    for part in
        ["my-app-", "pod/hello condition met", "\"ADDED\"", "keelson.v1.Pods", "my-service", "Running"]
    {
        assert!(said.contains(part), "{part} was not shown: {said}");
    }
    let traced = desk.types("trace", "kubectl delete pod hello\n");
    for part in ["POST /api/v1/namespaces/", "store commit", "start container"] {
        assert!(traced.contains(part), "{part} was not traced: {traced}");
    }
    drop(desk);

    // After the others: it has the same ports.
    let said = Desk::new().types("apart", "");
    assert!(said.contains("node/node-1 condition met"), "{said}");
}
