//! Certificates as a table for people.

use std::path::Path;
use std::time::SystemTime;

use keelson_base_daemon::tls::{Age, Entry, State};

const HEAD: [&str; 5] = ["NAME", "SUBJECT", "EXPIRES", "LEFT", "STATE"];

/// One line for each certificate, below a head, in columns.
pub(super) fn render(entries: &[Entry], now: SystemTime) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(entries.iter().map(|entry| {
        [
            entry.name.clone(),
            entry.subject.clone(),
            entry.expires(),
            left(entry.left(now).as_secs()),
            entry.state.to_string(),
        ]
    }));
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; HEAD.len()] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("   ").trim_end());
        text.push('\n');
    }
    text
}

/// What to do about certificates that are not good, if any.
pub(super) fn advice(entries: &[Entry], dir: &Path) -> Vec<String> {
    let is_authority = |entry: &&Entry| entry.name == "ca" || entry.name.ends_with("/ca");
    let is_good = |entry: &&Entry| entry.state == State::Aged(Age::Fresh);
    let names = |which: &dyn Fn(&&Entry) -> bool| -> Vec<&str> {
        entries
            .iter()
            .filter(|entry| !is_good(entry) && which(entry))
            .map(|entry| entry.name.as_str())
            .collect()
    };
    let (authorities, others) = (names(&is_authority), names(&|entry| !is_authority(entry)));
    let mut advice = Vec::new();
    if !others.is_empty() {
        advice.push(format!("to renew {}: keelson pki --pki-dir {}", others.join(", "), dir.display()));
    }
    if !authorities.is_empty() {
        let replace = "to replace an authority, see README, \"Certificates\"";
        advice.push(format!("the authority {} needs attention; {replace}", authorities.join(", ")));
    }
    advice
}

fn left(seconds: u64) -> String {
    match seconds {
        0 => "-".to_owned(),
        1..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use keelson_base_daemon::tls::Validity;

    use super::*;

    fn entry(name: &str, state: State, not_after: Option<i64>) -> Entry {
        let validity = not_after.map(|not_after| Validity { not_before: 0, not_after });
        Entry { name: name.to_owned(), subject: format!("system:{name}"), validity, state }
    }

    #[test]
    fn columns_are_aligned_and_advice_names_what_is_not_good() {
        let entries = [
            entry("ca", State::Aged(Age::Fresh), Some(864_000)),
            entry("api", State::Aged(Age::Expired), Some(60)),
            entry("junk", State::Unreadable, None),
        ];
        let expected = "\
NAME   SUBJECT       EXPIRES                LEFT   STATE
ca     system:ca     1970-01-11T00:00:00Z   9d     valid
api    system:api    1970-01-01T00:01:00Z   -      EXPIRED
junk   system:junk   -                      -      NOT A CERTIFICATE
";
        assert_eq!(render(&entries, UNIX_EPOCH + Duration::from_secs(86_400)), expected);
        assert_eq!(advice(&entries, Path::new("/pki")), ["to renew api, junk: keelson pki --pki-dir /pki"]);
        assert!(advice(&entries[..1], Path::new("/pki")).is_empty());
        let old = [entry("etcd/ca", State::Aged(Age::Aging), Some(60))];
        let said = advice(&old, Path::new("/pki"));
        assert!(said.len() == 1 && said[0].contains("etcd/ca"), "{said:?}");
    }

    #[test]
    fn left_table() {
        let table = [(0, "-"), (119, "119s"), (120, "2m"), (7200, "2h"), (172_800, "2d")];
        for (seconds, expected) in table {
            assert_eq!(left(seconds), expected);
        }
    }
}
