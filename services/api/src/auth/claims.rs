//! What a service account's token says.

use keelson_base_model::status::ApiError;
use serde_json::{Map, Value, json};

/// Who has issued tokens of the old kind.
pub(crate) const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

const LEGACY: &str = "kubernetes.io/serviceaccount/";
const PRIVATE: &str = "kubernetes.io";

/// An object by name and uid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ref {
    /// Name.
    pub(crate) name: String,
    /// Uid; "" if the token does not say.
    pub(crate) uid: String,
}

/// What a token says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Who has issued it.
    pub(crate) issuer: String,
    /// Who is to accept it; nobody in particular for tokens of the old kind.
    pub(crate) audiences: Vec<String>,
    /// Seconds since 1970 from which it is good; None for always.
    pub(crate) not_before: Option<i64>,
    /// Seconds since 1970 at which it ends; None for never.
    pub(crate) expires: Option<i64>,
    /// Seconds since 1970 at which it was made.
    pub(crate) issued: i64,
    /// Its own id; "" for tokens of the old kind.
    pub(crate) id: String,
    /// The account's namespace.
    pub(crate) namespace: String,
    /// The account.
    pub(crate) account: Ref,
    /// The pod that it is bound to.
    pub(crate) pod: Option<Ref>,
    /// The secret that it is bound to.
    pub(crate) secret: Option<Ref>,
    /// The node that it is bound to, or that its pod is on.
    pub(crate) node: Option<Ref>,
}

// === impl Claims ===

impl Claims {
    /// Whether this is a token of the old kind, which lives as long as its secret.
    pub(crate) fn is_legacy(&self) -> bool {
        self.issuer == LEGACY_ISSUER
    }

    /// The claims as JSON.
    pub(crate) fn to_json(&self) -> Value {
        let subject = super::caller::account_user(&self.namespace, &self.account.name);
        if self.is_legacy() {
            let secret = self.secret.as_ref().map(|secret| secret.name.as_str()).unwrap_or_default();
            return json!({
                "iss": self.issuer,
                format!("{LEGACY}namespace"): self.namespace,
                format!("{LEGACY}secret.name"): secret,
                format!("{LEGACY}service-account.name"): self.account.name,
                format!("{LEGACY}service-account.uid"): self.account.uid,
                "sub": subject,
            });
        }
        let mut private = Map::new();
        private.insert("namespace".to_owned(), self.namespace.as_str().into());
        for (name, of) in [("node", &self.node), ("pod", &self.pod), ("secret", &self.secret)] {
            if let Some(of) = of {
                private.insert(name.to_owned(), of.to_json());
            }
        }
        private.insert("serviceaccount".to_owned(), self.account.to_json());
        json!({
            "aud": self.audiences,
            "exp": self.expires,
            "iat": self.issued,
            "iss": self.issuer,
            "jti": self.id,
            PRIVATE: private,
            "nbf": self.not_before,
            "sub": subject,
        })
    }

    /// Reads claims: whatever is there may be anything.
    ///
    /// # Errors
    /// A sentence: what is missing or of the wrong type.
    pub(crate) fn from_json(value: &Value) -> Result<Self, String> {
        let issuer = text(value, "iss")?;
        let claims = if issuer == LEGACY_ISSUER { Self::legacy(value)? } else { Self::bound(value)? };
        let subject = super::caller::account_user(&claims.namespace, &claims.account.name);
        if value.get("sub").is_some_and(|said| said.as_str() != Some(&subject)) {
            return Err("the subject is not the account".to_owned());
        }
        Ok(Self { issuer, ..claims })
    }

    fn legacy(value: &Value) -> Result<Self, String> {
        let part = |name: &str| text(value, &format!("{LEGACY}{name}"));
        Ok(Self {
            namespace: part("namespace")?,
            account: Ref { name: part("service-account.name")?, uid: part("service-account.uid")? },
            secret: Some(Ref { name: part("secret.name")?, uid: String::new() }),
            ..Self::default()
        })
    }

    fn bound(value: &Value) -> Result<Self, String> {
        let private = value.get(PRIVATE).ok_or("there is no kubernetes.io claim")?;
        let optional = |name: &str| private.get(name).map(Ref::from_json).transpose();
        let account = private.get("serviceaccount").ok_or("there is no service account in it")?;
        Ok(Self {
            issuer: String::new(),
            audiences: audiences(value.get("aud"))?,
            not_before: seconds(value, "nbf")?,
            // A token without an end would outlive all that it is bound to.
            expires: Some(seconds(value, "exp")?.ok_or("it never expires")?),
            issued: seconds(value, "iat")?.unwrap_or_default(),
            id: value.get("jti").and_then(Value::as_str).unwrap_or_default().to_owned(),
            namespace: text(private, "namespace")?,
            account: Ref::from_json(account)?,
            pod: optional("pod")?,
            secret: optional("secret")?,
            node: optional("node")?,
        })
    }

    /// Whether the token is good at a moment, in seconds since 1970.
    ///
    /// # Errors
    /// Unauthorized.
    pub(crate) fn check_time(&self, now: i64) -> Result<(), ApiError> {
        if self.expires.is_some_and(|end| now >= end) {
            return Err(ApiError::unauthorized("the token has expired"));
        }
        if self.not_before.is_some_and(|begin| now < begin) {
            return Err(ApiError::unauthorized("the token is not yet good"));
        }
        Ok(())
    }
}

// === impl Ref ===

impl Ref {
    /// An object by name and uid.
    pub(crate) fn new(name: &str, uid: &str) -> Self {
        Self { name: name.to_owned(), uid: uid.to_owned() }
    }

    fn to_json(&self) -> Value {
        json!({ "name": self.name, "uid": self.uid })
    }

    fn from_json(value: &Value) -> Result<Self, String> {
        Ok(Self { name: text(value, "name")?, uid: text(value, "uid")? })
    }
}

/// A text that must not be empty.
fn text(value: &Value, name: &str) -> Result<String, String> {
    match value.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("there is no {name} in it")),
    }
}

/// A number of seconds; JWT allows fractions.
fn seconds(value: &Value, name: &str) -> Result<Option<i64>, String> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let whole = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64));
            whole.map(Some).ok_or_else(|| format!("{name} is no time"))
        }
        Some(_) => Err(format!("{name} is no time")),
    }
}

fn audiences(value: Option<&Value>) -> Result<Vec<String>, String> {
    let wrong = || "aud is neither a text nor a list of texts".to_owned();
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(all)) => {
            all.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Claims {
        Claims {
            issuer: "https://issuer".into(),
            audiences: vec!["api".into()],
            not_before: Some(1),
            expires: Some(100),
            issued: 1,
            id: "id".into(),
            namespace: "default".into(),
            account: Ref::new("robot", "u1"),
            pod: Some(Ref::new("pod", "u2")),
            secret: None,
            node: Some(Ref::new("n1", "u3")),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let legacy = Claims {
            issuer: LEGACY_ISSUER.into(),
            namespace: "default".into(),
            account: Ref::new("robot", "u1"),
            secret: Some(Ref::new("robot-token", "")),
            ..Claims::default()
        };
        for claims in [bound(), legacy] {
            assert_eq!(Claims::from_json(&claims.to_json()).unwrap(), claims);
        }
        assert_eq!(bound().to_json()["sub"], "system:serviceaccount:default:robot");
    }

    #[test]
    fn claims_that_are_not_whole_are_refused() {
        for (path, value) in [
            ("/iss", Value::Null),
            ("/aud", json!([1])),
            ("/exp", Value::Null),
            ("/exp", json!("soon")),
            ("/nbf", json!({})),
            ("/kubernetes.io", Value::Null),
            ("/kubernetes.io/namespace", json!("")),
            ("/kubernetes.io/serviceaccount", json!([])),
            ("/kubernetes.io/pod", json!({"name": "a"})),
            ("/sub", json!("system:admin")),
            ("/sub", json!(1)),
        ] {
            let mut claims = bound().to_json();
            *claims.pointer_mut(path).unwrap() = value;
            assert!(Claims::from_json(&claims).is_err(), "{path}: {claims}");
        }
        for value in [json!(null), json!([]), json!("text"), json!(1)] {
            assert!(Claims::from_json(&value).is_err());
        }
    }

    #[test]
    fn a_token_has_its_time() {
        let claims = bound();
        assert!(claims.check_time(50).is_ok());
        assert_eq!(claims.check_time(0).unwrap_err().code(), 401);
        assert_eq!(claims.check_time(100).unwrap_err().code(), 401);
    }
}
