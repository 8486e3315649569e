//! Who somebody is to a registry.

use std::fmt;

/// Credentials for one registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The registry, as its user calls it: a host, with a scheme and a path perhaps.
    pub registry: String,
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
    /// A token that stands for both, if there is one; else empty.
    pub identity_token: String,
}

impl fmt::Debug for Credentials {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("registry", &self.registry)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
