//! How a secret is shown to programmers: the names of its entries and how long they are, never what they hold. So
//! none gets into a log by accident.

use std::collections::BTreeMap;
use std::fmt::{Debug, Formatter, Result};

use crate::authentication::{TokenRequestStatus, TokenReviewSpec};
use crate::core::Secret;

/// Entries by the length of their values.
struct Lengths<'a, V>(&'a BTreeMap<String, V>);

// === impl Secret ===

impl Debug for Secret {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let meta = &self.metadata;
        f.debug_struct("Secret")
            .field("namespace", &meta.namespace)
            .field("name", &meta.name)
            .field("uid", &meta.uid)
            .field("type", &self.r#type)
            .field("immutable", &self.immutable)
            .field("data", &Lengths(&self.data))
            .field("string_data", &Lengths(&self.string_data))
            .finish_non_exhaustive()
    }
}

// === impl TokenReviewSpec, TokenRequestStatus ===

impl Debug for TokenReviewSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("TokenReviewSpec").field("audiences", &self.audiences).finish_non_exhaustive()
    }
}

impl Debug for TokenRequestStatus {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let end = &self.expiration_timestamp;
        f.debug_struct("TokenRequestStatus").field("expiration_timestamp", end).finish_non_exhaustive()
    }
}

// === impl Lengths ===

impl<V: AsRef<[u8]>> Debug for Lengths<'_, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let entries = self.0.iter();
        f.debug_map().entries(entries.map(|(key, value)| (key, value.as_ref().len()))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_secret_holds_is_not_shown() {
        let mut secret = Secret::default();
        secret.metadata.name = "door".to_owned();
        // kubectl apply keeps what it has applied in an annotation.
        secret.metadata.annotations.insert("last-applied".to_owned(), "aHVzaA==".to_owned());
        secret.data.insert("code".to_owned(), b"hush".to_vec());
        secret.string_data.insert("text".to_owned(), "hush".to_owned());
        let shown = format!("{secret:?}");
        assert!(shown.contains("\"door\"") && shown.contains("\"code\": 4"), "{shown}");
        assert!(!shown.contains("hush") && !shown.contains("aHVz") && !shown.contains("104"), "{shown}");
    }

    #[test]
    fn tokens_are_not_shown() {
        let asked = TokenReviewSpec { token: "hush".to_owned(), audiences: vec!["api".to_owned()] };
        let made = TokenRequestStatus { token: "hush".to_owned(), expiration_timestamp: None };
        let shown = format!("{asked:?} {made:?}");
        assert!(shown.contains("\"api\"") && !shown.contains("hush"), "{shown}");
    }
}
