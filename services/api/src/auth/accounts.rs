//! The tokens of service accounts: made here, and good as long as what they are bound to is there.

use std::sync::Arc;

use bytes::Bytes;
use keelson_base_model::field::{FieldError, Path};
use keelson_base_model::status::ApiError;
use keelson_proto::authentication::{BoundObjectReference, TokenRequest, TokenRequestStatus};
use keelson_proto::core::{Node, Pod, Secret, ServiceAccount};
use keelson_proto::meta::{ObjectMeta, Time};
use keelson_proto::v1::{CreateTokenRequest, GetRequest, IssuerResponse};
use keelson_proto::{Message, Object, wire};
use serde_json::json;

use crate::auth::caller::CONTROLLERS;
use crate::auth::claims::{Claims, LEGACY_ISSUER, Ref};
use crate::auth::keys::{PublicKey, SigningKey};
use crate::auth::{Caller, MASTERS, jwt};
use crate::errors::dry_run;
use crate::registry::Noun;

/// Seconds that a token is good for unless it is said, and the shortest and longest that may be said.
const USUAL: i64 = 3600;
const SHORTEST: i64 = 600;
const LONGEST: i64 = 1 << 32;

/// Seconds for which the token of something that is being deleted is still good: programs end in good order.
const LEEWAY: i64 = 60;

/// The key of a secret's token.
const TOKEN: &str = "token";

const EXTRA: &str = "authentication.kubernetes.io/";

/// Who issues tokens, and with which keys.
#[derive(Debug, Default)]
pub(crate) struct Issuer {
    /// Its name, a URL.
    pub(crate) name: String,
    /// Audiences by which tokens mean this API.
    pub(crate) audiences: Vec<String>,
    /// What new tokens are signed with.
    pub(crate) signing: Option<SigningKey>,
    /// What tokens are checked with.
    pub(crate) keys: Vec<PublicKey>,
}

/// Makes and checks the tokens of service accounts.
pub(crate) struct Accounts {
    pub(crate) issuer: Issuer,
    pub(crate) accounts: Arc<dyn Noun>,
    pub(crate) secrets: Arc<dyn Noun>,
    pub(crate) pods: Arc<dyn Noun>,
    pub(crate) nodes: Arc<dyn Noun>,
}

// === impl Accounts ===

impl Accounts {
    /// Audiences by which tokens mean this API.
    pub(crate) fn audiences(&self) -> &[String] {
        &self.issuer.audiences
    }

    /// How others check tokens.
    pub(crate) fn documents(&self) -> IssuerResponse {
        let name = &self.issuer.name;
        let mut algorithms: Vec<&str> = self.issuer.keys.iter().map(PublicKey::algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        let configuration = json!({
            "issuer": name,
            "jwks_uri": format!("{}/openid/v1/jwks", name.trim_end_matches('/')),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
        });
        let keys: Vec<_> = self.issuer.keys.iter().map(PublicKey::to_jwk).collect();
        IssuerResponse { configuration: configuration.to_string(), keys: json!({ "keys": keys }).to_string() }
    }

    /// Makes a token.
    ///
    /// # Errors
    /// NotFound without the account, Invalid, Conflict if what it is to be bound to is another, and Forbidden for kubelets
    /// that ask for pods of others.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        request: CreateTokenRequest,
    ) -> Result<TokenRequest, ApiError> {
        let CreateTokenRequest { namespace, name, object, options } = request;
        dry_run("CreateOptions", &options.unwrap_or_default().dry_run)?;
        let mut asked = object.unwrap_or_default();
        check_metadata(&asked.metadata, &namespace, &name)?;
        let account = self.get(&*self.accounts, &namespace, &name).await?;
        let account = metadata(&account)?;
        let mut claims = Claims {
            issuer: self.issuer.name.clone(),
            namespace: namespace.clone(),
            account: Ref::new(&name, &account.uid),
            id: uuid::Uuid::new_v4().to_string(),
            ..Claims::default()
        };
        if asked.spec.audiences.is_empty() {
            asked.spec.audiences = self.issuer.audiences.clone();
        }
        claims.audiences.clone_from(&asked.spec.audiences);
        let seconds = *asked.spec.expiration_seconds.get_or_insert(USUAL);
        let legacy = seconds == 0 && self.is_filling_secret(caller, asked.spec.bound_object_ref.as_ref());
        if !legacy {
            check_seconds(seconds)?;
        }
        if let Some(bound) = &asked.spec.bound_object_ref {
            self.bind(&mut claims, bound).await?;
        }
        self.check_node(caller, &claims)?;
        let now = Time::now().seconds;
        (claims.issued, claims.not_before, claims.expires) = (now, Some(now), Some(now + seconds));
        if legacy {
            claims = Claims {
                issuer: LEGACY_ISSUER.to_owned(),
                namespace,
                account: claims.account,
                secret: claims.secret,
                ..Claims::default()
            };
        }
        let key = self.issuer.signing.as_ref().ok_or_else(|| {
            ApiError::service_unavailable(
                "this server makes no tokens: it was started without --service-account-signing-key-file",
            )
        })?;
        let token = jwt::sign(key, &claims.to_json()).map_err(ApiError::internal)?;
        asked.metadata.name = name;
        asked.metadata.namespace.clone_from(&claims.namespace);
        asked.metadata.creation_timestamp = Some(Time { seconds: now, nanos: 0 });
        let expiration_timestamp = (!legacy).then_some(Time { seconds: now + seconds, nanos: 0 });
        asked.status = TokenRequestStatus { token, expiration_timestamp };
        Ok(asked)
    }

    /// Whose token this is, and for which of these audiences it is made.
    ///
    /// # Errors
    /// Unauthorized, and why.
    pub(crate) async fn check(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<(Caller, Vec<String>), ApiError> {
        let claims = jwt::verify(token, &self.issuer.keys).map_err(ApiError::unauthorized)?;
        let claims = Claims::from_json(&claims).map_err(ApiError::unauthorized)?;
        claims.check_time(Time::now().seconds)?;
        let meant = if claims.is_legacy() {
            // Tokens of the old kind say nothing of audiences: they mean this API.
            audiences.iter().filter(|asked| self.issuer.audiences.contains(asked)).cloned().collect()
        } else if claims.issuer == self.issuer.name {
            claims.audiences.iter().filter(|of| audiences.contains(of)).cloned().collect::<Vec<_>>()
        } else {
            return Err(ApiError::unauthorized("the token is of another issuer"));
        };
        if meant.is_empty() {
            return Err(ApiError::unauthorized("the token is not for these audiences"));
        }
        self.check_objects(&claims, token).await?;
        Ok((caller(&claims), meant))
    }

    /// That everything the token speaks of is there still.
    async fn check_objects(&self, claims: &Claims, token: &str) -> Result<(), ApiError> {
        let namespace = &claims.namespace;
        self.find(&*self.accounts, namespace, &claims.account, "service account").await?;
        if let Some(pod) = &claims.pod {
            self.find(&*self.pods, namespace, pod, "pod").await?;
        } else if let Some(node) = &claims.node {
            self.find(&*self.nodes, "", node, "node").await?;
        }
        let Some(secret) = &claims.secret else { return Ok(()) };
        let secret = self.find(&*self.secrets, namespace, secret, "secret").await?;
        let held = Secret::decode(secret).map_err(unreadable)?;
        if claims.is_legacy() && held.data.get(TOKEN).map(Vec::as_slice) != Some(token.as_bytes()) {
            return Err(ApiError::unauthorized("the token is no longer the secret's"));
        }
        Ok(())
    }

    /// An object that is there and is the same: as the cache knows it, or, if that does not, the store.
    async fn find(
        &self,
        noun: &dyn Noun,
        namespace: &str,
        wanted: &Ref,
        what: &str,
    ) -> Result<Bytes, ApiError> {
        for version in ["0", ""] {
            let request = GetRequest {
                namespace: namespace.to_owned(),
                name: wanted.name.clone(),
                resource_version: version.to_owned(),
            };
            match noun.get(request).await {
                Ok(object) => {
                    let meta = metadata(&object)?;
                    let same = wanted.uid.is_empty() || wanted.uid == meta.uid;
                    let end = meta.deletion_timestamp.map(|end| end.seconds + LEEWAY);
                    if same && end.is_none_or(|end| Time::now().seconds < end) {
                        return Ok(object);
                    }
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Err(ApiError::unauthorized(format!("the token's {what} is gone")))
    }

    async fn get(&self, noun: &dyn Noun, namespace: &str, name: &str) -> Result<Bytes, ApiError> {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        noun.get(GetRequest { namespace, name, resource_version: String::new() }).await
    }

    /// Binds a token to an object.
    async fn bind(&self, claims: &mut Claims, to: &BoundObjectReference) -> Result<(), ApiError> {
        let namespace = claims.namespace.clone();
        let same = |meta: &ObjectMeta, kind| {
            if to.uid.is_empty() || to.uid == meta.uid {
                return Ok(Ref::new(&meta.name, &meta.uid));
            }
            let why = format!(
                "the UID in the bound object reference ({}) does not match the UID in record. The object might have been deleted and then recreated",
                to.uid
            );
            Err(ApiError::conflict_because(kind, &to.name, why))
        };
        match (to.api_version.as_str(), to.kind.as_str()) {
            ("v1", "Pod") => {
                let pod = self.get(&*self.pods, &namespace, &to.name).await?;
                let pod = Pod::decode(pod).map_err(unreadable)?;
                let runs_as = match pod.spec.service_account_name.as_str() {
                    "" => "default",
                    name => name,
                };
                if runs_as != claims.account.name {
                    return Err(ApiError::bad_request(format!(
                        "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                        claims.account.name
                    )));
                }
                claims.pod = Some(same(&pod.metadata, Pod::KIND)?);
                if !pod.spec.node_name.is_empty() {
                    let node = self.get(&*self.nodes, "", &pod.spec.node_name).await;
                    let uid = node.and_then(|node| Ok(metadata(&node)?.uid)).unwrap_or_default();
                    claims.node =
                        Some(Ref::new(&pod.spec.node_name, &uid)).filter(|node| !node.uid.is_empty());
                }
            }
            ("v1", "Secret") => {
                let secret = self.get(&*self.secrets, &namespace, &to.name).await?;
                claims.secret = Some(same(&metadata(&secret)?, Secret::KIND)?);
            }
            ("v1", "Node") => {
                let node = self.get(&*self.nodes, "", &to.name).await?;
                claims.node = Some(same(&metadata(&node)?, Node::KIND)?);
            }
            (version, kind) => {
                return Err(ApiError::bad_request(format!(
                    "cannot bind token to object of type {version}, Kind={kind}"
                )));
            }
        }
        Ok(())
    }

    /// Whether the loop that fills the secrets of accounts asks for what goes into one.
    fn is_filling_secret(&self, caller: &Caller, bound: Option<&BoundObjectReference>) -> bool {
        (caller.user == CONTROLLERS || caller.is_in(MASTERS)) && bound.is_some_and(|to| to.kind == "Secret")
    }

    /// That a kubelet asks for the pods on its node, and no others.
    fn check_node(&self, caller: &Caller, claims: &Claims) -> Result<(), ApiError> {
        let Some(node) = caller.node().filter(|_| !caller.is_in(MASTERS)) else { return Ok(()) };
        let why = match (&claims.pod, &claims.node) {
            (None, _) => "node requested token not bound to a pod",
            (Some(_), Some(of)) if of.name == node => return Ok(()),
            (Some(_), _) => "node requested token bound to a pod scheduled on a different node",
        };
        Err(ApiError::forbidden(ServiceAccount::KIND, &claims.account.name, why))
    }
}

/// The caller that a token speaks for.
fn caller(claims: &Claims) -> Caller {
    let mut caller = Caller::account(&claims.namespace, &claims.account.name);
    caller.uid.clone_from(&claims.account.uid);
    let mut tell = |key: &str, value: String| {
        caller.extra.insert(format!("{EXTRA}{key}"), vec![value]);
    };
    if !claims.id.is_empty() {
        tell("credential-id", format!("JTI={}", claims.id));
    }
    for (key, of) in [("pod", &claims.pod), ("node", &claims.node)] {
        if let Some(of) = of {
            tell(&format!("{key}-name"), of.name.clone());
            tell(&format!("{key}-uid"), of.uid.clone());
        }
    }
    caller
}

fn check_metadata(meta: &ObjectMeta, namespace: &str, name: &str) -> Result<(), ApiError> {
    if !meta.name.is_empty() && meta.name != name {
        let why = format!("serviceaccount name: {name:?} does not match token request name: {:?}", meta.name);
        return Err(ApiError::bad_request(why));
    }
    if !meta.namespace.is_empty() && meta.namespace != namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

fn check_seconds(seconds: i64) -> Result<(), ApiError> {
    let why = match seconds {
        ..SHORTEST => "may not specify a duration less than 10 minutes",
        SHORTEST..=LONGEST => return Ok(()),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let path = Path::new("spec").child("expirationSeconds");
    Err(ApiError::invalid(TokenRequest::KIND, "", FieldError::invalid(&path, seconds, why).into()))
}

fn metadata(object: &Bytes) -> Result<ObjectMeta, ApiError> {
    wire::metadata(object).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> ApiError {
    ApiError::internal(format!("cannot read a stored object: {error}"))
}
