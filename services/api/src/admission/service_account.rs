//! `ServiceAccount`: a pod runs as an account of its namespace, with the account's secrets for pulling images, and with
//! a token by which it can talk to the API.

mod automount;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use keelson_api_store::Compare;
use keelson_base_model::pod;
use keelson_base_model::status::ApiError;
use keelson_proto::core::{Pod, ServiceAccount as Account};
use keelson_proto::{Message as _, Object as _};

use super::node_restriction::MIRROR;
use super::{Ask, Lookups, Plugin, Subject};
use crate::cache::{Cache, Progress};

/// The account of pods that name none.
const DEFAULT: &str = "default";

/// How long a pod waits for its namespace's default account, which is made soon after the namespace.
const PATIENCE: Duration = Duration::from_secs(2);

/// Gives pods their account.
pub(super) struct ServiceAccount {
    accounts: Arc<Cache>,
    progress: Progress,
}

// === impl ServiceAccount ===

impl ServiceAccount {
    pub(super) fn new(lookups: &Lookups) -> Self {
        Self { accounts: lookups.service_accounts.clone(), progress: lookups.progress.clone() }
    }

    fn has(&self, path: &str) -> bool {
        self.accounts.get(path).is_some()
    }

    /// Waits until an account is there, or for as long as is reasonable. Who has to have it finds out for himself.
    async fn wait_for(&self, path: String) {
        let mut changes = self.progress.changes();
        let there = changes.wait_for(|_| self.has(&path));
        let _ = tokio::time::timeout(PATIENCE, there).await;
    }

    fn account(&self, namespace: &str, name: &str) -> Result<Account, ApiError> {
        let found = self.accounts.get(&format!("{namespace}/{name}"));
        let entry = found.ok_or_else(|| ApiError::not_found(Account::KIND, name))?;
        Account::decode(entry.object.clone())
            .map_err(|error| ApiError::internal(format!("cannot read a stored ServiceAccount: {error}")))
    }
}

impl Plugin for ServiceAccount {
    fn prepare<'a>(
        &'a self,
        _: Ask<'a>,
        new: &'a dyn Subject,
    ) -> Option<BoxFuture<'a, Result<(), ApiError>>> {
        let pod = new.of::<Pod>().filter(|pod| !is_mirror(pod))?;
        let name = pod.spec.service_account_name.as_str();
        let path = format!("{}/{DEFAULT}", pod.metadata.namespace);
        let is_missed = ["", DEFAULT].contains(&name) && !self.has(&path);
        is_missed.then(|| self.wait_for(path).map(Ok).boxed())
    }

    fn admit(&self, _: Ask<'_>, new: &mut dyn Subject, _: &mut Vec<Compare>) -> Result<(), ApiError> {
        let Some(pod) = new.of_mut::<Pod>() else { return Ok(()) };
        if is_mirror(pod) {
            return check_mirror(pod);
        }
        let name = match pod.spec.service_account_name.as_str() {
            "" => DEFAULT.to_owned(),
            name => name.to_owned(),
        };
        let namespace = &pod.metadata.namespace;
        let account = self.account(namespace, &name).map_err(|error| {
            let why = format!("error looking up service account {namespace}/{name}: {error}");
            ApiError::forbidden(Pod::KIND, &pod.metadata.name, why)
        })?;
        complete(pod, &name, &account);
        Ok(())
    }
}

/// What an account means for a pod that runs as it.
fn complete(pod: &mut Pod, name: &str, account: &Account) {
    let wants_token =
        pod.spec.automount_service_account_token.or(account.automount_service_account_token).unwrap_or(true);
    let spec = &mut pod.spec;
    name.clone_into(&mut spec.service_account_name);
    name.clone_into(&mut spec.service_account);
    if spec.image_pull_secrets.is_empty() {
        spec.image_pull_secrets.clone_from(&account.image_pull_secrets);
    }
    if wants_token {
        automount::mount(spec);
    }
}

fn is_mirror(pod: &Pod) -> bool {
    pod.metadata.annotations.contains_key(MIRROR)
}

/// What a mirror pod must not have: it shows what runs already, and nobody gives it anything.
fn check_mirror(pod: &Pod) -> Result<(), ApiError> {
    let tokens = pod.spec.volumes.iter().filter_map(|volume| volume.volume_source.projected.as_ref());
    let has_token = tokens.flat_map(|one| &one.sources).any(|source| source.service_account_token.is_some());
    let why = if !pod.spec.service_account_name.is_empty() {
        "a mirror pod may not reference service accounts"
    } else if !pod::references(pod).secrets.is_empty() {
        "a mirror pod may not reference secrets"
    } else if has_token {
        "a mirror pod may not use ServiceAccountToken volume projections"
    } else {
        return Ok(());
    };
    Err(ApiError::forbidden(Pod::KIND, &pod.metadata.name, why))
}

#[cfg(test)]
mod tests;
