//! Who asks: the ways to find out.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use keelson_base_client::{REMOTE_GROUP, REMOTE_USER};
use keelson_base_daemon::tls::Peer;
use keelson_base_model::status::ApiError;
use keelson_proto::authentication::{ExtraValue, UserInfo};

use crate::audit::Entry;
use crate::auth::accounts::Accounts;
use crate::auth::caller::ANONYMOUS;
use crate::auth::files::Known;
use crate::auth::impersonate::impersonated;
use crate::auth::{Access, Caller, GATEWAY, jwt};

/// Finds out who asks.
pub(crate) struct Authenticator {
    pub(crate) anonymous: bool,
    pub(crate) tokens: Known,
    pub(crate) passwords: Known,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) access: Arc<Access>,
}

/// What a request brings to say who asks.
#[derive(Debug)]
enum Brought<'a> {
    /// A certificate, or the gateway's word for one.
    Known(Caller),
    Bearer(&'a str),
    Basic(&'a str),
    Nothing,
}

// === impl Authenticator ===

impl Authenticator {
    /// Who asks. `entry` is told, if there is one.
    ///
    /// # Errors
    /// Unauthorized if nobody can be made out; Forbidden if somebody speaks for others who may not.
    pub(crate) async fn caller(
        &self,
        peer: Option<&Peer>,
        headers: &HeaderMap,
        entry: Option<Entry>,
    ) -> Result<Caller, ApiError> {
        let caller = match brought(peer, headers)? {
            Brought::Known(caller) if caller.user == ANONYMOUS => self.nobody()?,
            Brought::Known(caller) => caller.authenticated(),
            Brought::Bearer(token) => {
                self.token(token, &[]).await.map(|(caller, _)| caller).map_err(|error| {
                    tracing::debug!(%error, "a bearer token is refused");
                    ApiError::unauthorized("")
                })?
            }
            Brought::Basic(encoded) => self.password(encoded)?,
            Brought::Nothing => self.nobody()?,
        };
        let other = impersonated(&self.access, &caller, headers)?;
        if let Some(entry) = &entry {
            entry.callers(&caller, other.as_ref());
        }
        Ok(Caller { audit: entry, ..other.unwrap_or(caller) })
    }

    /// Whose token this is, and for which of the audiences asked for (those of this API if none are) it is made.
    ///
    /// # Errors
    /// Unauthorized, and why.
    pub(crate) async fn token(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<(Caller, Vec<String>), ApiError> {
        let own = self.accounts.audiences();
        let asked = if audiences.is_empty() { own } else { audiences };
        if let Some(caller) = self.tokens.find(token) {
            let both: Vec<String> = asked.iter().filter(|audience| own.contains(audience)).cloned().collect();
            return match both.is_empty() {
                true => Err(ApiError::unauthorized("the token is not for these audiences")),
                false => Ok((caller.clone().authenticated(), both)),
            };
        }
        if jwt::is_like(token) {
            return self.accounts.check(token, asked).await;
        }
        Err(ApiError::unauthorized("invalid bearer token"))
    }

    fn password(&self, encoded: &str) -> Result<Caller, ApiError> {
        let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let found = decoded.and_then(|secret| self.passwords.find(&secret).cloned());
        found.map(Caller::authenticated).ok_or_else(|| ApiError::unauthorized(""))
    }

    fn nobody(&self) -> Result<Caller, ApiError> {
        if self.anonymous { Ok(Caller::anonymous()) } else { Err(ApiError::unauthorized("")) }
    }
}

/// What a request brings. A certificate counts before a token.
fn brought<'a>(peer: Option<&Peer>, headers: &'a HeaderMap) -> Result<Brought<'a>, ApiError> {
    let gateway = peer.is_some_and(|peer| peer.common_name == GATEWAY);
    if let Some(user) = headers.get(REMOTE_USER) {
        if !gateway {
            let who = peer.map_or(ANONYMOUS, |peer| &peer.common_name);
            return Err(ApiError::forbidden("", "", format!("{who} may not speak for other users")));
        }
        let groups = headers.get_all(REMOTE_GROUP).iter();
        let groups = groups.map(readable).collect::<Result<_, _>>()?;
        return Ok(Brought::Known(Caller::new(readable(user)?, groups)));
    }
    let credential = headers.get(AUTHORIZATION);
    match (peer, credential) {
        (Some(peer), credential) if !gateway || credential.is_none() => {
            Ok(Brought::Known(Caller::new(peer.common_name.as_str(), peer.organizations.clone())))
        }
        (_, Some(credential)) => {
            let text = credential.to_str().map_err(|_| ApiError::unauthorized(""))?;
            let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
            match scheme.to_ascii_lowercase().as_str() {
                "bearer" => Ok(Brought::Bearer(rest.trim())),
                "basic" => Ok(Brought::Basic(rest.trim())),
                _ => Err(ApiError::unauthorized("")),
            }
        }
        (_, None) => Ok(Brought::Nothing),
    }
}

/// A name that the gateway forwards. One that cannot be read is nobody, and not the gateway itself.
fn readable(value: &HeaderValue) -> Result<String, ApiError> {
    let text = value.to_str().ok().filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or_else(|| ApiError::unauthorized("the forwarded user or group cannot be read"))
}

/// A caller as reviews and the audit log tell of it.
pub(crate) fn user_info(caller: &Caller) -> UserInfo {
    let extra = caller.extra.iter();
    let extra: BTreeMap<_, _> =
        extra.map(|(key, values)| (key.clone(), ExtraValue { items: values.clone() })).collect();
    UserInfo { username: caller.user.clone(), uid: caller.uid.clone(), groups: caller.groups.clone(), extra }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NODES;

    fn mk_headers(headers: &[(&'static str, &[u8])]) -> HeaderMap {
        let value = |value: &[u8]| HeaderValue::from_bytes(value).unwrap();
        headers.iter().map(|(name, text)| (http::HeaderName::from_static(name), value(text))).collect()
    }

    fn mk_peer(name: &str) -> Peer {
        Peer { common_name: name.into(), organizations: vec![NODES.into()] }
    }

    /// Who is known, or what else was brought.
    fn found(peer: Option<&str>, headers: &[(&'static str, &[u8])]) -> Result<String, u16> {
        match brought(peer.map(mk_peer).as_ref(), &mk_headers(headers)) {
            Ok(Brought::Known(caller)) => Ok(caller.user),
            Ok(other) => Ok(format!("{other:?}")),
            Err(error) => Err(error.code()),
        }
    }

    #[test]
    fn only_the_gateway_forwards_and_only_what_can_be_read() {
        for (peer, user, expected) in [
            (Some(GATEWAY), &b"alice"[..], Ok("alice".to_owned())),
            (Some(GATEWAY), b"\xc3\xa4", Err(401)),
            (Some(GATEWAY), b"", Err(401)),
            (Some("mallory"), b"alice", Err(403)),
            (None, b"alice", Err(403)),
        ] {
            assert_eq!(found(peer, &[(REMOTE_USER, user)]), expected, "{peer:?} {user:?}");
        }
        assert_eq!(found(Some(GATEWAY), &[]), Ok(GATEWAY.to_owned()));
        assert_eq!(found(None, &[]), Ok("Nothing".to_owned()));
    }

    #[test]
    fn a_certificate_counts_before_a_token_but_the_gateway_passes_tokens_on() {
        let bearer: &[(&str, &[u8])] = &[("authorization", b"Bearer  abc")];
        assert_eq!(found(None, bearer), Ok("Bearer(\"abc\")".to_owned()));
        assert_eq!(found(Some(GATEWAY), bearer), Ok("Bearer(\"abc\")".to_owned()));
        assert_eq!(found(Some("ann"), bearer), Ok("ann".to_owned()));
        assert_eq!(found(None, &[("authorization", b"basic YTpi")]), Ok("Basic(\"YTpi\")".to_owned()));
        for wrong in [&b"Digest x"[..], b"", b"\xff"] {
            assert_eq!(found(None, &[("authorization", wrong)]), Err(401));
        }
    }
}
