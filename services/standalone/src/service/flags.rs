//! The flags that services in processes of their own have in common.

use std::fs;
use std::path::Path;

use anyhow::Context;
use keelson_base_client::{Channel, Client, Endpoints};
use keelson_base_daemon::admin::Metrics;
use keelson_base_daemon::flags::{AdminFlags, ListenFlags, TlsFlags, TraceFlags};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::LiveIdentity;

use super::{Service, reach};
use crate::who::{API_SERVER_NAME, KUBELET};

/// The flags of every service.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServiceFlags {
    #[command(flatten)]
    pub(crate) listen: ListenFlags,
    #[command(flatten)]
    pub(crate) admin: AdminFlags,
    #[command(flatten)]
    pub(crate) tls: TlsFlags,
    #[command(flatten)]
    pub(crate) trace: TraceFlags,
}

/// Where api is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ApiFlags {
    /// Where api listens; with commas between several replicas.
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        value_parser = host_and_port,
        default_value = "127.0.0.1:6450"
    )]
    pub(crate) api: Vec<String>,
}

/// Which cluster this is, of those that share a host.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ClusterIdFlags {
    /// Short id of the cluster, which containers, rules and bridges carry [default: what the file cluster-id in
    /// --pki-dir says].
    #[arg(long, value_name = "ID")]
    pub(crate) cluster_id: Option<String>,
}

// === impl ServiceFlags ===

impl ServiceFlags {
    /// Reads the identity called `name`, and again whenever its files change.
    ///
    /// # Errors
    /// A file that is missing or of no use, and what makes it.
    pub(super) fn identity(
        &self,
        name: &str,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> anyhow::Result<LiveIdentity> {
        LiveIdentity::follow(name, self.tls.files(name), tasks, metrics).with_context(|| {
            let node = name.strip_prefix(KUBELET).map(|node| format!(" --node {node}")).unwrap_or_default();
            let dir = self.tls.pki_dir.display();
            format!("cannot read the identity {name:?}; `keelson pki --pki-dir {dir}{node}` makes it")
        })
    }
}

// === impl ApiFlags ===

impl ApiFlags {
    /// A client of api with the service's identity. It connects when it is used, and again whenever api was away;
    /// meanwhile the service is not ready. To be called once.
    ///
    /// # Errors
    /// An address or identity that is of no use.
    pub(crate) fn client(&self, service: &Service) -> anyhow::Result<Client> {
        let endpoints = Endpoints {
            addresses: self.api.clone(),
            identity: Some(service.identity.clone()),
            server_name: Some(API_SERVER_NAME.to_owned()),
        };
        // Watches have connections of their own, so that a burst of changes holds up no call.
        let channel = || Channel::connect(&endpoints).context("cannot use --api");
        let client = Client::new(channel()?).with_watch_channel(channel()?);
        reach::follow(client.watch_channel(), &service.tasks, &service.health);
        Ok(client.with_user_agent(&format!("keelson-{}", service.name)))
    }
}

// === impl ClusterIdFlags ===

impl ClusterIdFlags {
    /// The id that was given, or that of the directory.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn read(&self, service: &ServiceFlags) -> anyhow::Result<String> {
        self.read_beside(&service.tls.pki_dir)
    }

    /// The same for what has no other flags of a service.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn read_beside(&self, pki_dir: &Path) -> anyhow::Result<String> {
        if let Some(id) = &self.cluster_id {
            return Ok(id.clone());
        }
        let path = pki_dir.join("cluster-id");
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| {
            format!("cannot read the cluster's id from {}; give it with --cluster-id", path.display())
        })?;
        match text.trim() {
            "" => anyhow::bail!("{} is empty; give the cluster's id with --cluster-id", path.display()),
            id => Ok(id.to_owned()),
        }
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let address = text.trim();
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(_) => Ok(address.to_owned()),
        None => Err("write HOST:PORT, for instance 127.0.0.1:6450".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        service: ServiceFlags,
        #[command(flatten)]
        api: ApiFlags,
        #[command(flatten)]
        cluster: ClusterIdFlags,
    }

    #[test]
    fn replicas_of_api_are_named_with_commas() {
        let api = |words: &[&str]| Cli::try_parse_from(["x"].iter().chain(words)).map(|cli| cli.api.api);
        assert_eq!(api(&[]).unwrap(), ["127.0.0.1:6450"]);
        assert_eq!(api(&["--api=a:1, b:2,[::1]:3"]).unwrap(), ["a:1", "b:2", "[::1]:3"]);
        for wrong in ["--api=a", "--api=:1", "--api=a:b", "--api=a:1,"] {
            assert!(api(&[wrong]).unwrap_err().to_string().contains("HOST:PORT"), "{wrong}");
        }
    }

    #[test]
    fn the_clusters_id_is_given_or_lies_beside_the_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let id = |words: &[&str]| {
            let dir = ["x", "--pki-dir", dir.path().to_str().unwrap()];
            let cli = Cli::parse_from(dir.iter().chain(words));
            cli.cluster.read(&cli.service)
        };
        let error = format!("{:#}", id(&[]).unwrap_err());
        assert!(error.contains("cluster-id") && error.contains("--cluster-id"), "{error}");
        assert_eq!(id(&["--cluster-id=blue"]).unwrap(), "blue");
        std::fs::write(dir.path().join("cluster-id"), "abcd1234\n").unwrap();
        assert_eq!(id(&[]).unwrap(), "abcd1234");
        std::fs::write(dir.path().join("cluster-id"), "").unwrap();
        assert!(id(&[]).is_err());
    }

    #[tokio::test]
    async fn a_missing_identity_is_named_with_what_makes_it() {
        let cli = Cli::parse_from(["x", "--pki-dir", "/nowhere"]);
        for (name, command) in [
            ("api", "`keelson pki --pki-dir /nowhere` makes it"),
            ("kubelet-a", "`keelson pki --pki-dir /nowhere --node a` makes it"),
        ] {
            let error = cli.service.identity(name, &Tasks::new(), &Metrics::new()).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(&format!("/nowhere/{name}.crt")) && error.contains(command), "{error}");
        }
    }
}
