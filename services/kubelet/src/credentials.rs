//! Credentials for registries, from the secrets that a pod names for pulling its images. Pure.
//!
//! Both forms of Docker's own files are read: `.dockercfg`, and `.dockerconfigjson`, which has the same one level deeper.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keelson_proto::core::{Pod, Secret};
use serde::Deserialize;

use crate::objects::Objects;
use crate::runtime::Credentials;

/// The entries of secrets that hold credentials.
const DOCKER_CFG: &str = ".dockercfg";
const DOCKER_CONFIG_JSON: &str = ".dockerconfigjson";

/// The registry of images that name none, as Docker's files call it.
const DEFAULT_REGISTRY: &str = "index.docker.io";

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    auth: String,
    #[serde(default)]
    identitytoken: String,
}

/// What the pod's secrets say for `image`, the closest match first. What cannot be read is left out: the registry will
/// say that it wants more.
pub(crate) fn for_image(pod: &Pod, objects: &Objects, image: &str) -> Vec<Credentials> {
    let names = pod.spec.image_pull_secrets.iter().map(|reference| &reference.name);
    let secrets = names.filter_map(|name| objects.secrets.get(name));
    let mut found: Vec<(String, Credentials)> = secrets.flat_map(|secret| read(secret)).collect();
    found.retain(|(registry, _)| covers(registry, image));
    // A longer path is closer.
    found.sort_by(|(a, _), (b, _)| place(b).cmp(place(a)));
    found.into_iter().map(|(_, credentials)| credentials).collect()
}

fn read(secret: &Secret) -> Vec<(String, Credentials)> {
    let config =
        secret.data.get(DOCKER_CONFIG_JSON).and_then(|text| serde_json::from_slice::<Config>(text).ok());
    let entries = match config {
        Some(config) => config.auths,
        None => {
            let text = secret.data.get(DOCKER_CFG).map(Vec::as_slice).unwrap_or_default();
            serde_json::from_slice(text).unwrap_or_default()
        }
    };
    entries.into_iter().map(|(registry, entry)| (registry.clone(), entry.credentials(registry))).collect()
}

/// Whether the credentials of `registry`, a host with a path perhaps, are for `image`.
fn covers(registry: &str, image: &str) -> bool {
    let (host, path) = split(place(registry));
    let (image_host, image_path) = split(image);
    let image_host =
        if is_host(image_host) && !image_path.is_empty() { image_host } else { DEFAULT_REGISTRY };
    let image_host = if image_host == "docker.io" { DEFAULT_REGISTRY } else { image_host };
    let host = if host == "docker.io" { DEFAULT_REGISTRY } else { host };
    let whole = matches!(path, "" | "v1" | "v2");
    hosts_match(host, image_host) && (whole || image_path.starts_with(path))
}

/// A pattern's parts may begin with `*`, each for itself; the port counts as it is.
fn hosts_match(pattern: &str, host: &str) -> bool {
    let ((pattern, pattern_port), (host, port)) = (port_of(pattern), port_of(host));
    let (patterns, parts): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), host.split('.').collect());
    let part = |(pattern, part): (&&str, &&str)| match pattern.split_once('*') {
        Some((before, after)) => {
            part.len() >= before.len() + after.len() && part.starts_with(before) && part.ends_with(after)
        }
        None => pattern == part,
    };
    pattern_port == port && patterns.len() == parts.len() && patterns.iter().zip(&parts).all(part)
}

fn port_of(host: &str) -> (&str, &str) {
    host.split_once(':').unwrap_or((host, ""))
}

/// Without scheme and without a slash at the end.
fn place(registry: &str) -> &str {
    let bare = registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://"));
    bare.unwrap_or(registry).trim_end_matches('/')
}

fn split(place: &str) -> (&str, &str) {
    place.split_once('/').unwrap_or((place, ""))
}

/// Whether the first part of an image's name is a registry: as Docker decides it.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

// === impl Entry ===

impl Entry {
    fn credentials(self, registry: String) -> Credentials {
        let (username, password) = decode(&self.auth).unwrap_or((self.username, self.password));
        Credentials { registry, username, password, identity_token: self.identitytoken }
    }
}

/// `user:password` in base64.
fn decode(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    // Some clients pad with zeros.
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keelson_proto::core::LocalObjectReference;

    use super::*;

    #[test]
    fn matching_table() {
        let table = [
            ("registry.example.com", "registry.example.com/team/app:1", true),
            ("https://registry.example.com/v1/", "registry.example.com/app", true),
            ("registry.example.com:5000", "registry.example.com:5000/app", true),
            ("registry.example.com", "registry.example.com:5000/app", false),
            ("registry.example.com", "other.example.com/app", false),
            ("*.example.com", "a.example.com/app", true),
            ("*.example.com", "a.b.example.com/app", false),
            ("registry.example.com/team", "registry.example.com/team/app", true),
            ("registry.example.com/team", "registry.example.com/other/app", false),
            ("https://index.docker.io/v1/", "nginx", true),
            ("https://index.docker.io/v1/", "library/nginx:1", true),
            ("docker.io", "docker.io/library/nginx", true),
            ("https://index.docker.io/v1/", "localhost:5000/nginx", false),
        ];
        for (registry, image, expected) in table {
            assert_eq!(covers(registry, image), expected, "{registry} {image}");
        }
    }

    #[test]
    fn both_forms_of_secrets_are_read() {
        let secret = |key: &str, text: &str| {
            let mut secret = Secret::default();
            secret.data.insert(key.to_owned(), text.as_bytes().to_vec());
            Arc::new(secret)
        };
        let new =
            r#"{"auths":{"reg.io":{"auth":"YW5uOmh1c2g="},"reg.io/team":{"username":"bob","password":"x"}}}"#;
        let old = r#"{"https://old.io":{"username":"eve","password":"y","email":"e@old.io"}}"#;
        let secrets = [
            ("new", secret(DOCKER_CONFIG_JSON, new)),
            ("old", secret(DOCKER_CFG, old)),
            ("bad", secret(DOCKER_CONFIG_JSON, "no json")),
        ];
        let secrets = secrets.map(|(name, secret)| (name.to_owned(), secret)).into();
        let objects = Objects { secrets, ..Objects::default() };
        let mut pod = Pod::default();
        pod.spec.image_pull_secrets =
            ["new", "old", "bad", "none"].map(|name| LocalObjectReference { name: name.to_owned() }).into();
        let users = |image: &str| -> Vec<(String, String)> {
            let found = for_image(&pod, &objects, image);
            found.into_iter().map(|one| (one.username, one.password)).collect()
        };
        let pair = |user: &str, password: &str| (user.to_owned(), password.to_owned());
        assert_eq!(users("reg.io/team/app"), [pair("bob", "x"), pair("ann", "hush")], "the closest first");
        assert_eq!(users("reg.io/app"), [pair("ann", "hush")]);
        assert_eq!(users("old.io/app:1"), [pair("eve", "y")]);
        assert!(users("else.io/app").is_empty());
        let shown = format!("{:?}", for_image(&pod, &objects, "reg.io/app"));
        assert!(shown.contains("ann") && !shown.contains("hush"), "{shown}");
    }
}
