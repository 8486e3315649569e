//! Paths below which requests are passed on: whatever follows is the target's own.

use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::{Node, Pod, Service};
use percent_encoding::percent_decode_str;

use super::{Call, Verb};

/// A request that is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxied<'a> {
    /// To whom.
    pub(crate) call: Call,
    /// The path up to where the target's own begins, without a slash at the end.
    pub(crate) base: &'a str,
    /// The target's own, as it was sent: empty, or with a slash at its beginning.
    pub(crate) path: &'a str,
}

/// Reads a path; None if nothing is passed on below it. It is
/// `/api/v1/namespaces/<namespace>/{pods,services}/<name>/proxy[/…]` or `/api/v1/nodes/<name>/proxy[/…]`, and as 1.0 had
/// it `/api/v1/proxy/namespaces/<namespace>/{pods,services}/<name>[/…]` or `/api/v1/proxy/nodes/<name>[/…]`.
pub(crate) fn read(path: &str) -> Result<Option<Proxied<'_>>, ApiError> {
    let mut rest = path;
    let mut parts = [""; 7];
    let mut count = 0;
    for part in &mut parts {
        let Some(after) = rest.strip_prefix('/') else { break };
        *part = after.split('/').next().unwrap_or_default();
        rest = &after[part.len()..];
        count += 1;
    }
    let found = match &parts[..count] {
        ["api", "v1", "namespaces", namespace, plural @ ("pods" | "services"), name, "proxy", ..] => {
            Some((*plural, *namespace, *name, 7))
        }
        ["api", "v1", "nodes", name, "proxy", ..] => Some(("nodes", "", *name, 5)),
        ["api", "v1", "proxy", "namespaces", namespace, plural @ ("pods" | "services"), name, ..] => {
            Some((*plural, *namespace, *name, 7))
        }
        ["api", "v1", "proxy", "nodes", name, ..] => Some(("nodes", "", *name, 5)),
        _ => None,
    };
    let Some((plural, namespace, name, length)) = found else { return Ok(None) };
    let kind = match plural {
        "pods" => Pod::KIND,
        "services" => Service::KIND,
        _ => Node::KIND,
    };
    let (namespace, name) = (decoded(namespace)?, decoded(name)?);
    if name.is_empty() || (kind.namespaced && namespace.is_empty()) {
        return Err(ApiError::unknown_resource());
    }
    let base: usize = parts[..length].iter().map(|part| part.len() + 1).sum();
    let (base, path) = path.split_at(base);
    Ok(Some(Proxied { call: Call { verb: Verb::Proxy, kind, namespace, name }, base, path }))
}

fn decoded(part: &str) -> Result<String, ApiError> {
    let text = percent_decode_str(part).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| ApiError::bad_request("the path is not valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_follows_is_the_targets_own() {
        let table = [
            (
                "/api/v1/namespaces/a/pods/web/proxy",
                Some(("pods a/web", "/api/v1/namespaces/a/pods/web/proxy", "")),
            ),
            (
                "/api/v1/namespaces/a/pods/http:web:80/proxy/",
                Some(("pods a/http:web:80", "/api/v1/namespaces/a/pods/http:web:80/proxy", "/")),
            ),
            (
                "/api/v1/namespaces/a/services/web:http/proxy//a%2Fb/../c/",
                Some((
                    "services a/web:http",
                    "/api/v1/namespaces/a/services/web:http/proxy",
                    "//a%2Fb/../c/",
                )),
            ),
            ("/api/v1/nodes/n1/proxy/healthz", Some(("nodes /n1", "/api/v1/nodes/n1/proxy", "/healthz"))),
            ("/api/v1/nodes/n1:10250/proxy", Some(("nodes /n1:10250", "/api/v1/nodes/n1:10250/proxy", ""))),
            (
                "/api/v1/proxy/namespaces/a/pods/web/index.html",
                Some(("pods a/web", "/api/v1/proxy/namespaces/a/pods/web", "/index.html")),
            ),
            ("/api/v1/proxy/nodes/n1", Some(("nodes /n1", "/api/v1/proxy/nodes/n1", ""))),
            (
                "/api/v1/proxy/nodes/https%3An1%3A80/x",
                Some(("nodes /https:n1:80", "/api/v1/proxy/nodes/https%3An1%3A80", "/x")),
            ),
            ("/api/v1/namespaces/a/pods/web", None),
            ("/api/v1/namespaces/a/pods/proxy", None),
            ("/api/v1/namespaces/a/secrets/web/proxy", None),
            ("/api/v1/proxy", None),
            ("/apis/v1/nodes/n1/proxy", None),
            ("", None),
            ("/", None),
        ];
        for (path, expected) in table {
            let read = read(path).unwrap();
            let read = read.map(|proxied| {
                let Call { kind, namespace, name, .. } = proxied.call;
                (format!("{} {namespace}/{name}", kind.plural), proxied.base, proxied.path)
            });
            let expected = expected.map(|(call, base, path)| (call.to_owned(), base, path));
            assert_eq!(read, expected, "{path}");
        }
        for path in ["/api/v1/nodes//proxy", "/api/v1/namespaces//pods/web/proxy", "/api/v1/proxy/nodes/"] {
            assert_eq!(read(path).unwrap_err().code(), 404, "{path}");
        }
    }
}
