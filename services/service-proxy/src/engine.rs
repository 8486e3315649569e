//! The applier that was chosen, and why.

use crate::bridge::{LinkError, Links, Route};
use crate::config::{Config, Mode};
use crate::hairpin::Hairpin;
use crate::host::{CommandError, Host};
use crate::instance::Instance;
use crate::kernel::{Iptables, Nftables, Settings};
use crate::table::Table;
use crate::userspace::{ListenError, Userspace};

/// Brings tables into force.
#[derive(Debug)]
pub(crate) enum Engine {
    Nftables(Nftables),
    Iptables(Iptables),
    Userspace(Userspace),
}

/// The engine and how it came to be.
pub(crate) struct Choice {
    pub(crate) engine: Engine,
    /// Why it is not the best; `None` if it is, or was asked for and works fully.
    pub(crate) reason: Option<String>,
    /// What has to run beside the engine.
    pub(crate) hairpin: Option<Hairpin>,
}

/// Why a table is not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Why no engine could be had.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// The mode that was asked for does not work here.
    #[error("the service proxy cannot use {mode}: {source}; let it choose with mode auto")]
    Rules {
        /// The mode.
        mode: Mode,
        /// Why.
        source: CommandError,
    },
    /// The bridge for service addresses cannot be had.
    #[error("the service proxy cannot route the service addresses: {0}")]
    Link(#[from] LinkError),
}

// === impl Engine ===

impl Engine {
    pub(crate) fn mode(&self) -> Mode {
        match self {
            Self::Nftables(_) => Mode::Nftables,
            Self::Iptables(_) => Mode::Iptables,
            Self::Userspace(_) => Mode::Userspace,
        }
    }

    /// Brings `new` into force, by the difference to `old` if that is known to be in force.
    pub(crate) async fn apply(&mut self, old: Option<&Table>, new: &Table) -> Result<(), ApplyError> {
        match self {
            Self::Nftables(rules) => rules.apply(old, new).await?,
            Self::Iptables(rules) => rules.apply(old, new).await?,
            Self::Userspace(forwarder) => forwarder.apply(new).await?,
        }
        Ok(())
    }
}

// === impl Choice ===

impl Choice {
    /// Tries the modes that `config` allows, and makes the bridge where it may be made.
    pub(crate) async fn make(config: &Config, host: &Host, instance: &Instance) -> Result<Self, ChooseError> {
        let links = Links::open(host)?;
        let settings = settings(config, &links, instance).await?;
        let (engine, reason) = match config.mode {
            Mode::Nftables => (nftables(host, &settings).await.map_err(refuse(Mode::Nftables))?, None),
            Mode::Iptables => (iptables(host, &settings).await.map_err(refuse(Mode::Iptables))?, None),
            Mode::Userspace => return Ok(userspace(config, host, &links, instance, None).await),
            Mode::Auto => match best(host, &settings).await {
                Ok(found) => found,
                Err(why) => return Ok(userspace(config, host, &links, instance, Some(why)).await),
            },
        };
        links.ensure_bridge(&instance.bridge(), config.service_cidr, Route::Sink).await?;
        check_forwarding(host).await;
        let hairpin = Some(Hairpin::start(host, &config.pod_interfaces).await?);
        Ok(Self { engine, reason, hairpin })
    }
}

async fn settings(config: &Config, links: &Links, instance: &Instance) -> Result<Settings, LinkError> {
    let mut pod_cidrs = config.pod_cidrs.clone();
    for interface in &config.pod_interfaces {
        pod_cidrs.extend(links.subnets(interface).await?);
    }
    pod_cidrs.sort_unstable();
    pod_cidrs.dedup();
    Ok(Settings { instance: instance.clone(), service_cidr: config.service_cidr, pod_cidrs })
}

async fn nftables(host: &Host, settings: &Settings) -> Result<Engine, CommandError> {
    Nftables::try_new(host.clone(), settings.clone()).await.map(Engine::Nftables)
}

async fn iptables(host: &Host, settings: &Settings) -> Result<Engine, CommandError> {
    Iptables::try_new(host.clone(), settings.clone()).await.map(Engine::Iptables)
}

/// Kernel rules of one kind or the other; else why not.
async fn best(host: &Host, settings: &Settings) -> Result<(Engine, Option<String>), String> {
    let first = match nftables(host, settings).await {
        Ok(engine) => return Ok((engine, None)),
        Err(error) => error,
    };
    match iptables(host, settings).await {
        Ok(engine) => Ok((engine, Some(format!("{first}, so services are iptables rules")))),
        Err(second) => Err(why_not(&first, &second)),
    }
}

fn why_not(nftables: &CommandError, iptables: &CommandError) -> String {
    use CommandError::{Denied, Missing};
    match (nftables, iptables) {
        (Missing(_), Missing(_)) => "neither nft nor iptables is installed".to_owned(),
        (Denied { .. }, _) | (_, Denied { .. }) => "rules of the kernel need root (CAP_NET_ADMIN)".to_owned(),
        _ => format!("{nftables}, and {iptables}"),
    }
}

/// The forwarder; with the service addresses on this host if it may have them.
async fn userspace(
    config: &Config,
    host: &Host,
    links: &Links,
    instance: &Instance,
    why: Option<String>,
) -> Choice {
    let bridge = links.ensure_bridge(&instance.bridge(), config.service_cidr, Route::Local).await;
    let serves = match &bridge {
        Ok(()) => "on cluster addresses and node ports of this host",
        Err(_) => "on node ports of this host only",
    };
    let mut why = why;
    if let (Err(error), None) = (&bridge, &why) {
        why = Some(error.to_string());
    }
    let reason = why.map(|why| format!("{why}, so services answer {serves}, through this process, TCP only"));
    let forwarder = Userspace::new(host.clone(), config.node_port_address, bridge.is_ok());
    Choice { engine: Engine::Userspace(forwarder), reason, hairpin: None }
}

/// Forwarding is the administrator's to allow; Docker does so, too.
async fn check_forwarding(host: &Host) {
    match host.switch("net/ipv4/ip_forward").await {
        Ok(value) if value == "1" => {}
        Ok(_) => tracing::warn!("net.ipv4.ip_forward is off: only this host reaches pods; set it to 1"),
        Err(error) => tracing::debug!(%error, "whether packets are forwarded is not known"),
    }
}

fn refuse(mode: Mode) -> impl FnOnce(CommandError) -> ChooseError {
    move |source| ChooseError::Rules { mode, source }
}

#[cfg(test)]
mod tests;
