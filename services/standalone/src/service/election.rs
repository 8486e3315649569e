//! The flags of services of which several stand by and one acts.

use std::time::Duration;

use keelson_base_client::leader::Timing;

use crate::duration;

/// Whether one of several is elected, and how: the names and defaults are those of Kubernetes' components.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ElectionFlags {
    /// Act only while holding a lease in the namespace kube-system: of several such processes one acts, and the
    /// others stand by.
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    leader_elect: bool,
    /// How long others wait for a silent holder of the lease before they take it.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration::parse)]
    leader_elect_lease_duration: Duration,
    /// A holder that could not renew the lease for so long stops acting.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    leader_elect_renew_deadline: Duration,
    /// Between renewals, and between attempts to get the lease.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration::parse)]
    leader_elect_retry_period: Duration,
}

// === impl ElectionFlags ===

impl ElectionFlags {
    /// The times of the election; `None` if there is none.
    pub(crate) fn timing(&self) -> Option<Timing> {
        self.leader_elect.then_some(Timing {
            lease: self.leader_elect_lease_duration,
            renew: self.leader_elect_renew_deadline,
            retry: self.leader_elect_retry_period,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        election: ElectionFlags,
    }

    #[test]
    fn one_of_several_is_elected_unless_told_otherwise() {
        let timing =
            |words: &[&str]| Cli::try_parse_from(["x"].iter().chain(words)).map(|cli| cli.election.timing());
        assert_eq!(timing(&[]).unwrap(), Some(Timing::DEFAULT));
        assert_eq!(timing(&["--leader-elect"]).unwrap(), Some(Timing::DEFAULT));
        assert_eq!(timing(&["--leader-elect=false"]).unwrap(), None);
        let lease = timing(&["--leader-elect-lease-duration=4s"]).unwrap().unwrap().lease;
        assert_eq!(lease, Duration::from_secs(4));
        assert!(timing(&["--leader-elect=perhaps"]).is_err());
    }
}
