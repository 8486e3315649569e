//! What the scheduler is told.

use std::path::PathBuf;

use keelson_base_client::leader;

/// The scheduler that pods get who ask for none.
pub(crate) const DEFAULT_SCHEDULER: &str = "default-scheduler";

/// What the scheduler is told.
#[derive(Clone, Debug, clap::Args)]
#[group(id = "scheduler")]
pub struct Config {
    /// Schedules the pods whose spec.schedulerName is this.
    #[arg(long, default_value = DEFAULT_SCHEDULER, value_name = "NAME")]
    pub scheduler_name: String,
    /// How a node is chosen among those that fit.
    #[arg(long, value_enum, default_value_t = Provider::Default, value_name = "PROVIDER")]
    pub scheduler_provider: Provider,
    /// JSON file with the predicates and priorities to use, in the form of Kubernetes 1.0's --policy-config-file.
    #[arg(long, value_name = "FILE")]
    pub scheduler_policy_file: Option<PathBuf>,
    /// How one of several schedulers is elected; none if there is one only.
    #[arg(skip)]
    pub leader_election: Option<leader::Timing>,
}

/// How a node is chosen among those that fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Provider {
    /// The best by priorities.
    #[default]
    Default,
    /// Any.
    Random,
    /// The next in turn.
    RoundRobin,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            scheduler_name: DEFAULT_SCHEDULER.to_owned(),
            scheduler_provider: Provider::Default,
            scheduler_policy_file: None,
            leader_election: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn flags_and_default_agree() {
        let parsed = Flags::parse_from(["x"]).config;
        let default = Config::default();
        assert_eq!(parsed.scheduler_name, default.scheduler_name);
        assert_eq!(parsed.scheduler_provider, default.scheduler_provider);
        assert_eq!(parsed.scheduler_policy_file, default.scheduler_policy_file);
        let flags = ["x", "--scheduler-provider=round-robin", "--scheduler-policy-file=p.json"];
        let parsed = Flags::parse_from(flags).config;
        assert_eq!(parsed.scheduler_provider, Provider::RoundRobin);
        assert_eq!(parsed.scheduler_policy_file, Some("p.json".into()));
    }
}
