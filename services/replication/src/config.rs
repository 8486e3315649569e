//! What the control loops are told.

use std::time::Duration;

use jiff::SignedDuration;
use keelson_base_client::leader;
use keelson_base_daemon::tls::LiveIdentity;

use crate::node::Timing;

/// What the control loops are told. The names of flags are those of kube-controller-manager.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "replication")]
pub struct Config {
    /// How long a node may be silent before it counts as lost.
    #[arg(long, default_value = "40s", value_parser = duration, env = "KEELSON_NODE_MONITOR_GRACE_PERIOD")]
    pub node_monitor_grace_period: Duration,
    /// The same for a node that has not been heard of yet.
    #[arg(long, default_value = "60s", value_parser = duration, env = "KEELSON_NODE_STARTUP_GRACE_PERIOD")]
    pub node_startup_grace_period: Duration,
    /// How long the pods of a lost node are waited for before they are deleted.
    #[arg(long, default_value = "5m", value_parser = duration, env = "KEELSON_POD_EVICTION_TIMEOUT")]
    pub pod_eviction_timeout: Duration,
    /// Replication controllers worked on at once.
    #[arg(long, default_value_t = 5, alias = "concurrent-rc-syncs")]
    pub concurrent_replicationcontroller_syncs: usize,
    /// Services whose endpoints are worked on at once.
    #[arg(long, default_value_t = 5)]
    pub concurrent_endpoint_syncs: usize,
    /// Namespaces emptied at once.
    #[arg(long, default_value_t = 10)]
    pub concurrent_namespace_syncs: usize,
    /// Nodes worked on at once.
    #[arg(long, default_value_t = 5)]
    pub concurrent_node_syncs: usize,
    /// Objects whose owners are looked into at once.
    #[arg(long, default_value_t = 20)]
    pub concurrent_gc_syncs: usize,
    /// Pods that one replication controller may create or delete at once.
    #[arg(long, default_value_t = 500)]
    pub burst_replicas: usize,
    /// Quotas counted at once.
    #[arg(long, default_value_t = 5)]
    pub concurrent_resource_quota_syncs: usize,
    /// Secrets filled with tokens at once.
    #[arg(long, default_value_t = 5)]
    pub concurrent_serviceaccount_token_syncs: usize,
    /// Whose authorities pods are told to trust; nobody's if it is not known.
    #[arg(skip)]
    pub root_ca: Option<LiveIdentity>,
    /// How one of several is elected; none if there is one only.
    #[arg(skip)]
    pub leader_election: Option<leader::Timing>,
}

/// A control loop that cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A number of workers or pods is 0.
    #[error("--{0} is 0, with which nothing would ever happen; give at least 1")]
    Zero(&'static str),
    /// The times of the election make no sense.
    #[error("{0}")]
    Election(String),
}

// === impl Config ===

impl Config {
    /// Whether the numbers make sense.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let counts = [
            ("concurrent-replicationcontroller-syncs", self.concurrent_replicationcontroller_syncs),
            ("concurrent-endpoint-syncs", self.concurrent_endpoint_syncs),
            ("concurrent-namespace-syncs", self.concurrent_namespace_syncs),
            ("concurrent-node-syncs", self.concurrent_node_syncs),
            ("concurrent-gc-syncs", self.concurrent_gc_syncs),
            ("burst-replicas", self.burst_replicas),
            ("concurrent-resource-quota-syncs", self.concurrent_resource_quota_syncs),
            ("concurrent-serviceaccount-token-syncs", self.concurrent_serviceaccount_token_syncs),
        ];
        let zero = counts.into_iter().find(|(_, count)| *count == 0);
        zero.map_or(Ok(()), |(flag, _)| Err(BuildError::Zero(flag)))?;
        self.leader_election.map_or(Ok(()), |timing| timing.check().map_err(BuildError::Election))
    }

    /// When nodes are given up.
    pub(crate) fn timing(&self) -> Timing {
        Timing {
            grace: self.node_monitor_grace_period,
            startup: self.node_startup_grace_period,
            eviction: self.pod_eviction_timeout,
        }
    }
}

impl Default for Config {
    /// The flags' defaults.
    fn default() -> Self {
        Self {
            node_monitor_grace_period: Duration::from_secs(40),
            node_startup_grace_period: Duration::from_secs(60),
            pod_eviction_timeout: Duration::from_secs(300),
            concurrent_replicationcontroller_syncs: 5,
            concurrent_endpoint_syncs: 5,
            concurrent_namespace_syncs: 10,
            concurrent_node_syncs: 5,
            concurrent_gc_syncs: 20,
            burst_replicas: 500,
            concurrent_resource_quota_syncs: 5,
            concurrent_serviceaccount_token_syncs: 5,
            root_ca: None,
            leader_election: None,
        }
    }
}

/// Reads `40s`, `5m0s`, `1h30m`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map(Duration::from_secs).ok();
    let written = || {
        let duration: SignedDuration = text.parse().ok()?;
        Duration::try_from(duration).ok()
    };
    seconds
        .or_else(written)
        .ok_or_else(|| "give a duration that is not negative, for instance 40s or 5m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn durations_are_written_as_in_go() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let table = [
            ("40s", seconds(40)),
            ("5m", seconds(300)),
            ("5m0s", seconds(300)),
            ("1h30m", seconds(5400)),
            ("500ms", Some(Duration::from_millis(500))),
            ("7", seconds(7)),
            ("-1s", None),
            ("soon", None),
        ];
        for (text, expected) in table {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn the_flags_begin_with_the_defaults() {
        let config = Flags::parse_from(["test"]).config;
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
        let config =
            Flags::parse_from(["test", "--concurrent-rc-syncs", "9", "--pod-eviction-timeout", "1m"]).config;
        assert_eq!(config.concurrent_replicationcontroller_syncs, 9);
        assert_eq!(config.pod_eviction_timeout, Duration::from_secs(60));
    }

    #[test]
    fn a_loop_needs_a_worker() {
        assert_eq!(Config::default().check(), Ok(()));
        let config = Config { concurrent_endpoint_syncs: 0, ..Config::default() };
        assert_eq!(config.check(), Err(BuildError::Zero("concurrent-endpoint-syncs")));
    }
}
