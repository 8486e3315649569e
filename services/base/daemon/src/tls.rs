//! Who a process is and whom it trusts: a certificate authority on disk, the identities it issues, TLS configurations
//! made of them, and the peer at the other end of a connection.
//!
//! All keys are ECDSA P-256. The crypto provider is always named (ring), so no process-wide default is needed.

mod certificate;
mod error;
mod explain;
mod files;
mod follow;
mod identity;
mod inventory;
mod live;
mod names;
mod peer;
mod pki;
mod signing;
mod validity;

pub use self::certificate::Stale;
pub use self::error::TlsError;
pub use self::explain::{HandshakeError, explain};
pub use self::follow::IdentityFiles;
pub use self::identity::{ClientAuth, Identity};
pub use self::inventory::{Entry, State, inventory};
pub use self::live::{ClientTls, LiveIdentity, ServerTls};
pub use self::names::{IdentitySpec, San, Subject, Usage};
pub use self::peer::Peer;
pub use self::pki::{Issued, Pki, Why};
pub use self::signing::{SIGNING_KEY, SIGNING_KEY_PUBLIC};
pub use self::validity::{Age, Validity};

pub use rustls::pki_types::ServerName;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// ALPN of a port that speaks gRPC and HTTP/1.1.
pub const ALPN_ANY_HTTP: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The crypto provider of all our TLS.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests;
