//! Choosing and opening the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use keelson_api_store::{Embedded, EmbeddedConfig, Error, Etcd, EtcdConfig, EtcdTls, Store};
use keelson_base_daemon::admin::Metrics;
use keelson_base_daemon::backoff::Backoff;
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::{Identity, IdentityFiles, LiveIdentity, TlsError};
use tokio::time::Instant;

/// The store, and how to prove who is who if it is etcd.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreFlags {
    /// What keeps the state: `embedded`, or `etcd://host:port[,host:port…]`.
    #[arg(long, default_value = "embedded")]
    pub store: StoreChoice,
    /// PEM file with the authority that signed etcd's certificates; with it etcd is spoken to over TLS.
    #[arg(long, value_name = "FILE")]
    pub etcd_cafile: Option<PathBuf>,
    /// PEM file with the certificate to show to etcd.
    #[arg(long, value_name = "FILE", requires = "etcd_keyfile", requires = "etcd_cafile")]
    pub etcd_certfile: Option<PathBuf>,
    /// PEM file with the private key of --etcd-certfile.
    #[arg(long, value_name = "FILE", requires = "etcd_certfile")]
    pub etcd_keyfile: Option<PathBuf>,
}

/// What keeps the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// The embedded store, below the data directory.
    Embedded,
    /// etcd, at these `host:port`s.
    Etcd(Vec<String>),
}

/// A store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A certificate for etcd cannot be read.
    #[error("cannot read --{flag} {}", path.display())]
    Certificate {
        /// The flag that names it, without dashes.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate to show to etcd is of no use.
    #[error("cannot use the certificates for etcd")]
    Tls(#[from] TlsError),
    /// The store itself.
    #[error("cannot open the {what}")]
    Store {
        /// Which store, and what to do where that helps.
        what: String,
        /// Why.
        source: Error,
    },
}

// === impl StoreFlags ===

impl StoreFlags {
    /// Opens the store that was chosen; the embedded one in the directory `embedded`. The certificate to show to etcd is
    /// used anew whenever its files change.
    ///
    /// # Errors
    /// Those of the store, with its place.
    pub async fn open(
        &self,
        embedded: &Path,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Result<Arc<dyn Store>, OpenError> {
        Ok(match &self.store {
            StoreChoice::Embedded => {
                let what = || format!("embedded store {}", embedded.display());
                let opened = Embedded::open(EmbeddedConfig::new(embedded));
                Arc::new(opened.map_err(|source| OpenError::Store { what: what(), source })?)
            }
            StoreChoice::Etcd(hosts) => {
                let what =
                    || format!("store etcd://{}; start etcd there, or leave out --store", hosts.join(","));
                let connected = Etcd::connect(self.etcd(hosts)?).await;
                let etcd = Arc::new(connected.map_err(|source| OpenError::Store { what: what(), source })?);
                self.follow(&etcd, tasks, metrics)?;
                etcd
            }
        })
    }

    /// The same, giving an etcd that does not answer yet so much time.
    ///
    /// # Errors
    /// Those of the last attempt.
    pub async fn open_within(
        &self,
        embedded: &Path,
        patience: Duration,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Result<Arc<dyn Store>, OpenError> {
        let end = Instant::now() + patience;
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        loop {
            let error = match self.open(embedded, tasks, metrics).await {
                Ok(store) => return Ok(store),
                Err(error) => error,
            };
            let delay = backoff.next_delay();
            if !error.may_pass() || Instant::now() + delay >= end {
                return Err(error);
            }
            tracing::warn!(%error, cause = error.cause(), "waiting for the store");
            tokio::time::sleep(delay).await;
        }
    }

    /// Shows etcd the certificate that is in its files, whenever these change.
    fn follow(&self, etcd: &Arc<Etcd>, tasks: &Tasks, metrics: &Metrics) -> Result<(), OpenError> {
        let (Some(cert), Some(key), Some(ca)) = (&self.etcd_certfile, &self.etcd_keyfile, &self.etcd_cafile)
        else {
            return Ok(());
        };
        let files = IdentityFiles { cert: cert.clone(), key: key.clone(), ca: ca.clone() };
        let identity = LiveIdentity::follow("etcd/api", files, tasks, metrics)?;
        let mut renewals = identity.renewals();
        let (etcd, drain) = (etcd.clone(), tasks.drain());
        tasks.spawn("etcd-certificates", async move {
            while tokio::select! {
                renewed = renewals.changed() => renewed.is_ok(),
                () = drain.signaled() => false,
            } {
                match etcd.renew_tls(tls(&identity.current())).await {
                    Ok(()) => tracing::info!("etcd is shown a renewed certificate"),
                    Err(error) => tracing::warn!(%error, "cannot show etcd the renewed certificate"),
                }
            }
        });
        Ok(())
    }

    fn etcd(&self, hosts: &[String]) -> Result<EtcdConfig, OpenError> {
        let read = |flag, path: &PathBuf| {
            let unreadable = |source| OpenError::Certificate { flag, path: path.clone(), source };
            fs::read(path).map_err(unreadable)
        };
        let Some(ca) = &self.etcd_cafile else {
            return Ok(EtcdConfig::new(hosts.to_vec()));
        };
        let ca = read("etcd-cafile", ca)?.into();
        let identity = match (&self.etcd_certfile, &self.etcd_keyfile) {
            (Some(cert), Some(key)) => {
                Some((read("etcd-certfile", cert)?.into(), read("etcd-keyfile", key)?.into()))
            }
            _ => None,
        };
        let endpoints = hosts.iter().map(|host| format!("https://{host}"));
        Ok(EtcdConfig { tls: Some(EtcdTls { ca, identity }), ..EtcdConfig::new(endpoints) })
    }
}

impl From<StoreChoice> for StoreFlags {
    /// This store, without TLS.
    fn from(store: StoreChoice) -> Self {
        Self { store, etcd_cafile: None, etcd_certfile: None, etcd_keyfile: None }
    }
}

fn tls(identity: &Identity) -> EtcdTls {
    let pem = |text: &str| text.as_bytes().to_vec().into();
    EtcdTls { ca: pem(&identity.ca_pem), identity: Some((pem(&identity.cert_pem), pem(&identity.key_pem))) }
}

// === impl OpenError ===

impl OpenError {
    /// Whether the same may work later.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Store { source: Error::Unavailable(_), .. })
    }

    fn cause(&self) -> String {
        std::error::Error::source(self).map(ToString::to_string).unwrap_or_default()
    }
}

// === impl StoreChoice ===

impl FromStr for StoreChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        let Some(hosts) = text.strip_prefix("etcd://") else {
            return Err(
                "give `embedded`, or `etcd://host:port` with commas between several members".to_owned()
            );
        };
        let hosts: Vec<String> = hosts.split(',').map(|host| host.trim().to_owned()).collect();
        match hosts
            .iter()
            .all(|host| host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()))
        {
            true => Ok(Self::Etcd(hosts)),
            false => Err(format!(
                "{text:?} names a member without a port; write for instance etcd://127.0.0.1:2379"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_named_in_one_word() {
        for (text, store) in [
            ("embedded", Some(StoreChoice::Embedded)),
            ("etcd://127.0.0.1:2379", Some(StoreChoice::Etcd(vec!["127.0.0.1:2379".into()]))),
            ("etcd://a:1,b:2", Some(StoreChoice::Etcd(vec!["a:1".into(), "b:2".into()]))),
            ("etcd://a", None),
            ("etcd://", None),
            ("redis://a:1", None),
        ] {
            assert_eq!(text.parse().ok(), store, "{text}");
        }
    }

    #[test]
    fn with_an_authority_etcd_is_spoken_to_over_tls() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = dir.path().join(name);
            fs::write(&path, name).unwrap();
            path
        };
        let plain = StoreFlags::from(StoreChoice::Embedded);
        let hosts = ["a:1".to_owned()];
        let config = plain.etcd(&hosts).unwrap();
        assert_eq!(
            (config.endpoints.as_slice(), config.tls.is_none()),
            (["a:1".to_owned()].as_slice(), true)
        );
        let tls = StoreFlags {
            etcd_cafile: Some(file("ca")),
            etcd_certfile: Some(file("cert")),
            etcd_keyfile: Some(file("key")),
            ..plain.clone()
        };
        let config = tls.etcd(&hosts).unwrap();
        assert_eq!(config.endpoints, ["https://a:1"]);
        let found = config.tls.unwrap();
        assert_eq!(found.ca, "ca");
        assert_eq!(found.identity.unwrap(), ("cert".into(), "key".into()));
        let missing = StoreFlags { etcd_cafile: Some("/nowhere/ca".into()), ..plain };
        let error = missing.etcd(&hosts).unwrap_err().to_string();
        assert_eq!(error, "cannot read --etcd-cafile /nowhere/ca");
    }

    #[tokio::test(start_paused = true)]
    async fn an_etcd_that_never_answers_is_given_up_in_the_end() {
        // Nothing listens on the port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let flags = StoreFlags::from(StoreChoice::Etcd(vec![format!("127.0.0.1:{port}")]));
        let began = Instant::now();
        let patience = Duration::from_secs(30);
        let (tasks, metrics) = (Tasks::new(), Metrics::new());
        let opened = flags.open_within(Path::new("/nowhere"), patience, &tasks, &metrics).await;
        let error = opened.err().unwrap();
        assert!(began.elapsed() > patience / 2, "{:?}", began.elapsed());
        assert!(error.to_string().contains("start etcd there"), "{error}");
    }
}
