//! Service accounts: their rules.

use std::borrow::Cow;

use keelson_proto::core::{ObjectReference, ServiceAccount};

use crate::field::{ErrorList, Path};
use crate::{meta, names};

/// The fields that service accounts can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(account: &'a ServiceAccount, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(&account.metadata, field)
}

/// A service account has no defaults; the function is here because every kind has it.
pub fn set_defaults(_: &mut ServiceAccount) {}

/// Of its secrets an account keeps the names: they are secrets of its own namespace, and nothing else.
pub fn prepare_create(account: &mut ServiceAccount) {
    for secret in &mut account.secrets {
        *secret = ObjectReference { name: std::mem::take(&mut secret.name), ..ObjectReference::default() };
    }
}

/// Carries over what an update does not touch.
pub fn prepare_update(new: &mut ServiceAccount, old: &ServiceAccount) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    prepare_create(new);
}

/// Checks a service account.
pub fn validate(account: &ServiceAccount) -> ErrorList {
    meta::validate(&account.metadata, true, names::dns_subdomain, &Path::new("metadata"))
}

/// Checks a changed service account.
pub fn validate_update(new: &ServiceAccount, old: &ServiceAccount) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    errors.extend(validate(new));
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_account(name: &str) -> ServiceAccount {
        let mut account = ServiceAccount::default();
        account.metadata.name = name.to_owned();
        account.metadata.namespace = "default".to_owned();
        account
    }

    #[test]
    fn an_account_is_named_like_most_objects_and_keeps_its_name() {
        assert!(validate(&mk_account("build.robot")).is_empty());
        assert_eq!(validate(&mk_account("Robot")).len(), 1);
        assert_eq!(validate_update(&mk_account("b"), &mk_account("a")).len(), 1);
    }

    #[test]
    fn only_the_names_of_secrets_are_kept() {
        let mut account = mk_account("robot");
        let whole = ObjectReference {
            name: "token".to_owned(),
            namespace: "elsewhere".to_owned(),
            ..ObjectReference::default()
        };
        account.secrets.push(whole);
        prepare_create(&mut account);
        assert_eq!((account.secrets[0].name.as_str(), account.secrets[0].namespace.as_str()), ("token", ""));
    }
}
