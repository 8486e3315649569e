//! What cannot start says why, in one sentence, and what to do.

use std::net::TcpListener;

use keelson_tests::{Output, Up};

/// Asserts that it ended with a failure, in one line that says all of this.
#[track_caller]
fn assert_refused(output: &Output, parts: &[&str]) {
    assert_eq!(output.code, Some(1), "{output}");
    let sentence: Vec<&str> = output.stderr.lines().filter(|line| line.starts_with("keelson: ")).collect();
    assert_eq!(sentence.len(), 1, "one sentence: {output}");
    assert_eq!(output.stderr.lines().last(), sentence.last().copied(), "the last word: {output}");
    for part in parts {
        assert!(sentence[0].contains(part), "{part:?} is missing: {output}");
    }
    assert!(!output.stderr.contains("panicked"), "{output}");
}

#[test]
fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flag in ["--gateway-port", "--grpc-port", "--kubelet-port"] {
        let output = Up::hollow().run(&[flag, &port]);
        assert_refused(&output, &[&format!("127.0.0.1:{port}"), flag]);
    }
}

#[test]
fn a_directory_that_another_one_uses() {
    let up = Up::hollow();
    let _running = up.start();
    assert_refused(&up.run(&[]), &["another keelson is running", "--data-dir"]);
}

#[test]
fn a_directory_that_cannot_be_written() {
    assert_refused(&Up::hollow().on("/proc/keelson".as_ref()).run(&[]), &["/proc/keelson", "--data-dir"]);
    let up = Up::hollow();
    let file = up.dir().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    assert_refused(&up.on(&file).run(&[]), &["file", "--data-dir"]);
}

#[test]
fn an_engine_that_does_not_answer() {
    let output = Up::docker().run(&["--docker-host", "unix:///nowhere/docker.sock"]);
    assert_refused(&output, &["/nowhere/docker.sock", "--runtime hollow"]);
}

#[test]
fn an_etcd_that_does_not_answer() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = Up::hollow().run(&["--store", &format!("etcd://{free}")]);
    assert_refused(&output, &[&free.to_string()]);
}

#[test]
fn flags_that_make_no_sense() {
    for (flags, part) in [
        (&["--store", "redis://127.0.0.1:1"][..], "etcd://host:port"),
        (&["--nodes", "0"], "--nodes"),
        (&["--service-cluster-ip-range", "everything"], "--service-cluster-ip-range"),
        (&["--demo", "--no-proxy"], "--demo"),
        (&["--colour", "red"], "--colour"),
    ] {
        let output = Up::hollow().run(flags);
        assert_eq!(output.code, Some(2), "{output}");
        assert!(output.stderr.contains(part), "{output}");
    }
}
