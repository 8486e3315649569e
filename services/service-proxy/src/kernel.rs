//! The table as rules of the kernel.
//!
//! Both kinds of rules mean the same:
//! - a new connection to a frontend is translated to the next backend in turn, or to the client's own with affinity;
//! - connections to a service address that leads nowhere are refused at once, also to a node port without backends;
//! - the way back must pass here: connections through node ports, and those from and to pod networks, are masqueraded;
//! - what Docker's FORWARD policy would drop is let through;
//! - nobody from outside gets to 127.0.0.0/8, although `route_localnet` is on for the links to the pods.
//!
//! Rules recognise translated connections by their original address and port, so no packet or connection mark is used.

mod forward;
mod iptables;
mod nftables;

pub(crate) use self::iptables::Iptables;
pub(crate) use self::nftables::Nftables;

use crate::config::{Cidr, Mode};
use crate::host::{CommandError, Host};
use crate::instance::Instance;

/// What rules depend on besides the table.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) instance: Instance,
    pub(crate) service_cidr: Cidr,
    pub(crate) pod_cidrs: Vec<Cidr>,
}

/// Removes the rules of an instance that `mode` does not use; [`Mode::Userspace`] uses none.
///
/// A program that is not installed has left nothing.
pub(crate) async fn remove_except(host: &Host, instance: &Instance, mode: Mode) -> Result<(), CommandError> {
    let nftables = if mode == Mode::Nftables { Ok(()) } else { nftables::remove(host, instance).await };
    let iptables = match mode {
        Mode::Iptables => Ok(()),
        // It stands on the chain in Docker's.
        Mode::Nftables => iptables::remove(host, instance, &[forward::CHAIN]).await,
        Mode::Auto | Mode::Userspace => iptables::remove(host, instance, &[]).await,
    };
    unless_missing(nftables)?;
    unless_missing(iptables)
}

fn unless_missing(result: Result<(), CommandError>) -> Result<(), CommandError> {
    if let Err(CommandError::Missing(_)) = result { Ok(()) } else { result }
}
