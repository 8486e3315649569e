//! Cluster DNS: the names of services and endpoints, answered on this host.
//!
//! The server listens at the cluster's DNS address, which the proxy's bridge holds on every host: a pod's question goes to
//! its own node, and no rule translates it. Answers are computed from the informers' caches at the moment of the question,
//! so a change of endpoints is in the next answer. Other names are asked of the host's own name servers.
//!
//! | module | noun |
//! |---|---|
//! | `zone` | which records a name has; pure |
//! | `message` | a question's bytes → an answer's bytes; pure |
//! | `server` | UDP and TCP, within bounds |
//! | `upstream` | the host's name servers, for other names |

mod message;
mod server;
mod upstream;
mod zone;

#[cfg(test)]
pub(crate) use self::message::tests::{query, records};
pub(crate) use self::zone::{Zone, cluster_ip, hostnames};

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use keelson_base_client::backoff::Backoff;
use keelson_base_daemon::tasks::Tasks;

use self::server::Server;
use crate::host::Host;

/// How soon the address is tried again, at first and at last: a proxy that this one replaces may still have it.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// What cluster DNS is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// Where it listens: an address in the range of services that no service is given.
    pub address: Ipv4Addr,
    /// The cluster's domain, for instance `cluster.local`.
    pub domain: String,
    /// Where the host's own name servers stand, asked for other names.
    pub resolv_conf: PathBuf,
}

// === impl DnsConfig ===

impl DnsConfig {
    /// At `address`, for `domain`; other names are asked of the host's name servers.
    pub fn new(address: Ipv4Addr, domain: &str) -> Self {
        Self { address, domain: domain.to_owned(), resolv_conf: PathBuf::from("/etc/resolv.conf") }
    }
}

/// Takes the address as soon as it can be had, and answers in tasks of `tasks` until they drain.
pub(crate) async fn serve(config: DnsConfig, host: Host, zone: Zone, tasks: Tasks) {
    let drain = tasks.drain();
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    loop {
        match Server::bind(&config, &host) {
            Ok(server) => return server.start(zone, &tasks),
            Err(error) => {
                tracing::warn!(address = %config.address, %error, "cluster DNS cannot listen, trying again");
            }
        }
        tokio::select! {
            () = drain.signaled() => return,
            () = tokio::time::sleep(backoff.next_delay()) => {}
        }
    }
}
