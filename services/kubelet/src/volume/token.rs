//! Tokens of service accounts for the pods of this node: asked for once, renewed when four fifths of their life are over.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use keelson_base_client::{Api, ApiError};
use keelson_proto::authentication::{BoundObjectReference, TokenRequest};
use keelson_proto::core::{Pod, ServiceAccount};
use keelson_proto::v1::CreateTokenRequest;

use super::content::Wanted;
use crate::clock::{Clock, later, until};

/// The longest time that a token is used, whatever its life.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long an old token that is still good stays in use when no new one is to be had.
const RETRY: Duration = Duration::from_secs(60);

/// Makes tokens of service accounts.
pub trait Issuer: Send + Sync + 'static {
    /// A token of the account `name`, as `request` asks for it.
    fn issue<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        request: TokenRequest,
    ) -> BoxFuture<'a, Result<TokenRequest, ApiError>>;
}

/// The tokens that the pods of this node hold.
pub(super) struct Tokens {
    issuer: Box<dyn Issuer>,
    clock: Clock,
    /// By uid of the pod.
    held: Mutex<BTreeMap<String, BTreeMap<Wanted, Token>>>,
}

/// A token.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) token: String,
    /// When to ask for another.
    pub(super) renew_at: Timestamp,
    expires: Timestamp,
}

// === impl Issuer ===

impl Issuer for Api<ServiceAccount> {
    fn issue<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
        request: TokenRequest,
    ) -> BoxFuture<'a, Result<TokenRequest, ApiError>> {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let request = CreateTokenRequest { namespace, name, object: Some(request), options: None };
        async move { self.raw().unary("CreateToken", &request).await }.boxed()
    }
}

// === impl Tokens ===

impl Tokens {
    pub(super) fn new(issuer: Box<dyn Issuer>, clock: Clock) -> Self {
        Self { issuer, clock, held: Mutex::default() }
    }

    /// The token of the pod's account for an audience, a new one if it is time.
    pub(super) async fn get(&self, pod: &Pod, wanted: &Wanted) -> Result<Token, ApiError> {
        let now = self.clock.now();
        let uid = &pod.metadata.uid;
        let held = self.held().get(uid).and_then(|tokens| tokens.get(wanted)).cloned();
        if let Some(held) = held.as_ref().filter(|held| held.renew_at > now) {
            return Ok(held.clone());
        }
        let token = match self.ask(pod, wanted, now).await {
            Ok(token) => token,
            Err(error) => match held.filter(|held| held.expires > now) {
                Some(old) => {
                    let name = &pod.metadata.name;
                    tracing::warn!(pod = %name, %error, "cannot renew a token; the old one is good for a while");
                    Token { renew_at: later(now, RETRY), ..old }
                }
                None => return Err(error),
            },
        };
        self.held().entry(uid.clone()).or_default().insert(wanted.clone(), token.clone());
        Ok(token)
    }

    /// The pod is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.held().remove(uid);
    }

    async fn ask(&self, pod: &Pod, wanted: &Wanted, now: Timestamp) -> Result<Token, ApiError> {
        let metadata = &pod.metadata;
        let mut request = TokenRequest::default();
        request.spec.audiences.extend(Some(wanted.audience.clone()).filter(|audience| !audience.is_empty()));
        request.spec.expiration_seconds = Some(wanted.seconds);
        request.spec.bound_object_ref = Some(BoundObjectReference {
            kind: "Pod".to_owned(),
            api_version: "v1".to_owned(),
            name: metadata.name.clone(),
            uid: metadata.uid.clone(),
        });
        let account = Some(pod.spec.service_account_name.as_str()).filter(|name| !name.is_empty());
        let account = account.unwrap_or("default");
        let status = self.issuer.issue(&metadata.namespace, account, request).await?.status;
        let end = status.expiration_timestamp.map_or(0, |end| end.seconds);
        let expires = Timestamp::from_second(end).unwrap_or(now);
        let renew_at = later(now, until(now, expires).mul_f64(0.8).min(LONGEST));
        Ok(Token { token: status.token, renew_at, expires })
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<Wanted, Token>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use keelson_proto::authentication::TokenRequestStatus;

    use super::*;

    /// Numbers its tokens; fails while `down`.
    #[derive(Clone, Default)]
    struct Numbering {
        made: Arc<AtomicU32>,
        down: Arc<AtomicU32>,
        clock: Option<Clock>,
    }

    impl Issuer for Numbering {
        fn issue<'a>(
            &'a self,
            namespace: &'a str,
            name: &'a str,
            request: TokenRequest,
        ) -> BoxFuture<'a, Result<TokenRequest, ApiError>> {
            let answer = if self.down.load(Ordering::Relaxed) > 0 {
                Err(ApiError::service_unavailable("down"))
            } else {
                let made = self.made.fetch_add(1, Ordering::Relaxed);
                let bound = request.spec.bound_object_ref.clone().unwrap_or_default();
                let token = format!("{made} {namespace}/{name} {}/{}", bound.name, bound.uid);
                let end = self.clock.as_ref().unwrap().now().as_second();
                let end = end + request.spec.expiration_seconds.unwrap();
                let expiration_timestamp = Some(keelson_proto::meta::Time { seconds: end, nanos: 0 });
                Ok(TokenRequest { status: TokenRequestStatus { token, expiration_timestamp }, ..request })
            };
            std::future::ready(answer).boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_used_for_four_fifths_of_its_life() {
        let clock = Clock::tokio(Timestamp::from_second(1_700_000_000).unwrap());
        let issuer = Numbering { clock: Some(clock.clone()), ..Numbering::default() };
        let tokens = Tokens::new(Box::new(issuer.clone()), clock);
        let mut pod = Pod::default();
        (pod.metadata.namespace, pod.metadata.name) = ("shop".to_owned(), "web".to_owned());
        pod.metadata.uid = "u".to_owned();
        let wanted = Wanted { audience: String::new(), seconds: 1000 };
        let get = async || tokens.get(&pod, &wanted).await.map(|token| token.token);
        assert_eq!(get().await.unwrap(), "0 shop/default web/u");
        tokio::time::sleep(Duration::from_secs(790)).await;
        assert_eq!(get().await.unwrap(), "0 shop/default web/u");
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert_eq!(get().await.unwrap(), "1 shop/default web/u");
        issuer.down.store(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(900)).await;
        assert_eq!(get().await.unwrap(), "1 shop/default web/u", "good for a while");
        tokio::time::sleep(Duration::from_secs(200)).await;
        assert!(get().await.is_err(), "its end has come");
        issuer.down.store(0, Ordering::Relaxed);
        assert_eq!(get().await.unwrap(), "2 shop/default web/u");
        tokens.forget("u");
        assert_eq!(get().await.unwrap(), "3 shop/default web/u");
    }
}
