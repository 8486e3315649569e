mod handshakes;
mod renewal;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::certificate::Wanted;
use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn sans(names: &[&str]) -> Vec<San> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn mk_pki(dir: &Path) -> Pki {
    Pki::open_or_create(dir, &sans(&["localhost", "127.0.0.1"])).unwrap()
}

fn admin() -> Subject {
    Subject { common_name: "admin".into(), organizations: vec!["system:masters".into(), "dev".into()] }
}

fn issue_admin(pki: &Pki) -> Identity {
    pki.issue("admin", admin(), Usage::Client, &[], DAY).unwrap()
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

#[test]
fn second_start_reuses_authority_and_identities() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("deep/pki");
    let first = mk_pki(&dir);
    let identities =
        (issue_admin(&first), first.issue("api", Subject::new("api"), Usage::Both, &[], DAY).unwrap());

    let begin = Instant::now();
    let second = mk_pki(&dir);
    let again =
        (issue_admin(&second), second.issue("api", Subject::new("api"), Usage::Both, &[], DAY).unwrap());
    let took = begin.elapsed();
    assert_eq!(first.ca_pem(), second.ca_pem());
    assert_eq!(identities, again);
    assert_eq!(identities.0.ca_pem, first.ca_pem());
    assert!(took < Duration::from_millis(100), "a start must not pay for certificates, took {took:?}");
}

#[test]
fn keys_are_secret_and_nothing_else_is_left() {
    let dir = tempfile::tempdir().unwrap();
    issue_admin(&mk_pki(dir.path()));
    let mut files: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode & 0o077 == 0)
        })
        .collect();
    files.sort();
    let expected =
        [(".lock", true), ("admin.crt", false), ("admin.key", true), ("ca.crt", false), ("ca.key", true)];
    assert_eq!(files, expected.map(|(name, secret)| (name.to_owned(), secret)));
}

#[test]
fn peer_is_read_from_the_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let pki = mk_pki(dir.path());
    let peer = Peer::from_certificate(&der(&issue_admin(&pki).cert_pem)).unwrap();
    assert_eq!(peer.common_name, "admin");
    assert_eq!(peer.organizations, ["system:masters", "dev"]);
    assert_eq!(Peer::from_certificate(&CertificateDer::from(vec![1, 2, 3])), None);
    let nobody = pki.issue("nobody", Subject::new(""), Usage::Client, &[], DAY).unwrap();
    assert_eq!(Peer::from_certificate(&der(&nobody.cert_pem)), None, "no name is no user");
}

#[test]
fn what_is_asked_for_decides_over_reuse() {
    let dir = tempfile::tempdir().unwrap();
    let pki = mk_pki(dir.path());
    let old = issue_admin(&pki);
    let less = Subject::in_organization("admin", "system:masters");
    let table = [
        ("same", admin(), Usage::Client, vec![], true),
        ("other group", less, Usage::Client, vec![], false),
        ("other name", Subject { common_name: "root".into(), ..admin() }, Usage::Client, vec![], false),
        ("other usage", admin(), Usage::Both, vec![], false),
        ("another address", admin(), Usage::Client, sans(&["10.0.0.1"]), false),
        ("other addresses", admin(), Usage::Client, sans(&["10.0.0.2", "::1", "node-1"]), false),
    ];
    let mut last = old;
    for (name, subject, usage, sans, reused) in table {
        let issue = || pki.issue("admin", subject.clone(), usage, &sans, DAY).unwrap();
        let next = issue();
        assert_eq!(next == last, reused, "{name}");
        assert_eq!(issue(), next, "{name}: the new one is kept");
        last = next;
    }
}

#[test]
fn broken_identities_are_issued_again() {
    let dir = tempfile::tempdir().unwrap();
    let pki = mk_pki(dir.path());
    let other = pki.issue("other", Subject::new("other"), Usage::Client, &[], DAY).unwrap();
    let whole = issue_admin(&pki);
    let half = whole.cert_pem[..whole.cert_pem.len() / 2].to_owned();
    let table: [(&str, &str, &[u8]); 6] = [
        ("empty certificate", "admin.crt", b""),
        ("half a certificate", "admin.crt", half.as_bytes()),
        ("not even text", "admin.crt", &[0xff; 64]),
        ("somebody else's certificate", "admin.crt", other.cert_pem.as_bytes()),
        ("empty key", "admin.key", b""),
        ("somebody else's key", "admin.key", other.key_pem.as_bytes()),
    ];
    let mut last = whole;
    for (name, file, content) in table {
        fs::write(dir.path().join(file), content).unwrap();
        let next = issue_admin(&pki);
        assert_ne!(next.cert_pem, last.cert_pem, "{name}");
        assert!(next.client_config().is_ok(), "{name}");
        assert_eq!(issue_admin(&pki), next, "{name}: the new one is kept");
        last = next;
    }
    fs::remove_file(dir.path().join("admin.key")).unwrap();
    assert_ne!(issue_admin(&pki).key_pem, last.key_pem);
}

#[test]
fn identities_of_a_foreign_authority_are_issued_again() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (our_pki, their_pki) = (mk_pki(ours.path()), mk_pki(theirs.path()));
    let foreign = issue_admin(&their_pki);
    for file in ["admin.crt", "admin.key"] {
        fs::copy(theirs.path().join(file), ours.path().join(file)).unwrap();
    }
    assert_ne!(issue_admin(&our_pki), foreign);
}

#[test]
fn certificates_age() {
    let dir = tempfile::tempdir().unwrap();
    let pki = mk_pki(dir.path());
    let identity = issue_admin(&pki);
    let (cert, key) = (der(&identity.cert_pem), KeyPair::from_pem(&identity.key_pem).unwrap());
    let ca = der(pki.ca_pem());
    let (_, authority) = X509Certificate::from_der(&ca).unwrap();
    let wanted = Wanted { subject: admin(), usage: Usage::Client, sans: [].into() };
    let now = SystemTime::now();
    let table = [
        ("an hour ago", now - DAY / 24, Err(Stale::NotYetValid)),
        ("now", now, Ok(())),
        ("after half of its life", now + DAY / 2, Ok(())),
        ("with less than a third left", now + DAY * 2 / 3 + DAY / 100, Err(Stale::Aging)),
        ("expired", now + DAY * 2, Err(Stale::Aging)),
    ];
    for (name, time, expected) in table {
        assert_eq!(wanted.check(&cert, &key, &authority, time), expected, "{name}");
    }
}

#[test]
fn a_damaged_authority_is_never_replaced() {
    type Case = (&'static str, fn(&Path), &'static str);
    let table: [Case; 5] = [
        ("key gone", |dir| fs::remove_file(dir.join("ca.key")).unwrap(), "does not exist"),
        ("key broken", |dir| fs::write(dir.join("ca.key"), "x").unwrap(), "not a private key"),
        ("certificate broken", |dir| fs::write(dir.join("ca.crt"), "x").unwrap(), "not a certificate"),
        (
            "foreign key",
            |dir| fs::write(dir.join("ca.key"), KeyPair::generate().unwrap().serialize_pem()).unwrap(),
            "do not belong together",
        ),
        (
            "not an authority",
            |dir| {
                fs::copy(dir.join("admin.crt"), dir.join("ca.crt")).unwrap();
                fs::copy(dir.join("admin.key"), dir.join("ca.key")).unwrap();
            },
            "not an authority's",
        ),
    ];
    for (name, spoil, expected) in table {
        let dir = tempfile::tempdir().unwrap();
        issue_admin(&mk_pki(dir.path()));
        spoil(dir.path());
        let read = || ["ca.crt", "ca.key"].map(|file| fs::read(dir.path().join(file)).ok());
        let before = read();
        let error = Pki::open_or_create(dir.path(), &[]).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("remove both"), "{name}: {error}");
        assert_eq!(before, read(), "{name}");
    }
}

#[test]
fn a_key_alone_is_a_crashed_first_start() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ca.key"), "half a k").unwrap();
    fs::write(dir.path().join("ca.crt.tmp"), "half a c").unwrap();
    mk_pki(dir.path());
    mk_pki(dir.path());
}

#[test]
fn bad_requests_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let pki = mk_pki(dir.path());
    for name in ["", "ca", "../x", "a/b", ".hidden", "ä"] {
        let error = pki.issue(name, admin(), Usage::Client, &[], DAY).unwrap_err();
        assert!(matches!(error, TlsError::BadName(_)), "{name}: {error}");
    }
    let crowd = Subject { common_name: "x".into(), organizations: vec![String::new(); 3] };
    assert!(matches!(pki.issue("x", crowd, Usage::Client, &[], DAY), Err(TlsError::TooManyOrganizations(3))));
    let odd = pki.issue("x", admin(), Usage::Server, &[San::Dns("bücher".into())], DAY);
    assert!(matches!(odd, Err(TlsError::Issue { .. })));
}

#[test]
fn files_from_elsewhere_are_named_when_they_are_bad() {
    let dir = tempfile::tempdir().unwrap();
    issue_admin(&mk_pki(dir.path()));
    let [cert, key, ca] = ["admin.crt", "admin.key", "ca.crt"].map(|file| dir.path().join(file));
    let identity = Identity::from_files(&cert, &key, Some(&ca)).unwrap();
    assert!(identity.server_config(ClientAuth::Required, &ALPN_ANY_HTTP).is_ok());
    let alone = Identity::from_files(&cert, &key, None).unwrap();
    assert!(alone.server_config(ClientAuth::None, &[]).is_ok());
    assert!(alone.server_config(ClientAuth::Required, &[]).is_err());

    let swapped = Identity::from_files(&key, &cert, None).unwrap_err().to_string();
    assert!(swapped.contains("admin.key is not usable: "), "{swapped}");
    let missing = Identity::from_files(&cert, Path::new("/nowhere"), None).unwrap_err().to_string();
    assert_eq!(missing, "/nowhere is not usable: it does not exist");
}

#[test]
fn debug_never_shows_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let pki = mk_pki(dir.path());
    let identity = issue_admin(&pki);
    assert!(!format!("{identity:?} {pki:?}").contains("PRIVATE KEY"));
}
