//! Headers of requests that are passed on, and of their answers.

use std::net::IpAddr;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use keelson_proto::v1::ProxyHeader;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What concerns one connection only (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    PROXY_CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What begins the headers that say who asks: nobody's business but ours.
const OURS: [&str; 2] = ["impersonate-", "x-remote-"];

/// What the target is told of how the request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forwarded<'a> {
    /// The client's address, if there is one.
    pub(super) client: Option<IpAddr>,
    /// The host that it asked.
    pub(super) host: &'a str,
    /// Whether it asked over TLS.
    pub(super) is_secure: bool,
    /// The path that it asked for.
    pub(super) path: &'a str,
}

/// The protocol that a client wants to change to.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<&HeaderValue> {
    let changes = listed(headers).any(|name| name.eq_ignore_ascii_case("upgrade"));
    headers.get(UPGRADE).filter(|_| changes)
}

/// The headers that a target gets.
pub(super) fn sent(headers: &HeaderMap, changes: bool, forwarded: &Forwarded<'_>) -> Vec<ProxyHeader> {
    let mut sent = end_to_end(headers, changes);
    sent.remove(AUTHORIZATION);
    // Pages are rewritten on their way back, which is done on plain text.
    sent.remove(ACCEPT_ENCODING);
    let ours: Vec<HeaderName> =
        sent.keys().filter(|name| OURS.iter().any(|ours| name.as_str().starts_with(ours))).cloned().collect();
    for name in ours {
        sent.remove(name);
    }
    tell(&mut sent, forwarded);
    let named = sent.iter();
    named
        .map(|(name, value)| ProxyHeader {
            name: name.as_str().to_owned(),
            value: value.as_bytes().to_vec().into(),
        })
        .collect()
}

/// The headers that a client gets.
pub(super) fn answered(headers: Vec<ProxyHeader>, changed: bool) -> HeaderMap {
    let named = headers.into_iter().filter_map(|header| {
        Some((
            HeaderName::from_bytes(header.name.as_bytes()).ok()?,
            HeaderValue::from_maybe_shared(header.value).ok()?,
        ))
    });
    let mut all = HeaderMap::new();
    for (name, value) in named {
        all.append(name, value);
    }
    end_to_end(&all, changed)
}

/// The headers that do not concern one connection only; with those that change its protocol, if it does.
fn end_to_end(headers: &HeaderMap, changes: bool) -> HeaderMap {
    let mut kept = headers.clone();
    for name in listed(headers) {
        kept.remove(name);
    }
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    if let Some(protocol) = upgrade(headers).filter(|_| changes) {
        kept.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        kept.insert(UPGRADE, protocol.clone());
    }
    kept
}

/// The headers that `Connection` names.
fn listed(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

fn tell(headers: &mut HeaderMap, forwarded: &Forwarded<'_>) {
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(FORWARDED_URI, forwarded.path.to_owned());
    set(FORWARDED_PROTO, if forwarded.is_secure { "https" } else { "http" }.to_owned());
    if !forwarded.host.is_empty() {
        set(FORWARDED_HOST, forwarded.host.to_owned());
    }
    let Some(client) = forwarded.client else { return };
    let before: Vec<&str> =
        headers.get_all(FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok()).collect();
    let all =
        before.into_iter().map(str::to_owned).chain([client.to_string()]).collect::<Vec<_>>().join(", ");
    if let Ok(all) = HeaderValue::try_from(all) {
        headers.insert(FORWARDED_FOR, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn lines(headers: Vec<ProxyHeader>) -> Vec<String> {
        let mut lines: Vec<String> = headers
            .into_iter()
            .map(|header| format!("{}: {}", header.name, String::from_utf8_lossy(&header.value)))
            .collect();
        lines.sort();
        lines
    }

    const FORWARDED: Forwarded<'_> = Forwarded {
        client: Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        host: "gateway",
        is_secure: true,
        path: "/base/x",
    };

    #[test]
    fn a_target_learns_who_asked_but_gets_no_credentials() {
        let received = headers(&[
            ("accept", "text/html"),
            ("accept-encoding", "gzip"),
            ("authorization", "Bearer secret"),
            ("connection", "keep-alive, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("impersonate-user", "ann"),
            ("x-remote-group", "system:masters"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "gopher"),
        ]);
        let expected = [
            "accept: text/html",
            "x-forwarded-for: 192.0.2.1, 127.0.0.1",
            "x-forwarded-host: gateway",
            "x-forwarded-proto: https",
            "x-forwarded-uri: /base/x",
        ];
        assert_eq!(lines(sent(&received, false, &FORWARDED)), expected);
    }

    #[test]
    fn a_change_of_protocol_is_passed_on() {
        let received =
            headers(&[("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "k")]);
        assert_eq!(upgrade(&received).unwrap(), "websocket");
        let all = lines(sent(&received, true, &FORWARDED));
        assert!(
            all.contains(&"connection: Upgrade".to_owned()) && all.contains(&"upgrade: websocket".to_owned())
        );
        assert!(all.contains(&"sec-websocket-key: k".to_owned()));
        assert_eq!(upgrade(&headers(&[("upgrade", "websocket")])), None);
    }

    #[test]
    fn answers_keep_what_is_for_the_client() {
        let header = |name: &str, value: &str| ProxyHeader {
            name: name.to_owned(),
            value: value.as_bytes().to_vec().into(),
        };
        let answer = answered(
            vec![
                header("set-cookie", "a=1"),
                header("set-cookie", "b=2"),
                header("connection", "close"),
                header("transfer-encoding", "chunked"),
                header("bad name", "x"),
                header("bad-value", "x\ny"),
            ],
            false,
        );
        assert_eq!(answer.get_all("set-cookie").iter().count(), 2);
        assert_eq!(answer.len(), 2);
    }
}
