//! The token loop: secrets that ask for an account's token get one, and go with the account.

use keelson_base_client::{Api, ApiError, Client, Delta, MetadataOf, WorkQueue};
use keelson_base_daemon::tls::LiveIdentity;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::secret::SERVICE_ACCOUNT_NAME;
use keelson_proto::Object as _;
use keelson_proto::authentication::{BoundObjectReference, TokenRequest};
use keelson_proto::core::{Secret, ServiceAccount};
use keelson_proto::v1::CreateTokenRequest;

use crate::cache::Caches;
use crate::control::{Next, Reconcile, queue};
use crate::delete;

/// The annotation by which a token says which of several accounts of one name it is of.
const SERVICE_ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// What a token's secret holds.
const TOKEN: &str = "token";
const NAMESPACE: &str = "namespace";
const CA: &str = "ca.crt";

/// The token loop. Its keys are secrets.
pub(crate) struct TokenLoop {
    queue: WorkQueue<ObjectKey>,
    caches: Caches,
    secrets: Api<Secret>,
    accounts: Api<ServiceAccount>,
    identity: Option<LiveIdentity>,
}

/// What is to be done about a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Keep,
    /// Its account is gone.
    Delete,
    /// Something is missing; a new token too, if so.
    Fill {
        token: bool,
    },
}

// === impl TokenLoop ===

impl TokenLoop {
    /// The loop.
    pub(crate) fn new(client: &Client, caches: Caches, identity: Option<LiveIdentity>) -> Self {
        Self { queue: queue(), caches, secrets: client.api(), accounts: client.api(), identity }
    }

    /// A token's secret has changed.
    pub(crate) fn on_secret(&self, delta: &Delta<Secret>) {
        if let Delta::Applied { new, trace, .. } = delta {
            self.queue.add_caused(ObjectKey::of(&new.metadata), *trace);
        }
    }

    /// An account has changed, perhaps by going.
    pub(crate) fn on_account(&self, delta: &Delta<MetadataOf<ServiceAccount>>) {
        let (account, trace) = match delta {
            Delta::Applied { new, trace, .. } => (new.metadata(), trace),
            Delta::Deleted { old, trace } => (old.metadata(), trace),
            Delta::Synced => return,
        };
        for secret in self.caches.tokens.namespace(&account.namespace) {
            if secret.metadata.annotations.get(SERVICE_ACCOUNT_NAME) == Some(&account.name) {
                self.queue.add_caused(ObjectKey::of(&secret.metadata), *trace);
            }
        }
    }

    /// The authorities have changed.
    pub(crate) fn on_renewal(&self) {
        for secret in self.caches.tokens.list() {
            self.queue.add(ObjectKey::of(&secret.metadata));
        }
    }

    fn ca(&self) -> Option<String> {
        self.identity.as_ref().map(|identity| identity.current().ca_pem.clone())
    }

    /// A token as long-lived as the secret. api makes such for us alone.
    async fn make(&self, secret: &Secret, account: &str) -> Result<String, ApiError> {
        let bound = BoundObjectReference {
            kind: "Secret".to_owned(),
            api_version: "v1".to_owned(),
            name: secret.metadata.name.clone(),
            uid: secret.metadata.uid.clone(),
        };
        let mut object = TokenRequest::default();
        object.spec.expiration_seconds = Some(0);
        object.spec.bound_object_ref = Some(bound);
        let request = CreateTokenRequest {
            namespace: secret.metadata.namespace.clone(),
            name: account.to_owned(),
            object: Some(object),
            options: None,
        };
        let made: TokenRequest = self.accounts.raw().unary("CreateToken", &request).await?;
        Ok(made.status.token)
    }

    async fn fill(&self, seen: &Secret, account: &ServiceAccountSeen, token: bool) -> Result<(), ApiError> {
        let mut filled = seen.clone();
        if token {
            let made = self.make(seen, &account.name).await?;
            filled.data.insert(TOKEN.to_owned(), made.into_bytes());
        }
        if let Some(ca) = self.ca() {
            filled.data.insert(CA.to_owned(), ca.into_bytes());
        }
        filled.data.insert(NAMESPACE.to_owned(), seen.metadata.namespace.clone().into_bytes());
        filled.metadata.annotations.insert(SERVICE_ACCOUNT_UID.to_owned(), account.uid.clone());
        match self.secrets.update(&filled).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// The account that a secret says it is of, as the cache has it; and api, before anything is given up.
    async fn account_of(&self, secret: &Secret) -> Result<Option<ServiceAccountSeen>, ApiError> {
        let Some(name) = secret.metadata.annotations.get(SERVICE_ACCOUNT_NAME) else { return Ok(None) };
        let namespace = secret.metadata.namespace.as_str();
        let cached = self.caches.accounts.get(&ObjectKey::new(namespace, name.as_str()));
        let uid = cached.map(|account| account.metadata().uid.clone());
        let wanted = secret.metadata.annotations.get(SERVICE_ACCOUNT_UID);
        let uid = match uid {
            Some(uid) if wanted.is_none_or(|wanted| *wanted == uid) => uid,
            _ => match self.accounts.namespaced(namespace).get(name).await {
                Ok(account) => account.metadata.uid,
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        Ok(Some(ServiceAccountSeen { name: name.clone(), uid }))
    }
}

/// An account, as far as it matters to its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ServiceAccountSeen {
    name: String,
    uid: String,
}

impl Reconcile for TokenLoop {
    const NAME: &'static str = "token";
    type Key = ObjectKey;

    fn queue(&self) -> &WorkQueue<ObjectKey> {
        &self.queue
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Next, ApiError> {
        let Some(seen) = self.caches.tokens.get(key) else { return Ok(Next::Event) };
        let account = self.account_of(&seen).await?;
        match (plan(&seen, account.as_ref(), self.ca().as_deref()), account) {
            (Plan::Fill { token }, Some(account)) => self.fill(&seen, &account, token).await?,
            (Plan::Delete, _) => {
                let secrets = self.secrets.namespaced(&seen.metadata.namespace);
                match secrets.delete(&seen.metadata.name, delete::now(&seen.metadata)).await {
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(Next::Event)
    }
}

fn plan(secret: &Secret, account: Option<&ServiceAccountSeen>, ca: Option<&str>) -> Plan {
    if secret.metadata.deletion_timestamp.is_some() {
        return Plan::Keep;
    }
    let uid = secret.metadata.annotations.get(SERVICE_ACCOUNT_UID);
    let Some(account) = account.filter(|account| uid.is_none_or(|uid| *uid == account.uid)) else {
        return Plan::Delete;
    };
    let has = |key: &str, value: &str| secret.data.get(key).is_some_and(|is| is == value.as_bytes());
    let token = secret.data.get(TOKEN).is_none_or(Vec::is_empty);
    let is_whole = uid.is_some_and(|uid| *uid == account.uid)
        && has(NAMESPACE, &secret.metadata.namespace)
        && ca.is_none_or(|ca| has(CA, ca));
    if is_whole && !token { Plan::Keep } else { Plan::Fill { token } }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_secret_gets_what_it_lacks_and_goes_with_its_account() {
        let whole = json!({"token": "YQ==", "namespace": "ZGVmYXVsdA==", "ca.crt": "Q0E="});
        let account = ServiceAccountSeen { name: "robot".to_owned(), uid: "u-1".to_owned() };
        let without = |key: &str| {
            let mut data = whole.clone();
            data.as_object_mut().unwrap().remove(key);
            data
        };
        let table: [(Value, Option<&str>, Option<&ServiceAccountSeen>, Plan); 9] = [
            (json!({}), None, Some(&account), Plan::Fill { token: true }),
            (whole.clone(), Some("u-1"), Some(&account), Plan::Keep),
            (whole.clone(), None, Some(&account), Plan::Fill { token: false }),
            (without("token"), Some("u-1"), Some(&account), Plan::Fill { token: true }),
            (without("ca.crt"), Some("u-1"), Some(&account), Plan::Fill { token: false }),
            (without("namespace"), Some("u-1"), Some(&account), Plan::Fill { token: false }),
            (whole.clone(), Some("u-0"), Some(&account), Plan::Delete),
            (whole.clone(), Some("u-1"), None, Plan::Delete),
            (json!({}), None, None, Plan::Delete),
        ];
        for (data, uid, account, expected) in table {
            let mut secret: Secret =
                serde_json::from_value(json!({"metadata": {"namespace": "default"}, "data": data})).unwrap();
            let annotations = &mut secret.metadata.annotations;
            annotations.extend(uid.map(|uid| (SERVICE_ACCOUNT_UID.to_owned(), uid.to_owned())));
            assert_eq!(plan(&secret, account, Some("CA")), expected, "{data} {uid:?} {account:?}");
            secret.metadata.deletion_timestamp = Some(keelson_proto::meta::Time::now());
            assert_eq!(plan(&secret, account, Some("CA")), Plan::Keep);
        }
    }
}
