//! Links of pages that are seen below a path of ours.

/// What becomes of links.
#[derive(Clone, Debug)]
pub(super) struct Links {
    /// The host that the client asked.
    host: String,
    /// The path below which it sees the page, without a slash at the end.
    base: String,
}

// === impl Links ===

impl Links {
    pub(super) fn new(host: &str, base: &str) -> Self {
        Self { host: host.to_owned(), base: base.to_owned() }
    }

    /// The link that leads to the same place through here; None if it does already, or leads elsewhere.
    pub(super) fn rewrite(&self, link: &str) -> Option<String> {
        let (before, path) = match authority(link) {
            Some((host, end)) if host == self.host => link.split_at(end),
            Some(_) => return None,
            None => ("", link),
        };
        let is_absolute = path.starts_with('/') && !path.starts_with(&self.base);
        is_absolute.then(|| format!("{before}{}{path}", self.base))
    }
}

/// The host of a link and where its path begins, if it names one.
fn authority(link: &str) -> Option<(&str, usize)> {
    let start = match link.find("//")? {
        0 => 2,
        colon => {
            let scheme = link[..colon].strip_suffix(':')?;
            let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            scheme.bytes().all(is_scheme).then_some(colon + 2)?
        }
    };
    let end = link[start..].find(['/', '?', '#']).map_or(link.len(), |length| start + length);
    Some((&link[start..end], end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_back_through_here() {
        let links = Links::new("gateway:6443", "/api/v1/nodes/n/proxy");
        let table = [
            ("/", Some("/api/v1/nodes/n/proxy/")),
            ("/a/b?c#d", Some("/api/v1/nodes/n/proxy/a/b?c#d")),
            ("/a?next=http://x/y", Some("/api/v1/nodes/n/proxy/a?next=http://x/y")),
            ("https://gateway:6443/a", Some("https://gateway:6443/api/v1/nodes/n/proxy/a")),
            ("//gateway:6443/a", Some("//gateway:6443/api/v1/nodes/n/proxy/a")),
            ("/api/v1/nodes/n/proxy/a", None),
            ("https://gateway:6443", None),
            ("https://elsewhere/a", None),
            ("//elsewhere/a", None),
            ("a/b", None),
            ("../a", None),
            ("#top", None),
            ("", None),
            ("mailto:ann@example.com", None),
            ("javascript:f('//x')", None),
        ];
        for (link, expected) in table {
            assert_eq!(links.rewrite(link).as_deref(), expected, "{link}");
        }
    }
}
