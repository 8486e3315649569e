use std::fs;
use std::os::unix::fs::symlink;

use rcgen::KeyPair;

use super::*;
use crate::tls::{Pki, Subject, Usage};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn spec(name: &str) -> crate::tls::IdentitySpec {
    crate::tls::IdentitySpec {
        name: name.to_owned(),
        subject: Subject::new(name),
        usage: Usage::Both,
        sans: Vec::new(),
    }
}

/// Makes the identity `api` anew.
fn renew(pki: &Pki) {
    pki.ensure(&[spec("api")], DAY, true).unwrap();
}

fn follow(dir: &Path, tasks: &Tasks, metrics: &Metrics) -> Result<LiveIdentity, TlsError> {
    LiveIdentity::follow("api", IdentityFiles::in_directory(dir, "api"), tasks, metrics)
}

/// Waits until the identity is what a file says.
async fn until_it_is(live: &LiveIdentity, cert: &Path) {
    let pem = fs::read_to_string(cert).unwrap();
    let same = async {
        while live.current().cert_pem != pem {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(10), same).await.is_ok(),
        "{} is not used",
        cert.display()
    );
}

#[tokio::test]
async fn a_renewed_identity_is_used_and_its_end_told() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open_or_create(dir.path(), &[]).unwrap();
    renew(&pki);
    let (tasks, metrics) = (Tasks::new(), Metrics::new());
    let live = follow(dir.path(), &tasks, &metrics).unwrap();
    for _ in 0..3 {
        let before = live.current();
        renew(&pki);
        until_it_is(&live, &dir.path().join("api.crt")).await;
        assert_ne!(live.current(), before);
    }
    let validity = Validity::of_pem(&live.current().cert_pem).unwrap();
    let line = format!("{METRIC}{{name=\"api\"}} {}", validity.not_after);
    let told = async {
        while !metrics.encode().unwrap().contains(&line) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(DAY / 8640, told).await.is_ok(), "{line}: {}", metrics.encode().unwrap());
    assert!(metrics.encode().unwrap().contains(&format!("{METRIC}{{name=\"ca\"}}")));
    tasks.join(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn files_of_no_use_leave_the_old_identity_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open_or_create(dir.path(), &[]).unwrap();
    renew(&pki);
    let tasks = Tasks::new();
    let live = follow(dir.path(), &tasks, &Metrics::new()).unwrap();
    let good = live.current();
    let other_key = KeyPair::generate().unwrap().serialize_pem();
    let expired = pki.issue("short", Subject::new("api"), Usage::Both, &[], Duration::from_secs(1)).unwrap();
    sleep(Duration::from_secs(2)).await;
    let table: [(&str, &[(&str, &str)]); 5] = [
        ("no certificate", &[("api.crt", "junk")]),
        ("no key", &[("api.key", "")]),
        ("another key", &[("api.key", &other_key)]),
        ("no authority", &[("ca.crt", "junk")]),
        ("an expired pair", &[("api.key", &expired.key_pem), ("api.crt", &expired.cert_pem)]),
    ];
    for (name, files) in table {
        let before: Vec<_> = files.iter().map(|(file, _)| fs::read(dir.path().join(file)).unwrap()).collect();
        for (file, content) in files {
            fs::write(dir.path().join(file), content).unwrap();
        }
        sleep(SETTLE * 3).await;
        assert_eq!(live.current(), good, "{name}");
        for ((file, _), content) in files.iter().zip(before) {
            fs::write(dir.path().join(file), content).unwrap();
        }
    }
    renew(&pki);
    until_it_is(&live, &dir.path().join("api.crt")).await;
    tasks.join(Duration::from_secs(5)).await.unwrap();
}

/// Kubernetes keeps a mounted secret in a directory of its own for each version, and swaps one link.
#[tokio::test]
async fn a_mounted_secret_is_followed_through_its_links() {
    let dir = tempfile::tempdir().unwrap();
    let version = |number: u32| {
        let version = dir.path().join(format!("..{number}"));
        renew(&Pki::open_or_create(&version, &[]).unwrap());
        version
    };
    let first = version(1);
    symlink(&first, dir.path().join("..data")).unwrap();
    for file in ["api.crt", "api.key", "ca.crt"] {
        symlink(Path::new("..data").join(file), dir.path().join(file)).unwrap();
    }
    let tasks = Tasks::new();
    let live = follow(dir.path(), &tasks, &Metrics::new()).unwrap();
    until_it_is(&live, &first.join("api.crt")).await;
    for number in 2..4 {
        let next = version(number);
        symlink(&next, dir.path().join("..data_tmp")).unwrap();
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
        fs::remove_dir_all(dir.path().join(format!("..{}", number - 1))).unwrap();
        until_it_is(&live, &next.join("api.crt")).await;
    }
    tasks.join(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_is_replaced_is_found_again() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("pki");
    renew(&Pki::open_or_create(&dir, &[]).unwrap());
    let tasks = Tasks::new();
    let live = follow(&dir, &tasks, &Metrics::new()).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    let pki = Pki::open_or_create(&dir, &[]).unwrap();
    renew(&pki);
    until_it_is(&live, &dir.join("api.crt")).await;
    renew(&pki);
    until_it_is(&live, &dir.join("api.crt")).await;
    tasks.join(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_now_is_no_start() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open_or_create(dir.path(), &[]).unwrap();
    renew(&pki);
    let files = IdentityFiles::in_directory(dir.path(), "api");
    let identity = files.read().unwrap();
    let now = SystemTime::now();
    let table = [(now, None), (now + DAY * 2, Some("expired at")), (now - DAY, Some("is not valid yet"))];
    for (at, expected) in table {
        let error = files.check(&identity, at).err().map(|error| error.to_string());
        assert_eq!(error.is_some(), expected.is_some(), "{error:?}");
        assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
    fs::write(&files.key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let error = follow(dir.path(), &Tasks::new(), &Metrics::new()).unwrap_err().to_string();
    assert!(error.contains("is not that of the certificate") && error.contains("keelson pki"), "{error}");
}

#[tokio::test]
async fn a_reader_waits_for_the_second_half_of_a_pair() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::open_or_create(dir.path(), &[]).unwrap();
    renew(&pki);
    let files = IdentityFiles::in_directory(dir.path(), "api");
    let old = fs::read_to_string(&files.cert).unwrap();
    renew(&pki);
    let new = fs::read_to_string(&files.cert).unwrap();
    fs::write(&files.cert, old).unwrap();
    let reader = {
        let files = files.clone();
        tokio::task::spawn_blocking(move || files.read())
    };
    sleep(Duration::from_millis(50)).await;
    let next = dir.path().join("next");
    fs::write(&next, &new).unwrap();
    fs::rename(next, &files.cert).unwrap();
    assert_eq!(reader.await.unwrap().unwrap().cert_pem, new);
}
