//! What keeps the state: of a cluster, and of raw commits beside it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keelson_api_store::{Commit, CommitOutcome, Embedded, EmbeddedConfig, Etcd, EtcdConfig, Expect, Store};

use crate::bench::Bench;
use crate::etcd::EtcdProcess;
use crate::load::Client;

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoreKind {
    /// In the process, on redb.
    Embedded,
    /// Debian's etcd.
    Etcd,
}

/// A store under a cluster, and the same kind of store for raw commits.
pub(crate) struct Backing {
    kind: StoreKind,
    etcd: Option<EtcdProcess>,
    raw: Arc<dyn Store>,
}

/// A client that commits one put after another.
pub(crate) struct RawCommits {
    store: Arc<dyn Store>,
    prefix: String,
    value: Bytes,
}

// === impl Backing ===

impl Backing {
    /// Starts what must be started. `name` is a directory of its own.
    pub(crate) async fn start(bench: &Bench, kind: StoreKind, name: &str) -> anyhow::Result<Self> {
        let path = bench.path(&format!("{name}-raw"));
        match kind {
            StoreKind::Embedded => {
                let raw = Arc::new(Embedded::open(EmbeddedConfig::new(path))?);
                Ok(Self { kind, etcd: None, raw })
            }
            StoreKind::Etcd => {
                let etcd = EtcdProcess::start(&path)?;
                let raw = Arc::new(connect(&etcd.address).await?);
                Ok(Self { kind, etcd: Some(etcd), raw })
            }
        }
    }

    /// What to call it.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            StoreKind::Embedded => "embedded",
            StoreKind::Etcd => "etcd",
        }
    }

    /// The value of `--store` for a cluster on it.
    pub(crate) fn flag(&self) -> String {
        match &self.etcd {
            None => "embedded".to_owned(),
            Some(etcd) => format!("etcd://{}", etcd.address),
        }
    }

    /// The process that does the store's work, if it has one.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.etcd.as_ref().map(EtcdProcess::pid)
    }

    /// A client that commits `value` under keys as long as a pod's.
    pub(crate) fn commits(&self, round: &str, value: &Bytes) -> RawCommits {
        let prefix = format!("/bench/rawpods/default/{round}");
        RawCommits { store: Arc::clone(&self.raw), prefix, value: value.clone() }
    }
}

/// Connects as soon as etcd answers.
async fn connect(address: &str) -> anyhow::Result<Etcd> {
    let config = EtcdConfig {
        // It never watches, and so costs etcd nothing but its commits.
        timeout: Duration::from_secs(2),
        ..EtcdConfig::new([format!("http://{address}")])
    };
    for _ in 0..50 {
        if let Ok(etcd) = Etcd::connect(config.clone()).await {
            return Ok(etcd);
        }
        // etcd has no sign of being ready but that it answers.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(Etcd::connect(config).await?)
}

// === impl RawCommits ===

impl Client for RawCommits {
    async fn step(&mut self, number: u64) -> anyhow::Result<()> {
        let key = format!("{}-{number}", self.prefix);
        match self.store.commit(Commit::put_if(&key, self.value.clone(), Expect::Absent)).await? {
            CommitOutcome::Committed { .. } => Ok(()),
            CommitOutcome::Conflict { .. } => anyhow::bail!("{key} was there already"),
        }
    }
}
