//! The table as nftables rules, in one table of our own, changed by one transaction each time.

mod text;

use super::Settings;
use super::forward::Forward;
use crate::host::{CommandError, Host};
use crate::instance::Instance;
use crate::table::{Table, diff};

/// Writes nftables rules.
#[derive(Debug)]
pub(crate) struct Nftables {
    host: Host,
    settings: Settings,
    forward: Forward,
}

// === impl Nftables ===

impl Nftables {
    /// Fails if rules of our kind cannot be written here; leaves nothing behind.
    pub(crate) async fn try_new(host: Host, settings: Settings) -> Result<Self, CommandError> {
        nft(&host, &text::probe(&settings)).await?;
        Ok(Self { host, settings, forward: Forward::default() })
    }

    /// Brings `new` into force, by the difference to `old` if that is known to be in force.
    pub(crate) async fn apply(&mut self, old: Option<&Table>, new: &Table) -> Result<(), CommandError> {
        let text = match old {
            Some(old) => text::changes(&self.settings, &diff(old, new)),
            None => text::all(&self.settings, new),
        };
        if !text.is_empty() {
            nft(&self.host, &text).await?;
        }
        self.forward.apply(&self.host, &self.settings, new).await
    }
}

/// Removes the table of an instance, if it is there.
pub(crate) async fn remove(host: &Host, instance: &Instance) -> Result<(), CommandError> {
    nft(host, &text::remove(&instance.table())).await
}

async fn nft(host: &Host, text: &str) -> Result<(), CommandError> {
    tracing::trace!(%text, "nft");
    host.run("nft", &["-f", "-"], text).await.map(drop)
}
