//! `keelson pki`: the certificates of a cluster whose services are processes of their own.

mod duration;
mod table;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use ipnet::Ipv4Net;
use keelson_base_daemon::tls::{Identity, IdentitySpec, Issued, Pki, San, Subject, Usage, inventory};

use crate::progress::tell;
use crate::who::{self, KUBELET, Who};
use crate::{data_dir, kubeconfig, node_name};

/// Names of etcd's members in compose and in the chart.
const ETCD_NAMES: [&str; 4] = ["etcd", "etcd-1", "etcd-2", "etcd-3"];

/// Where a gateway is that was started with its defaults, for this machine.
const GATEWAY_URL: &str = "https://127.0.0.1:6443";

/// The flags of `keelson pki`.
#[derive(Clone, Debug, clap::Args)]
pub struct PkiArgs {
    /// Where the certificates are, or are to be.
    #[arg(long, value_name = "DIR", default_value = "/etc/keelson/pki")]
    pki_dir: PathBuf,
    /// A node whose kubelet needs a certificate; repeatable, or with commas between. Kubelets that have one keep it.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    node: Vec<String>,
    /// A name or address by which gateway, api and etcd are reached; repeatable, or with commas between. Those that the
    /// certificates have are kept.
    #[arg(long, value_name = "NAME-or-IP", value_delimiter = ',')]
    san: Vec<San>,
    /// Network of the services' cluster IPs; its first address is the `kubernetes` service's.
    #[arg(long, value_name = "NET", default_value = "10.96.0.0/16")]
    service_cluster_ip_range: Ipv4Net,
    /// Where the administrator's kubeconfig finds the gateway [default: where it says now, or else
    /// https://127.0.0.1:6443].
    #[arg(long, value_name = "URL")]
    gateway_url: Option<String>,
    /// How long new certificates are valid: 365d, 12h, 90s. They are renewed when two thirds of it are over.
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = duration::parse)]
    validity: Duration,
    /// Renew all certificates, however long they are still valid. The authorities stay.
    #[arg(long)]
    renew: bool,
    /// Change nothing: show what there is, and until when it is valid.
    #[arg(long, conflicts_with = "renew")]
    list: bool,
}

/// Makes the certificates that are missing and renews those past two thirds of their life; or shows them.
///
/// May run at any time beside the services, and beside itself.
///
/// # Errors
/// A directory that cannot be read or written; an authority that is damaged or has expired.
pub fn pki(args: &PkiArgs) -> anyhow::Result<()> {
    let (dir, etcd) = (&args.pki_dir, args.pki_dir.join("etcd"));
    if args.list {
        return list(dir, &etcd);
    }
    fs::create_dir_all(&etcd).with_context(|| {
        format!("cannot make {}; choose another directory with --pki-dir", etcd.display())
    })?;
    let _turn = take_turn(dir).with_context(|| {
        format!("cannot write in {}; choose another directory with --pki-dir", dir.display())
    })?;
    let mut made = Made::default();
    let authority = Pki::open_or_create(dir, &who::loopback())?;
    made.add("", authority.ensure(&args.identities()?, args.validity, args.renew)?);
    made.warn_of_authority("ca.crt", &authority, args.validity);
    authority.signing_key()?;
    let authority = Pki::open_or_create(&etcd, &who::loopback())?;
    made.add("etcd/", authority.ensure(&args.etcd_identities(), args.validity, args.renew)?);
    made.warn_of_authority("etcd/ca.crt", &authority, args.validity);
    let id = data_dir::cluster_id(&dir.join("cluster-id")).context("cannot keep the cluster's id")?;
    let [cert, key, ca] = ["admin.crt", "admin.key", "ca.crt"].map(|file| dir.join(file));
    let admin = Identity::from_files(&cert, &key, Some(&ca))?;
    let kubeconfig = dir.join("kubeconfig");
    let asked = args.gateway_url.clone().filter(|url| !url.is_empty());
    let url = asked.or_else(|| kubeconfig::server(&kubeconfig)).unwrap_or_else(|| GATEWAY_URL.to_owned());
    kubeconfig::write(&kubeconfig, &url, &admin).context("cannot write the kubeconfig")?;
    made.tell(dir, &id);
    Ok(())
}

// === impl PkiArgs ===

impl PkiArgs {
    /// Who gets a certificate of the cluster's authority: the table of who is who, and the kubelets that were named now
    /// or earlier.
    fn identities(&self) -> anyhow::Result<Vec<IdentitySpec>> {
        let mut specs: Vec<IdentitySpec> = Who::ALL.iter().map(|who| who.spec(self.names_of(who))).collect();
        // An empty list in the environment is one empty name.
        let mut nodes: Vec<String> = self.node.iter().filter(|node| !node.is_empty()).cloned().collect();
        nodes.iter().try_for_each(|node| node_name::check(node))?;
        let there = inventory(&self.pki_dir)?;
        nodes.extend(there.iter().filter_map(|entry| entry.name.strip_prefix(KUBELET)).map(str::to_owned));
        nodes.sort();
        nodes.dedup();
        specs.extend(nodes.iter().map(|node| who::kubelet_spec(node)));
        Ok(specs)
    }

    /// The names that somebody's certificate has in this cluster.
    fn names_of(&self, who: &Who) -> Vec<San> {
        let asked = self.asked_names().filter(|_| who.is_front());
        let service = who::kubernetes_service(self.service_cluster_ip_range)
            .filter(|_| who.identity == Who::GATEWAY.identity);
        asked.chain(service).collect()
    }

    fn asked_names(&self) -> impl Iterator<Item = San> {
        self.san.iter().filter(|san| !san.to_string().is_empty()).cloned()
    }

    /// Who gets a certificate of etcd's own authority: whoever has one of it may do everything in the store.
    fn etcd_identities(&self) -> [IdentitySpec; 2] {
        let names = ETCD_NAMES.iter().map(|name| San::Dns((*name).to_owned()));
        let server = IdentitySpec {
            name: "server".to_owned(),
            subject: Subject::new("etcd"),
            // Members are clients of one another.
            usage: Usage::Both,
            sans: names.chain(self.asked_names()).collect(),
        };
        let api = IdentitySpec {
            name: Who::API.identity.to_owned(),
            subject: Subject::new(who::API_SERVER_NAME),
            usage: Usage::Client,
            sans: Vec::new(),
        };
        [server, api]
    }
}

/// What a run has done.
#[derive(Default)]
struct Made {
    lines: Vec<String>,
    warnings: Vec<String>,
}

// === impl Made ===

impl Made {
    fn add(&mut self, prefix: &str, issued: Vec<Issued>) {
        self.lines
            .extend(issued.into_iter().map(|issued| format!("{prefix}{}: {}", issued.name, issued.why)));
    }

    /// Says so if certificates made now end before their time, because their authority does.
    fn warn_of_authority(&mut self, name: &str, authority: &Pki, validity: Duration) {
        let left = authority.ca_validity().map(|ca| ca.left(SystemTime::now()));
        if let Some(left) = left.filter(|left| *left < validity) {
            let days = left.as_secs() / (24 * 3600);
            self.warnings.push(format!(
                "the authority {name} ends in {days} days, and with it every certificate: replace it (README, \
                 \"Certificates\")"
            ));
        }
    }

    fn tell(&self, dir: &Path, cluster_id: &str) {
        let what = match self.lines.len() {
            0 => "all certificates are good".to_owned(),
            1 => "made 1 certificate".to_owned(),
            count => format!("made {count} certificates"),
        };
        tell(format!("keelson pki: {what} in {} (cluster {cluster_id})", dir.display()));
        self.lines.iter().for_each(|line| tell(format!("  {line}")));
        self.warnings.iter().for_each(|warning| tell(format!("warning: {warning}")));
    }
}

/// Keeps other runs out until dropped: the files of one run belong together.
fn take_turn(dir: &Path) -> io::Result<File> {
    let lock = File::options().create(true).truncate(false).write(true).open(dir.join(".run.lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn list(dir: &Path, etcd: &Path) -> anyhow::Result<()> {
    let missing = || format!("make certificates first: keelson pki --pki-dir {}", dir.display());
    let mut entries = inventory(dir).with_context(missing)?;
    anyhow::ensure!(!entries.is_empty(), "there is no certificate in {}: {}", dir.display(), missing());
    if etcd.is_dir() {
        let prefixed = inventory(etcd)?.into_iter().map(|mut entry| {
            entry.name = format!("etcd/{}", entry.name);
            entry
        });
        entries.extend(prefixed);
    }
    let now = SystemTime::now();
    print!("{}", table::render(&entries, now));
    for line in table::advice(&entries, dir) {
        tell(line);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
