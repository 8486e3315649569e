//! Stores for tests: each with nothing in it, each in a place of its own that goes away with it.

#![expect(clippy::expect_used, reason = "a test that cannot set up its store ends, with the reason")]

mod etcd_cluster;
mod etcd_process;

pub use self::etcd_cluster::EtcdCluster;
pub use self::etcd_process::EtcdProcess;
use crate::{Embedded, EmbeddedConfig, Etcd, EtcdConfig, FanoutConfig, Store};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A ring so small that tests meet the history behind it.
const SMALL: FanoutConfig = FanoutConfig { batches: 32, bytes: 1 << 20 };

/// Somewhere a store's data is, which can be opened again and again.
pub trait Backend: Send + Sync {
    /// Opens a store on the data. The one before must have been closed.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>>;

    /// How much later than its time a key may expire.
    fn ttl_slack(&self) -> Duration;
}

/// An embedded store in a temporary directory.
#[derive(Debug)]
pub struct EmbeddedBackend {
    directory: TempDir,
}

/// An etcd of our own.
#[derive(Debug)]
pub struct EtcdBackend {
    process: EtcdProcess,
}

// === impl EmbeddedBackend ===

impl EmbeddedBackend {
    /// An empty one.
    pub fn start() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    /// Where its data is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// How to open it.
    pub fn config(&self) -> EmbeddedConfig {
        EmbeddedConfig { fanout: SMALL, ..EmbeddedConfig::new(self.path()) }
    }
}

impl Backend for EmbeddedBackend {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        async { Arc::new(Embedded::open(self.config()).expect("the embedded store opens")) as _ }.boxed()
    }

    fn ttl_slack(&self) -> Duration {
        Duration::from_secs(1)
    }
}

// === impl EtcdBackend ===

impl EtcdBackend {
    /// An empty one.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further arguments for etcd.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self { process: EtcdProcess::start_with(arguments) }
    }

    /// The etcd behind it.
    pub fn process(&mut self) -> &mut EtcdProcess {
        &mut self.process
    }

    /// How to connect to it.
    pub fn config(&self) -> EtcdConfig {
        EtcdConfig {
            lease_bucket: Duration::from_secs(1),
            fanout: SMALL,
            ..EtcdConfig::new([self.process.endpoint()])
        }
    }

    /// Connects, as soon as etcd answers.
    pub async fn connect(&self) -> Etcd {
        for _ in 0..100 {
            let config = EtcdConfig { timeout: Duration::from_secs(1), ..self.config() };
            if Etcd::connect(config).await.is_ok() {
                break;
            }
            // etcd has no sign of being ready but that it answers.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Etcd::connect(self.config()).await.expect("etcd answers within 10 s")
    }
}

impl Backend for EtcdBackend {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        async { Arc::new(self.connect().await) as _ }.boxed()
    }

    fn ttl_slack(&self) -> Duration {
        // etcd's shortest lease is two seconds; it looks for ended ones twice a second; and our bucket.
        Duration::from_secs(5)
    }
}
