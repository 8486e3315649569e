use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use clap::Parser;
use keelson_base_daemon::tls::{Age, Entry, State};

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    pki: PkiArgs,
}

fn run(dir: &Path, words: &[&str]) -> anyhow::Result<()> {
    let start = ["keelson", "--pki-dir", dir.to_str().unwrap()];
    pki(&Cli::parse_from(start.iter().chain(words)).pki)
}

/// Everything below a directory, by its path there.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for base in [dir.to_owned(), dir.join("etcd")] {
        for entry in fs::read_dir(&base).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            let path = entry.path().strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            found.insert(path, fs::read(entry.path()).unwrap());
        }
    }
    found
}

fn certificates(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = files(dir);
    files.retain(|name, _| name.ends_with(".crt"));
    files
}

#[test]
fn one_run_makes_everything_and_the_next_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let words = ["--node", "node-1,node-2", "--node=node-3", "--san=192.0.2.7", "--san", ""];
    run(dir.path(), &words).unwrap();
    let first = files(dir.path());
    let pairs = [
        "admin",
        "api",
        "ca",
        "etcd/api",
        "etcd/ca",
        "etcd/server",
        "gateway",
        "kubelet-node-1",
        "kubelet-node-2",
        "kubelet-node-3",
        "replication",
        "scheduler",
        "service-proxy",
    ];
    let mut expected: Vec<String> =
        pairs.iter().flat_map(|name| [format!("{name}.crt"), format!("{name}.key")]).collect();
    let others = [".lock", ".run.lock", "cluster-id", "etcd/.lock", "kubeconfig", "sa.key", "sa.pub"];
    expected.extend(others.map(str::to_owned));
    expected.sort();
    assert_eq!(first.keys().cloned().collect::<Vec<_>>(), expected);
    for name in first.keys().filter(|name| name.ends_with(".key") || *name == "kubeconfig") {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    run(dir.path(), &words).unwrap();
    assert_eq!(files(dir.path()), first);
    run(dir.path(), &[]).unwrap();
    assert_eq!(files(dir.path()), first, "names and nodes that are not given again stay");
}

#[test]
fn what_is_missing_or_asked_for_is_made_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["--node=a"]).unwrap();
    let changed = |before: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
        let now = certificates(dir.path());
        now.into_iter().filter(|(name, pem)| before.get(name) != Some(pem)).map(|(name, _)| name).collect()
    };
    let before = certificates(dir.path());
    fs::remove_file(dir.path().join("scheduler.key")).unwrap();
    run(dir.path(), &["--node=b"]).unwrap();
    assert_eq!(changed(&before), ["kubelet-b.crt", "scheduler.crt"]);

    let before = certificates(dir.path());
    run(dir.path(), &["--san=keelson.example"]).unwrap();
    assert_eq!(changed(&before), ["api.crt", "etcd/server.crt", "gateway.crt"]);
    run(dir.path(), &["--san=192.0.2.1"]).unwrap();
    let api = fs::read(dir.path().join("api.crt")).unwrap();
    run(dir.path(), &["--san=keelson.example,192.0.2.1"]).unwrap();
    assert_eq!(fs::read(dir.path().join("api.crt")).unwrap(), api, "it has both names");

    let before = certificates(dir.path());
    run(dir.path(), &["--renew"]).unwrap();
    let kept: Vec<String> = before.keys().filter(|name| !changed(&before).contains(name)).cloned().collect();
    assert_eq!(kept, ["ca.crt", "etcd/ca.crt"]);
    let kubeconfig = fs::read_to_string(dir.path().join("kubeconfig")).unwrap();
    run(dir.path(), &["--gateway-url=https://gw:7443"]).unwrap();
    let moved = fs::read_to_string(dir.path().join("kubeconfig")).unwrap();
    assert_eq!(moved, kubeconfig.replace("https://127.0.0.1:6443", "https://gw:7443"));
    run(dir.path(), &["--gateway-url="]).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("kubeconfig")).unwrap(), moved, "it stays where it was");
}

#[test]
fn two_runs_at_once_end_with_pairs_that_match() {
    let dir = tempfile::tempdir().unwrap();
    let good = |entry: &Entry| entry.state == State::Aged(Age::Fresh);
    std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..4).map(|_| scope.spawn(|| run(dir.path(), &["--renew", "--node=a"]))).collect();
        for run in runs {
            run.join().unwrap().unwrap();
        }
    });
    let entries = inventory(dir.path()).unwrap();
    assert!(entries.len() == 8 && entries.iter().all(good), "{entries:?}");
    let kubeconfig = fs::read_to_string(dir.path().join("kubeconfig")).unwrap();
    use base64::Engine as _;
    let admin = fs::read(dir.path().join("admin.crt")).unwrap();
    assert!(kubeconfig.contains(&base64::engine::general_purpose::STANDARD.encode(admin)));
}

#[test]
fn short_lives_are_renewed_and_an_authority_caps_them() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["--validity=50000d"]).unwrap();
    let entries = inventory(dir.path()).unwrap();
    let ends: Vec<i64> = entries.iter().map(|entry| entry.validity.unwrap().not_after).collect();
    let ca = ends[0];
    assert!(ends.iter().all(|end| (ca - 5..=ca).contains(end)), "{entries:?}");
}

#[test]
fn what_cannot_be_done_is_told_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = |words: &[&str]| format!("{:#}", run(&dir.path().join("pki"), words).unwrap_err());
    assert!(error(&["--list"]).contains("make certificates first: keelson pki"));
    assert!(error(&["--node=Not_A_Name"]).contains("cannot be the name of a node"));
    run(&dir.path().join("pki"), &[]).unwrap();
    fs::remove_file(dir.path().join("pki/etcd/ca.key")).unwrap();
    assert!(error(&[]).contains("etcd/ca.key is not usable"));
    let error = format!("{:#}", run(Path::new("/proc/keelson"), &[]).unwrap_err());
    assert!(error.contains("--pki-dir"), "{error}");
    let both = Cli::try_parse_from(["x", "--list", "--renew"]);
    assert!(both.is_err());
}
