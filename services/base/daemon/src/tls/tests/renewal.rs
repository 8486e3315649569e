//! What is made anew, and what stays.

use super::*;

fn spec(name: &str, names: &[&str]) -> IdentitySpec {
    IdentitySpec { name: name.to_owned(), subject: Subject::new(name), usage: Usage::Both, sans: sans(names) }
}

fn whys(issued: &[Issued]) -> Vec<(&str, Why)> {
    issued.iter().map(|issued| (issued.name.as_str(), issued.why)).collect()
}

#[test]
fn what_is_missing_stale_or_asked_for_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let pki = mk_pki(dir.path());
    let specs = [spec("a", &[]), spec("b", &["b.test"])];
    let ensure = |specs: &[IdentitySpec], all| pki.ensure(specs, DAY, all).unwrap();
    assert_eq!(whys(&ensure(&specs, false)), [("a", Why::Missing), ("b", Why::Missing)]);
    assert!(ensure(&specs, false).is_empty());
    fs::remove_file(dir.path().join("a.crt")).unwrap();
    assert_eq!(whys(&ensure(&specs, false)), [("a", Why::Missing)]);
    fs::copy(dir.path().join("a.key"), dir.path().join("b.key")).unwrap();
    assert_eq!(whys(&ensure(&specs, false)), [("b", Why::Stale(Stale::OtherKey))]);
    assert_eq!(whys(&ensure(&specs, true)), [("a", Why::Asked), ("b", Why::Asked)]);
    let short = [spec("short", &[])];
    pki.ensure(&short, Duration::from_secs(1), false).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(whys(&ensure(&short, false)), [("short", Why::Stale(Stale::Aging))]);
}

#[test]
fn names_are_kept_unless_they_are_somebody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let pki = mk_pki(dir.path());
    pki.ensure(&[spec("a", &["one.test"])], DAY, false).unwrap();
    let more = pki.ensure(&[spec("a", &["two.test"])], DAY, false).unwrap();
    assert_eq!(whys(&more), [("a", Why::Stale(Stale::OtherNames))]);
    for names in [&["one.test"][..], &["two.test"], &[], &["one.test", "two.test"]] {
        assert!(pki.ensure(&[spec("a", names)], DAY, false).unwrap().is_empty(), "{names:?}");
    }
    let other = IdentitySpec { subject: Subject::new("other"), ..spec("a", &[]) };
    pki.ensure(&[other], DAY, false).unwrap();
    let again = pki.ensure(&[spec("a", &["one.test"])], DAY, false).unwrap();
    assert_eq!(whys(&again), [("a", Why::Stale(Stale::OtherSubject))]);
    let alone = pki.ensure(&[spec("a", &["two.test"])], DAY, false).unwrap();
    assert_eq!(whys(&alone), [("a", Why::Stale(Stale::OtherNames))], "the other's names are gone");
}

#[test]
fn short_lives_begin_little_before_now_and_none_outlasts_its_authority() {
    let dir = tempfile::tempdir().unwrap();
    let pki = mk_pki(dir.path());
    let now = super::super::validity::seconds(SystemTime::now());
    let ca = pki.ca_validity().unwrap();
    let table =
        [(100, 10, 100), (24 * 3600, 300, 24 * 3600), (40 * 365 * 24 * 3600, 300, ca.not_after - now)];
    for (seconds, before, after) in table {
        let life = Duration::from_secs(seconds);
        pki.ensure(&[spec("a", &[])], life, true).unwrap();
        let pem = fs::read_to_string(dir.path().join("a.crt")).unwrap();
        let validity = Validity::of_pem(&pem).unwrap();
        let (begun, left) = (now - validity.not_before, validity.not_after - now);
        assert!((before - 5..=before).contains(&begun), "{seconds}: begun {begun}");
        assert!((after..after + 5).contains(&left), "{seconds}: left {left}");
    }
}

/// The way from one authority to the next, as the README tells it.
#[test]
fn an_authority_is_replaced_by_way_of_a_bundle() {
    let (dir, next) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let specs = [spec("a", &["a.test"])];
    mk_pki(dir.path()).ensure(&specs, DAY, false).unwrap();
    mk_pki(next.path());
    let read = |dir: &tempfile::TempDir, file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
    let (old_ca, new_ca) = (read(&dir, "ca.crt"), read(&next, "ca.crt"));
    // First both are trusted, and the old one signs.
    fs::write(dir.path().join("ca.crt"), format!("{old_ca}{new_ca}")).unwrap();
    assert!(mk_pki(dir.path()).ensure(&specs, DAY, false).unwrap().is_empty());
    // Then the new one signs.
    fs::write(dir.path().join("ca.crt"), format!("{new_ca}{old_ca}")).unwrap();
    fs::write(dir.path().join("ca.key"), read(&next, "ca.key")).unwrap();
    let made = mk_pki(dir.path()).ensure(&specs, DAY, false).unwrap();
    assert_eq!(whys(&made), [("a", Why::Stale(Stale::ForeignAuthority))]);
    let a = mk_pki(dir.path()).issue("a", Subject::new("a"), Usage::Both, &sans(&["a.test"]), DAY).unwrap();
    assert_eq!(a.ca_pem, format!("{new_ca}{old_ca}"), "both are trusted as long as the old is in use");
}

#[test]
fn the_inventory_says_what_is_good_and_what_is_not() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pki = mk_pki(dir.path());
    issue_admin(&pki);
    let names = ["expired", "foreign", "junk", "keyless", "mismatch"];
    let specs = names.map(|name| spec(name, &[]));
    pki.ensure(&specs, DAY, false).unwrap();
    pki.ensure(&specs[..1], Duration::from_secs(1), true).unwrap();
    issue_admin(&mk_pki(other.path()));
    fs::copy(other.path().join("admin.crt"), dir.path().join("foreign.crt")).unwrap();
    fs::write(dir.path().join("junk.crt"), "junk").unwrap();
    fs::remove_file(dir.path().join("keyless.key")).unwrap();
    fs::copy(dir.path().join("admin.key"), dir.path().join("mismatch.key")).unwrap();
    fs::write(dir.path().join("not-a-certificate.txt"), "").unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let entries = inventory(dir.path()).unwrap();
    let found: Vec<(&str, State)> = entries.iter().map(|entry| (entry.name.as_str(), entry.state)).collect();
    let expected = [
        ("ca", State::Aged(Age::Fresh)),
        ("admin", State::Aged(Age::Fresh)),
        ("expired", State::Aged(Age::Expired)),
        ("foreign", State::ForeignAuthority),
        ("junk", State::Unreadable),
        ("keyless", State::NoKey),
        ("mismatch", State::NoKey),
    ];
    assert_eq!(found, expected);
    assert_eq!(entries[1].subject, "admin (system:masters, dev)");
    assert!(entries[0].expires().starts_with("20") && entries[4].expires() == "-");
    assert!(matches!(inventory(Path::new("/nowhere")), Err(TlsError::File { .. })));
}
