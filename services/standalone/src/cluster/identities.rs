//! The certificates of a cluster in one process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keelson_base_daemon::admin::Metrics;
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::{Identity, IdentityFiles, IdentitySpec, LiveIdentity, Pki, San, TlsError};

use crate::cluster::ClusterConfig;
use crate::cluster::serving::Serving;
use crate::data_dir::DataDir;
use crate::who::{self, Who};

/// How long certificates are valid; each start renews those that are past two thirds of it.
const VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);

/// The certificates of one cluster.
pub(super) struct Identities {
    admin: Identity,
    signing_key: PathBuf,
    /// Of whoever listens, by the name of the identity.
    servers: HashMap<String, LiveIdentity>,
}

// === impl Identities ===

impl Identities {
    /// Reads or makes the certificates. Those of servers follow their files from here on.
    ///
    /// # Errors
    /// If they cannot be read, or the directory not be written.
    pub(super) fn open(
        data: &DataDir,
        config: &ClusterConfig,
        serving: &Serving,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Result<Self, TlsError> {
        let service = who::kubernetes_service(config.api.service_cluster_ip_range);
        // All that listens here, listens on the same addresses.
        let sans: Vec<San> =
            who::loopback().into_iter().chain(serving.hosts().into_iter().map(San::Ip)).collect();
        let dir = data.pki();
        let pki = Pki::open_or_create(&dir, &sans)?;
        let admin = issue(&pki, &Who::ADMIN.spec([]))?;
        let signing_key = pki.signing_key()?;
        let mut specs = vec![Who::GATEWAY.spec(service), Who::API.spec([])];
        specs.extend(config.node_names.iter().map(|node| who::kubelet_spec(node)));
        specs.iter().try_for_each(|spec| issue(&pki, spec).map(drop))?;
        let files = |spec: IdentitySpec| {
            let files = IdentityFiles::in_directory(&dir, &spec.name);
            (spec.name, files)
        };
        let (names, files): (Vec<_>, Vec<_>) =
            specs.into_iter().map(files).map(|(name, files)| (name.clone(), (name, files))).unzip();
        let live = LiveIdentity::follow_all(files, tasks, metrics)?;
        Ok(Self { admin, signing_key, servers: names.into_iter().zip(live).collect() })
    }

    /// What a server shows, by the name of its identity.
    ///
    /// # Errors
    /// If there was none of that name when the cluster started.
    pub(super) fn server(&self, name: &str) -> Result<&LiveIdentity, TlsError> {
        self.servers.get(name).ok_or_else(|| TlsError::BadName(name.to_owned()))
    }

    /// Where the key is that the tokens of service accounts are signed with.
    pub(super) fn signing_key(&self) -> &Path {
        &self.signing_key
    }

    /// The administrator's.
    pub(super) fn admin(&self) -> &Identity {
        &self.admin
    }
}

fn issue(pki: &Pki, spec: &IdentitySpec) -> Result<Identity, TlsError> {
    pki.issue(&spec.name, spec.subject.clone(), spec.usage, &spec.sans, VALIDITY)
}
