//! What an api is told of who may come in and what they may do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::auth::abac::Policy;
use crate::auth::access::{Access, Mode};
use crate::auth::files::Known;
use crate::auth::keys::{PublicKey, SigningKey};
use crate::auth::{Rbac, accounts};

/// Who has issued the tokens of service accounts, unless told otherwise.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// What an api is told of who may come in and what they may do.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct AuthConfig {
    /// Who decides what somebody may do, in order: Node, RBAC, ABAC, AlwaysAllow, AlwaysDeny.
    #[arg(
        long,
        value_name = "MODES",
        value_delimiter = ',',
        default_value = "Node,RBAC",
        env = "KEELSON_AUTHORIZATION_MODE"
    )]
    pub authorization_mode: Vec<AuthorizationMode>,
    /// The policy file of ABAC: one JSON object a line.
    #[arg(long, value_name = "FILE", env = "KEELSON_AUTHORIZATION_POLICY_FILE")]
    pub authorization_policy_file: Option<PathBuf>,
    /// Serve clients without certificate, token or password as `system:anonymous`.
    #[arg(
        long,
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        default_value_t = true,
        default_missing_value = "true",
        value_name = "true|false",
        env = "KEELSON_ANONYMOUS_AUTH"
    )]
    pub anonymous_auth: bool,
    /// Tokens of users: lines of `token,user,uid,"group,group"`.
    #[arg(long, value_name = "FILE", env = "KEELSON_TOKEN_AUTH_FILE")]
    pub token_auth_file: Option<PathBuf>,
    /// Passwords of users: lines of `password,user,uid,"group,group"`.
    #[arg(long, value_name = "FILE", env = "KEELSON_BASIC_AUTH_FILE")]
    pub basic_auth_file: Option<PathBuf>,
    /// Private key that signs the tokens of service accounts: ECDSA on P-256 or RSA, in PEM.
    #[arg(long, value_name = "FILE", env = "KEELSON_SERVICE_ACCOUNT_SIGNING_KEY_FILE")]
    pub service_account_signing_key_file: Option<PathBuf>,
    /// Public keys of tokens that are good besides those of the signing key; repeatable.
    #[arg(long, value_name = "FILE", value_delimiter = ',', env = "KEELSON_SERVICE_ACCOUNT_KEY_FILE")]
    pub service_account_key_file: Vec<PathBuf>,
    /// Who the tokens of service accounts say has issued them.
    #[arg(long, value_name = "URL", default_value = ISSUER, env = "KEELSON_SERVICE_ACCOUNT_ISSUER")]
    pub service_account_issuer: String,
    /// Audiences by which tokens mean this API; the issuer if there are none.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', env = "KEELSON_API_AUDIENCES")]
    pub api_audiences: Vec<String>,
    /// Where requests are written down, one line of JSON each; nowhere without.
    #[arg(long, value_name = "FILE", env = "KEELSON_AUDIT_LOG_PATH")]
    pub audit_log_path: Option<PathBuf>,
}

/// A link of the chain that decides what somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AuthorizationMode {
    /// Kubelets may do what kubelets do.
    #[value(name = "Node")]
    Node,
    /// Roles and their bindings.
    #[value(name = "RBAC")]
    Rbac,
    /// The policy file.
    #[value(name = "ABAC")]
    Abac,
    /// Everybody may do everything.
    #[value(name = "AlwaysAllow")]
    AlwaysAllow,
    /// Nobody may do anything.
    #[value(name = "AlwaysDeny")]
    AlwaysDeny,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It cannot be read, or not understood.
    #[error("{flag}: cannot use {}: {why}", path.display())]
    File {
        /// The flag that names it.
        flag: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A mode needs a file that is not given.
    #[error("--authorization-mode=ABAC needs --authorization-policy-file")]
    NoPolicyFile,
}

/// What the files hold.
pub(crate) struct Files {
    pub(crate) tokens: Known,
    pub(crate) passwords: Known,
    pub(crate) issuer: accounts::Issuer,
}

// === impl AuthConfig ===

impl AuthConfig {
    /// Reads the files of users and keys.
    ///
    /// # Errors
    /// The first that is of no use.
    pub(crate) fn files(&self) -> Result<Files, AuthError> {
        let known = |flag, path: &Option<PathBuf>, parse: fn(&str) -> Result<Known, String>| match path {
            Some(path) => used(flag, path, parse),
            None => Ok(Known::default()),
        };
        let signing = self.service_account_signing_key_file.as_ref();
        let signing = signing
            .map(|path| used("--service-account-signing-key-file", path, SigningKey::from_pem))
            .transpose()?;
        let mut keys: Vec<PublicKey> = signing.iter().map(|key| key.public().clone()).collect();
        for path in &self.service_account_key_file {
            keys.extend(used("--service-account-key-file", path, PublicKey::all_from_pem)?);
        }
        let issuer = accounts::Issuer {
            name: self.service_account_issuer.clone(),
            audiences: match self.api_audiences.as_slice() {
                [] => vec![self.service_account_issuer.clone()],
                audiences => audiences.to_vec(),
            },
            signing,
            keys,
        };
        Ok(Files {
            tokens: known("--token-auth-file", &self.token_auth_file, Known::tokens)?,
            passwords: known("--basic-auth-file", &self.basic_auth_file, Known::passwords)?,
            issuer,
        })
    }

    /// Makes the chain.
    ///
    /// # Errors
    /// If a policy file is missing or of no use.
    pub(crate) fn access(&self, rbac: Arc<Rbac>) -> Result<Arc<Access>, AuthError> {
        let mode = |mode: &AuthorizationMode| match mode {
            AuthorizationMode::Node => Ok(Mode::Node),
            AuthorizationMode::Rbac => Ok(Mode::Rbac),
            AuthorizationMode::AlwaysAllow => Ok(Mode::AlwaysAllow),
            AuthorizationMode::AlwaysDeny => Ok(Mode::AlwaysDeny),
            AuthorizationMode::Abac => {
                let path = self.authorization_policy_file.as_ref().ok_or(AuthError::NoPolicyFile)?;
                Ok(Mode::Abac(used("--authorization-policy-file", path, Policy::parse)?))
            }
        };
        Ok(Access::new(self.authorization_mode.iter().map(mode).collect::<Result<_, _>>()?, rbac))
    }
}

impl Default for AuthConfig {
    /// The flags' defaults.
    fn default() -> Self {
        Self {
            authorization_mode: vec![AuthorizationMode::Node, AuthorizationMode::Rbac],
            authorization_policy_file: None,
            anonymous_auth: true,
            token_auth_file: None,
            basic_auth_file: None,
            service_account_signing_key_file: None,
            service_account_key_file: Vec::new(),
            service_account_issuer: ISSUER.to_owned(),
            api_audiences: Vec::new(),
            audit_log_path: None,
        }
    }
}

/// What a file holds.
fn used<T>(
    flag: &'static str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, AuthError> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let read = text.and_then(|text| parse(&text));
    read.map_err(|why| AuthError::File { flag, path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        auth: AuthConfig,
    }

    fn parsed(flags: &[&str]) -> AuthConfig {
        Cli::try_parse_from(["api"].iter().chain(flags)).unwrap().auth
    }

    #[test]
    fn the_defaults_are_those_of_the_flags() {
        assert_eq!(parsed(&[]), AuthConfig::default());
        assert!(!parsed(&["--anonymous-auth=false"]).anonymous_auth);
        assert!(parsed(&["--anonymous-auth"]).anonymous_auth);
        let modes = parsed(&["--authorization-mode", "ABAC,AlwaysDeny"]).authorization_mode;
        assert_eq!(modes, [AuthorizationMode::Abac, AuthorizationMode::AlwaysDeny]);
    }

    #[test]
    fn a_file_of_no_use_is_named_with_its_flag() {
        let config = AuthConfig { token_auth_file: Some("/nowhere/at/all".into()), ..AuthConfig::default() };
        let told = config.files().err().unwrap().to_string();
        assert!(told.starts_with("--token-auth-file: cannot use /nowhere/at/all: "), "{told}");
        let modes = AuthConfig { authorization_mode: vec![AuthorizationMode::Abac], ..AuthConfig::default() };
        assert!(modes.access(Arc::new(Rbac::default())).is_err());
    }
}
