//! An identity that may be replaced while it is in use, and TLS made of it.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::{ClientAuth, HandshakeError, Identity, TlsError};

/// An identity that may be replaced while it is in use. Clones are the same identity.
///
/// New connections use the new one, in both directions. Connections that exist live on: both sides have proved who they
/// are when they were made.
#[derive(Clone)]
pub struct LiveIdentity {
    current: Arc<ArcSwap<Identity>>,
    renewed: watch::Sender<()>,
}

/// How a port shakes hands: with the certificate, and the authorities, that are current when a client comes.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<Derived<ServerConfig>>,
}

/// How a client shakes hands: with the certificate, and the authorities, that are current when it connects.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<Derived<ClientConfig>>,
}

/// Something made of an identity, made anew when that has changed.
struct Derived<T> {
    identity: LiveIdentity,
    made: ArcSwap<(Arc<Identity>, Arc<T>)>,
    make: Make<T>,
}

type Make<T> = Box<dyn Fn(&Identity) -> Result<Arc<T>, TlsError> + Send + Sync>;

// === impl LiveIdentity ===

impl LiveIdentity {
    /// The identity as it is now.
    pub fn current(&self) -> Arc<Identity> {
        self.current.load_full()
    }

    /// Changes whenever the identity is replaced: for whoever makes something of it that does not follow by itself.
    pub fn renewals(&self) -> watch::Receiver<()> {
        self.renewed.subscribe()
    }

    /// Replaces it. The caller has made sure that it can be used.
    pub(super) fn set(&self, identity: Identity) {
        self.current.store(Arc::new(identity));
        self.renewed.send_replace(());
    }

    /// A port that presents this certificate and offers `alpn`, best first.
    ///
    /// # Errors
    /// If the identity as it is now cannot be used.
    pub fn server_tls(&self, client_auth: ClientAuth, alpn: &[&[u8]]) -> Result<ServerTls, TlsError> {
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let make: Make<ServerConfig> = Box::new(move |identity| {
            let alpn: Vec<&[u8]> = alpn.iter().map(Vec::as_slice).collect();
            identity.server_config(client_auth, &alpn)
        });
        Ok(ServerTls { config: Arc::new(Derived::try_new(self.clone(), make)?) })
    }

    /// A client that presents this certificate, trusts its authorities only, and asks for `alpn`.
    ///
    /// # Errors
    /// If the identity as it is now cannot be used.
    pub fn client_tls(&self, alpn: &[&[u8]]) -> Result<ClientTls, TlsError> {
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let make: Make<ClientConfig> = Box::new(move |identity| {
            let mut config = Arc::unwrap_or_clone(identity.client_config()?);
            config.alpn_protocols.clone_from(&alpn);
            Ok(Arc::new(config))
        });
        Ok(ClientTls { config: Arc::new(Derived::try_new(self.clone(), make)?) })
    }
}

impl From<Identity> for LiveIdentity {
    /// An identity that nobody replaces.
    fn from(identity: Identity) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(identity)), renewed: watch::Sender::new(()) }
    }
}

impl fmt::Debug for LiveIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LiveIdentity").field(&*self.current()).finish()
    }
}

// === impl ServerTls ===

impl ServerTls {
    /// Shakes hands with a client.
    pub(crate) async fn accept<I>(&self, io: I) -> Result<server::TlsStream<I>, HandshakeError>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(self.config.current()).accept(io).await.map_err(HandshakeError::from)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

// === impl ClientTls ===

impl ClientTls {
    /// Shakes hands with a server that is to be called `name`.
    ///
    /// # Errors
    /// What was wrong with which certificate. If the server refuses ours, TLS 1.3 tells that to the first read only.
    pub async fn connect<I>(
        &self,
        name: ServerName<'static>,
        io: I,
    ) -> Result<client::TlsStream<I>, HandshakeError>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        TlsConnector::from(self.config.current()).connect(name, io).await.map_err(HandshakeError::from)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

// === impl Derived ===

impl<T> Derived<T> {
    fn try_new(identity: LiveIdentity, make: Make<T>) -> Result<Self, TlsError> {
        let current = identity.current();
        let made = make(&current)?;
        Ok(Self { identity, made: ArcSwap::from_pointee((current, made)), make })
    }

    /// Made of the identity as it is now; if nothing can be made of it, of the last one that was good for it.
    fn current(&self) -> Arc<T> {
        let identity = self.identity.current();
        let made = self.made.load();
        if Arc::ptr_eq(&made.0, &identity) {
            return made.1.clone();
        }
        let new = (self.make)(&identity).unwrap_or_else(|error| {
            tracing::error!(%error, "a new certificate cannot be used, the old one stays");
            made.1.clone()
        });
        self.made.store(Arc::new((identity, new.clone())));
        new
    }
}
