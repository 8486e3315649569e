//! Secrets: their types, each with the keys that it needs, and their rules. No message here ever holds what a
//! secret holds.

use std::borrow::Cow;

use keelson_proto::core::Secret;

use crate::field::{ErrorList, FieldError, Path};
use crate::meta::IMMUTABLE;
use crate::{checks, meta, names};

/// The most bytes of all values of one secret or config map.
pub const MAX_BYTES: usize = 1 << 20;

/// The types of secrets that say what a secret holds.
pub mod secret_type {
    /// Anything.
    pub const OPAQUE: &str = "Opaque";
    /// The token of a service account.
    pub const SERVICE_ACCOUNT_TOKEN: &str = "kubernetes.io/service-account-token";
    /// Docker's older file of registries' passwords.
    pub const DOCKERCFG: &str = "kubernetes.io/dockercfg";
    /// Docker's file of registries' passwords.
    pub const DOCKER_CONFIG_JSON: &str = "kubernetes.io/dockerconfigjson";
    /// A user's name and password.
    pub const BASIC_AUTH: &str = "kubernetes.io/basic-auth";
    /// A private key for SSH.
    pub const SSH_AUTH: &str = "kubernetes.io/ssh-auth";
    /// A certificate and its private key.
    pub const TLS: &str = "kubernetes.io/tls";
}

/// The annotation by which a token says whose it is.
pub const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";

/// What to say of a field that an object has given up to change.
pub(crate) const GIVEN_UP: &str = "field is immutable when `immutable` is set";

/// The fields that secrets can be selected by.
pub const FIELDS: &[&str] = &["metadata.name", "metadata.namespace", "type"];

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(secret: &'a Secret, field: &str) -> Option<Cow<'a, str>> {
    match field {
        "type" => Some(Cow::Borrowed(&secret.r#type)),
        _ => meta::fields(&secret.metadata, field),
    }
}

/// Fills in what may be left out: the type is Opaque. What is given as text becomes data, where it wins.
pub fn set_defaults(secret: &mut Secret) {
    if secret.r#type.is_empty() {
        secret.r#type = secret_type::OPAQUE.to_owned();
    }
    let texts = std::mem::take(&mut secret.string_data).into_iter();
    secret.data.extend(texts.map(|(key, text)| (key, text.into_bytes())));
}

/// Carries over what an update does not touch.
pub fn prepare_update(new: &mut Secret, old: &Secret) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// Checks a secret. Call [`set_defaults`] first.
pub fn validate(secret: &Secret) -> ErrorList {
    let mut errors = meta::validate(&secret.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    let path = Path::new("data");
    for key in secret.data.keys() {
        errors.push_invalid(&path.key(key), key, names::config_key(key));
    }
    if secret.data.values().map(Vec::len).sum::<usize>() > MAX_BYTES {
        errors.push(FieldError::too_long(&path, MAX_BYTES));
    }
    validate_type(secret, &path, &mut errors);
    errors
}

/// Checks a changed secret: its type stays, and all of it once it is immutable.
pub fn validate_update(new: &Secret, old: &Secret) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    if new.r#type != old.r#type {
        errors.push(FieldError::invalid(&Path::new("type"), new.r#type.as_str(), IMMUTABLE));
    }
    if old.immutable == Some(true) {
        if new.immutable != Some(true) {
            errors.push(FieldError::forbidden(&Path::new("immutable"), GIVEN_UP));
        }
        if new.data != old.data {
            errors.push(FieldError::forbidden(&Path::new("data"), GIVEN_UP));
        }
    }
    errors.extend(validate(new));
    errors
}

/// That a secret has the keys of its type.
fn validate_type(secret: &Secret, path: &Path, errors: &mut ErrorList) {
    let has = |key: &str| secret.data.contains_key(key);
    let mut need = |key: &str| errors.push(FieldError::required(&path.key(key), ""));
    match secret.r#type.as_str() {
        secret_type::SERVICE_ACCOUNT_TOKEN => {
            let of = secret.metadata.annotations.get(SERVICE_ACCOUNT_NAME);
            let path = Path::new("metadata").child("annotations").key(SERVICE_ACCOUNT_NAME);
            checks::given(of.map(String::as_str).unwrap_or_default(), &path, errors);
        }
        secret_type::DOCKERCFG => validate_json(secret, ".dockercfg", path, errors),
        secret_type::DOCKER_CONFIG_JSON => validate_json(secret, ".dockerconfigjson", path, errors),
        secret_type::BASIC_AUTH if !has("username") && !has("password") => {
            ["username", "password"].into_iter().for_each(need);
        }
        secret_type::SSH_AUTH if secret.data.get("ssh-privatekey").is_none_or(Vec::is_empty) => {
            need("ssh-privatekey");
        }
        secret_type::TLS => ["tls.crt", "tls.key"].into_iter().filter(|key| !has(key)).for_each(need),
        _ => {}
    }
}

/// That a value is a JSON object. A reader's own message could quote what it has read.
fn validate_json(secret: &Secret, key: &str, path: &Path, errors: &mut ErrorList) {
    let path = path.key(key);
    match secret.data.get(key) {
        None => errors.push(FieldError::required(&path, "")),
        Some(value) if serde_json::from_slice::<serde_json::Map<_, _>>(value).is_err() => {
            errors.push(FieldError::invalid(&path, "<secret contents redacted>", "must be a JSON object"));
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{text, with};

    fn mk_secret(patch: Value) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = "door".to_owned();
        secret.metadata.namespace = "default".to_owned();
        let mut secret = with(&secret, patch);
        set_defaults(&mut secret);
        secret
    }

    #[test]
    fn texts_become_data_and_win() {
        let secret = mk_secret(json!({"data": {"a": "b2xk", "b": "b2xk"}, "stringData": {"a": "new"}}));
        assert_eq!(secret.r#type, "Opaque");
        assert_eq!(secret.data["a"], b"new");
        assert_eq!(secret.data["b"], b"old");
        assert!(secret.string_data.is_empty());
        assert_eq!(fields(&secret, "type").as_deref(), Some("Opaque"));
    }

    #[test]
    fn each_type_needs_its_keys() {
        let key = |key: &str| format!("data[{key}]: Required value");
        let account = "metadata.annotations[kubernetes.io/service-account.name]: Required value";
        let not_json =
            "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": must be a JSON object";
        let annotations = json!({"annotations": {"kubernetes.io/service-account.name": "robot"}});
        let table = [
            (json!({}), String::new()),
            (json!({"type": "example.com/mine"}), String::new()),
            (json!({"type": "kubernetes.io/service-account-token"}), account.to_owned()),
            (json!({"type": "kubernetes.io/service-account-token", "metadata": annotations}), String::new()),
            (json!({"type": "kubernetes.io/dockercfg"}), key(".dockercfg")),
            (json!({"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": "{}"}}), String::new()),
            (
                json!({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "\"hush\""}}),
                not_json.to_owned(),
            ),
            (
                json!({"type": "kubernetes.io/basic-auth"}),
                format!("[{}, {}]", key("username"), key("password")),
            ),
            (json!({"type": "kubernetes.io/basic-auth", "stringData": {"password": ""}}), String::new()),
            (
                json!({"type": "kubernetes.io/ssh-auth", "stringData": {"ssh-privatekey": ""}}),
                key("ssh-privatekey"),
            ),
            (json!({"type": "kubernetes.io/tls", "stringData": {"tls.crt": ""}}), key("tls.key")),
        ];
        for (patch, expected) in table {
            assert_eq!(text(&validate(&mk_secret(patch))), expected);
        }
    }

    #[test]
    fn a_secret_holds_a_mebibyte_under_names_of_files() {
        let mut secret = mk_secret(json!({}));
        secret.data.insert("most".to_owned(), vec![0; MAX_BYTES]);
        assert_eq!(text(&validate(&secret)), "");
        secret.data.insert("more".to_owned(), vec![0]);
        assert_eq!(text(&validate(&secret)), "data: Too long: may not be more than 1048576 bytes");
        let escaping = validate(&mk_secret(json!({"stringData": {"../x": ""}})));
        assert!(escaping.to_string().contains("data[../x]: Invalid value: \"../x\": a valid config key"));
    }

    #[test]
    fn an_immutable_secret_stays_as_it_is() {
        let data = json!({"stringData": {"a": "1"}, "immutable": true});
        let change = |patch: Value| {
            let old = mk_secret(data.clone());
            let mut new = with(&old, patch);
            set_defaults(&mut new);
            text(&validate_update(&new, &old))
        };
        assert_eq!(change(json!({"metadata": {"labels": {"a": "b"}}})), "");
        assert_eq!(change(json!({"stringData": {"a": "1"}})), "");
        assert_eq!(change(json!({"stringData": {"a": "2"}})), format!("data: Forbidden: {GIVEN_UP}"));
        assert_eq!(change(json!({"immutable": null})), format!("immutable: Forbidden: {GIVEN_UP}"));
        assert_eq!(
            change(json!({"type": "example.com/x"})),
            "type: Invalid value: \"example.com/x\": field is immutable"
        );
    }
}
