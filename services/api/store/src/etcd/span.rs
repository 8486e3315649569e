//! Which part of etcd's key space a list is about.

use crate::RangeRequest;

/// Keys from `start` to before `end`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
}

// === impl Span ===

impl Span {
    /// The keys of `request` among ours, which start with `ours`; `None` when there can be none.
    pub(super) fn of(ours: &str, request: &RangeRequest) -> Option<Self> {
        let prefix = match request.prefix.as_str() {
            prefix if prefix.starts_with(ours) => prefix,
            prefix if ours.starts_with(prefix) => ours,
            _ => return None,
        };
        let mut span = Self { start: first(prefix), end: end(prefix) };
        if let Some(key) = request.start_after.as_deref().filter(|key| *key >= prefix) {
            span.start_after(key);
        }
        // etcd takes an empty span for a single key.
        (span.end == [0] || span.start < span.end).then_some(span)
    }

    /// Continues after `key`.
    pub(super) fn start_after(&mut self, key: &str) {
        self.start = [key.as_bytes(), &[0]].concat();
    }
}

/// The first key with a prefix: the prefix itself; no key is empty.
fn first(prefix: &str) -> Vec<u8> {
    if prefix.is_empty() { vec![0] } else { prefix.as_bytes().to_vec() }
}

/// The first key after all those with a prefix. For no prefix it is etcd's "no end", a zero.
fn end(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    // The last byte can be counted up, as UTF-8 has no 0xff.
    match end.last_mut() {
        Some(last) => *last += 1,
        None => end.push(0),
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_stay_within_what_is_ours() {
        let cases = [
            ("/r/", "/r/a/", None, Some(("/r/a/", "/r/a0"))),
            ("/r/", "/r/a/", Some("/r/a/x"), Some(("/r/a/x\0", "/r/a0"))),
            ("/r/", "/r/a/", Some("/a"), Some(("/r/a/", "/r/a0"))),
            ("/r/", "/r/a/", Some("/z"), None),
            ("/r/", "", None, Some(("/r/", "/r0"))),
            ("/r/", "/r", None, Some(("/r/", "/r0"))),
            ("/r/", "/s/", None, None),
            ("", "", None, Some(("\0", "\0"))),
            ("", "", Some("a"), Some(("a\0", "\0"))),
        ];
        for (ours, prefix, after, expected) in cases {
            let request = RangeRequest { start_after: after.map(str::to_owned), ..RangeRequest::all(prefix) };
            let expected = expected.map(|(start, end)| Span { start: start.into(), end: end.into() });
            assert_eq!(Span::of(ours, &request), expected, "{prefix:?} after {after:?} in {ours:?}");
        }
    }
}
