//! The name of an image, taken apart as Docker does it: `[registry/]repository[:tag][@digest]`.

/// What a pull asks for when no tag is given.
const DEFAULT_TAG: &str = "latest";
/// Length of a tag at most, in bytes.
const TAG_LIMIT: usize = 128;

/// An image's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// Registry and repository.
    pub(crate) repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

// === impl Reference ===

impl<'a> Reference<'a> {
    /// Takes a name apart, or says what is wrong with it.
    pub(crate) fn parse(name: &'a str) -> Result<Self, &'static str> {
        let (rest, digest) = match name.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (name, None),
        };
        // A colon after the last slash begins a tag; before it, a port.
        let last = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match rest[last..].split_once(':') {
            Some((component, tag)) => (&rest[..last + component.len()], Some(tag)),
            None => (rest, None),
        };
        check_repository(repository)?;
        if !tag.is_none_or(is_tag) || !digest.is_none_or(is_digest) {
            return Err("invalid reference format");
        }
        Ok(Reference { repository, tag, digest })
    }

    /// What a pull names besides the repository: the digest, the tag, or `latest`. Never nothing: that is
    /// every tag.
    pub(crate) fn version(&self) -> &'a str {
        self.digest.or(self.tag).unwrap_or(DEFAULT_TAG)
    }
}

/// Whether this is an image's id rather than its name.
pub(crate) fn is_id(name: &str) -> bool {
    name.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(is_hex))
}

fn check_repository(repository: &str) -> Result<(), &'static str> {
    let is_registry = |first: &str| first == "localhost" || first.contains(['.', ':']);
    let path = match repository.split_once('/') {
        Some((registry, path)) if is_registry(registry) => {
            if !is_host(registry) {
                return Err("invalid reference format");
            }
            path
        }
        _ => repository,
    };
    if path.split('/').all(is_component) {
        return Ok(());
    }
    match path.to_ascii_lowercase().split('/').all(is_component) {
        true => Err("invalid reference format: repository name must be lowercase"),
        false => Err("invalid reference format"),
    }
}

fn is_host(registry: &str) -> bool {
    let (host, port) = registry.rsplit_once(':').unwrap_or((registry, "0"));
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    host.split('.').all(is_label) && port.parse::<u16>().is_ok()
}

/// Lower-case words, joined by one dot, one or two underscores, or dashes.
fn is_component(component: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let between = component.split(|c: char| c.is_ascii() && is_word(c as u8)).filter(|gap| !gap.is_empty());
    let mut gaps = between.map(|gap| matches!(gap, "." | "_" | "__") || gap.bytes().all(|b| b == b'-'));
    let ends_in_words =
        component.bytes().next().is_some_and(is_word) && component.bytes().last().is_some_and(is_word);
    ends_in_words && gaps.all(|allowed| allowed)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let rest_is_fine = tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-');
    tag.len() <= TAG_LIMIT && rest_is_fine && tag.bytes().next().is_some_and(is_word)
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.bytes().all(|b| b.is_ascii_alphanumeric()) && hex.len() >= 32 && hex.bytes().all(is_hex)
    })
}

fn is_hex(b: u8) -> bool {
    b.is_ascii_digit() || (b'a'..=b'f').contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_docker_does_it() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let pinned = format!("quay.io/a/b:1@{digest}");
        for (name, repository, version) in [
            ("nginx", "nginx", "latest"),
            ("nginx:1.7.9", "nginx", "1.7.9"),
            ("keelson/pause:1", "keelson/pause", "1"),
            ("localhost:5000/a", "localhost:5000/a", "latest"),
            ("gcr.io/google_containers/serve_hostname:1.1", "gcr.io/google_containers/serve_hostname", "1.1"),
            ("a__b/c--d.e", "a__b/c--d.e", "latest"),
            (pinned.as_str(), "quay.io/a/b", digest.as_str()),
        ] {
            let reference = Reference::parse(name).unwrap();
            assert_eq!((reference.repository, reference.version()), (repository, version), "{name}");
        }
    }

    #[test]
    fn bad_names_are_refused() {
        let long = format!("a:{}", "t".repeat(129));
        for name in [
            "", "a b", "a:", "a:-x", "a/", "/a", "a//b", "a@b", "-a", "a..b", "a___b", "../x", "a?x=y", "é",
            "h:x/a", &long,
        ] {
            assert_eq!(Reference::parse(name), Err("invalid reference format"), "{name}");
        }
        assert!(Reference::parse("NGINX").unwrap_err().ends_with("must be lowercase"));
    }

    #[test]
    fn ids_are_no_names() {
        assert!(is_id(&format!("sha256:{}", "0".repeat(64))));
        assert!(!is_id("sha256:beef"));
    }
}
