//! The way past Docker's FORWARD policy.
//!
//! Docker lets FORWARD drop what it does not know, and no accept in another table overrides that. So connections that
//! were translated here are accepted in DOCKER-USER, the chain that Docker leaves to its users; without Docker in FORWARD.

use std::fmt::Write as _;

use super::{Settings, iptables};
use crate::host::{CommandError, Host};
use crate::table::Table;

/// The chain that accepts, in the table `filter`.
pub(super) const CHAIN: &str = "FORWARD";

/// The chain that jumps there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Docker's chain for its users' rules.
    DockerUser,
    /// The kernel's, where somebody else lets it drop.
    Forward,
}

/// Accepts node ports on behalf of rules that are not iptables'.
#[derive(Debug, Default)]
pub(super) struct Forward {
    /// The rules in force.
    applied: Option<String>,
}

// === impl Anchor ===

impl Anchor {
    /// Where an accept belongs; `None` if FORWARD accepts by itself.
    pub(super) fn find(saved: &str) -> Option<Self> {
        if saved.lines().any(|line| line.starts_with(":DOCKER-USER ")) {
            Some(Self::DockerUser)
        } else {
            saved.lines().any(|line| line.starts_with(":FORWARD DROP")).then_some(Self::Forward)
        }
    }

    pub(super) fn chain(self) -> &'static str {
        match self {
            Self::DockerUser => "DOCKER-USER",
            Self::Forward => "FORWARD",
        }
    }
}

// === impl Forward ===

impl Forward {
    /// Brings the accepts into force. Does nothing where iptables is not installed: no Docker drops anything there.
    pub(super) async fn apply(
        &mut self,
        host: &Host,
        settings: &Settings,
        table: &Table,
    ) -> Result<(), CommandError> {
        let accepts = accepts(settings, table);
        if self.applied.as_ref() == Some(&accepts) {
            return Ok(());
        }
        self.applied = None;
        let saved = match iptables::save(host, "filter").await {
            Err(CommandError::Missing(_)) => String::new(),
            other => other?,
        };
        if let Some(anchor) = Anchor::find(&saved) {
            let jump = iptables::jump(settings, &saved, anchor.chain(), CHAIN);
            let chain = settings.instance.chain(CHAIN);
            let text = format!("*filter\n:{chain} - [0:0]\n{accepts}{jump}COMMIT\n");
            iptables::restore(host, &text).await?;
        }
        self.applied = Some(accepts);
        Ok(())
    }
}

/// Accepts connections that were translated from a service address or a node port of ours.
pub(super) fn accepts(settings: &Settings, table: &Table) -> String {
    let (chain, range) = (settings.instance.chain(CHAIN), settings.service_cidr);
    let mut text = format!("-A {chain} -m conntrack --ctstate DNAT --ctorigdst {range} -j ACCEPT\n");
    for node in table.served_node_ports() {
        let (protocol, port) = (node.protocol.lowercase(), node.port);
        let _ = writeln!(
            text,
            "-A {chain} -p {protocol} -m conntrack --ctstate DNAT --ctorigdstport {port} -j ACCEPT"
        );
    }
    text
}
