//! Clients in Python: one that is generated from `proto/`, and Kubernetes' official one through the gateway.

mod docker;

use std::time::Duration;

use keelson_tests::{InProcess, Output, Python, Stack, StackConfig, Subject, Target};

/// How long a module of tests may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `tests/python/grpc_client.py` with these flags too, and answers with what it prints.
#[track_caller]
fn generated_client(target: &Target, flags: &[&str]) -> Vec<String> {
    let stubs = tempfile::tempdir().unwrap();
    let python = Python::new();
    python.generate_clients(stubs.path());
    let mut command = python.program("grpc_client.py", stubs.path());
    command.args(["--address", target.grpc()]).args(flags);
    command
        .arg("--ca")
        .arg(target.ca())
        .arg("--cert")
        .arg(target.certificate())
        .arg("--key")
        .arg(target.key());
    Output::of(&mut command, "").ok().lines().map(str::to_owned).collect()
}

/// Asserts the story that the generated client tells: these lines in this order, whatever is between them.
#[track_caller]
fn assert_story(lines: &[String], log: &str) {
    let log = format!("log: {log}");
    let story = [
        "list: 0 pods, node ",
        "create: from-python is Pending",
        "bind again: ABORTED 409 Conflict from-python []",
        "watch: ADDED Pending on no node",
        "watch: MODIFIED Pending on node-1",
        "watch: MODIFIED Running on node-1",
        &log,
        "get: NOT_FOUND 404 NotFound absent []",
        "create: INVALID_ARGUMENT 422 Invalid from-python ['spec.containers[0].image: Required value']",
        "delete: removed is True",
        "watch: DELETED",
    ];
    let mut rest = lines.iter();
    for part in story {
        assert!(rest.any(|line| line.starts_with(part)), "{part:?} is not in its place in {lines:#?}");
    }
    assert_eq!(rest.next(), None, "nothing follows");
}

#[test]
fn a_generated_client_leads_the_life_of_a_pod() {
    let cluster = InProcess::start();
    assert_story(&generated_client(cluster.target(), &["--image", "any"]), "main attempt 0");
}

/// Every replica of api shows the name `keelson-api`, wherever it runs.
#[test]
fn a_generated_client_knows_an_api_by_its_name() {
    let stack = Stack::start(StackConfig::default());
    let flags = ["--image", "any", "--server-name", "keelson-api"];
    assert_story(&generated_client(stack.target(), &flags), "main attempt 0");
}

/// Runs a module of `tests/python/rest`.
#[track_caller]
fn official_client(module: &str, tests: usize) {
    let subject = Subject::start();
    let output = Output::within(PATIENCE, &mut Python::new().unit_tests(module, &subject), "");
    assert!(output.success, "{output}");
    let ran = format!("Ran {tests} tests");
    assert!(output.stderr.contains(&ran), "{ran:?} is not in {output}");
}

#[test]
fn the_official_client_reads_and_watches() {
    official_client("test_reading", 8);
}

#[test]
fn the_official_client_writes_patches_and_deletes() {
    official_client("test_writing", 12);
}

#[test]
fn the_official_client_works_with_pods() {
    official_client("test_pods", 7);
}

#[test]
fn the_official_client_discovers() {
    official_client("test_discovery", 4);
}

#[test]
fn the_official_client_gets_in_by_token() {
    official_client("test_access", 2);
}

#[test]
fn the_official_client_elects_a_leader() {
    official_client("test_leases", 2);
}
