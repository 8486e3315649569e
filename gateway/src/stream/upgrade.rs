//! Which protocol a client wants to change to: a pure function of its headers.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use keelson_base_model::status::{ApiError, Reason};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The header in which SPDY's clients name what they speak above it.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// What begins a protocol that is none: browsers send their token so.
const TOKEN: &str = "base64url.bearer.authorization.k8s.io.";

/// A change of protocol that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// To WebSocket: the client's key, and what it offers to speak above it.
    WebSocket {
        /// What the answer is made from.
        key: HeaderValue,
        /// Best first.
        protocols: Vec<String>,
    },
    /// To SPDY/3.1: what it offers to speak above it.
    Spdy {
        /// Best first.
        protocols: Vec<String>,
    },
}

// === impl Upgrade ===

impl Upgrade {
    /// Reads what a client asks for; None if it asks for no protocol that is known here.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let upgrades = words(headers, &CONNECTION).any(|word| word.eq_ignore_ascii_case("upgrade"));
        let protocol = words(headers, &UPGRADE).next().filter(|_| upgrades)?;
        if protocol.eq_ignore_ascii_case("websocket") {
            let key = headers.get(SEC_WEBSOCKET_KEY)?.clone();
            let protocols = words(headers, &SEC_WEBSOCKET_PROTOCOL).filter(|word| !word.starts_with(TOKEN));
            return Some(Self::WebSocket { key, protocols: protocols.map(str::to_owned).collect() });
        }
        let protocols = words(headers, &STREAM_PROTOCOL).map(str::to_owned).collect();
        protocol.eq_ignore_ascii_case("SPDY/3.1").then_some(Self::Spdy { protocols })
    }

    /// The same, where nothing else makes sense.
    pub(crate) fn required(headers: &HeaderMap) -> Result<Self, ApiError> {
        Self::read(headers).ok_or_else(|| {
            ApiError::bad_request(
                "Upgrade request required: this is served over WebSocket and SPDY/3.1, by HTTP/1.1 requests that say so",
            )
        })
    }

    /// The first of the protocols that the client offers which is `known`; the empty one if it offers none, as 1.0's
    /// clients do.
    pub(crate) fn choose(&self, known: &[&'static str]) -> Result<&'static str, ApiError> {
        let (Self::WebSocket { protocols, .. } | Self::Spdy { protocols }) = self;
        let mut offered = protocols.iter();
        match offered.find_map(|offered| known.iter().find(|known| *known == offered)) {
            Some(chosen) => Ok(chosen),
            None if protocols.is_empty() => Ok(""),
            None => Err(ApiError::new(
                Reason::Forbidden,
                format!("none of the protocols {protocols:?} is served: choose one of {known:?}"),
            )),
        }
    }

    /// The answer that changes the protocol, naming what was chosen.
    pub(crate) fn accept(&self, chosen: &'static str) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        let named = match self {
            Self::WebSocket { key, .. } => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                if let Ok(accepted) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
                    headers.insert(SEC_WEBSOCKET_ACCEPT, accepted);
                }
                SEC_WEBSOCKET_PROTOCOL
            }
            Self::Spdy { .. } => {
                headers.insert(UPGRADE, HeaderValue::from_static("SPDY/3.1"));
                STREAM_PROTOCOL
            }
        };
        if !chosen.is_empty() {
            headers.insert(named, HeaderValue::from_static(chosen));
        }
        response
    }
}

/// The words of a header that is a list.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let texts = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        lines.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    /// What is asked for in a few words.
    fn read(text: &str) -> String {
        match Upgrade::read(&headers(text)) {
            Some(Upgrade::WebSocket { protocols, .. }) => format!("websocket {}", protocols.join(" ")),
            Some(Upgrade::Spdy { protocols }) => format!("spdy {}", protocols.join(" ")),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn headers_say_what_is_wanted() {
        let table = [
            ("Connection: Upgrade\nUpgrade: SPDY/3.1", "spdy "),
            (
                "Connection: keep-alive, upgrade\nUpgrade: spdy/3.1\nX-Stream-Protocol-Version: a\nX-Stream-Protocol-Version: b, c",
                "spdy a b c",
            ),
            (
                "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: x\nSec-WebSocket-Protocol: v5.channel.k8s.io",
                "websocket v5.channel.k8s.io",
            ),
            (
                "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: x\nSec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.c2VjcmV0",
                "websocket ",
            ),
            ("Connection: Upgrade\nUpgrade: websocket", "none"),
            ("Upgrade: SPDY/3.1", "none"),
            ("Connection: Upgrade\nUpgrade: h2c", "none"),
            ("", "none"),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(Upgrade::required(&HeaderMap::new()).unwrap_err().code(), 400);
    }

    #[test]
    fn the_clients_first_known_protocol_is_chosen() {
        let known = &["v4", "v3"];
        for (offered, chosen) in [("v5, v3, v4", Some("v3")), ("", Some("")), ("v9", None)] {
            let text =
                format!("Connection: Upgrade\nUpgrade: SPDY/3.1\nX-Stream-Protocol-Version: {offered}");
            let upgrade = Upgrade::read(&headers(&text)).unwrap();
            assert_eq!(upgrade.choose(known).ok(), chosen, "{offered}");
        }
    }

    #[test]
    fn a_change_is_answered_as_its_protocol_wants() {
        // The example of RFC 6455.
        let text = "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        let response = Upgrade::read(&headers(text)).unwrap().accept("v4.channel.k8s.io");
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()["sec-websocket-protocol"], "v4.channel.k8s.io");
        let response = Upgrade::Spdy { protocols: vec![] }.accept("");
        assert_eq!(response.headers()["upgrade"], "SPDY/3.1");
        assert!(!response.headers().contains_key("x-stream-protocol-version"));
    }
}
