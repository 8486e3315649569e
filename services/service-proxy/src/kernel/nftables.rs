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
        match old {
            Some(old) => {
                let text = text::changes(&self.settings, &diff(old, new));
                if !text.is_empty() {
                    nft(&self.host, &text).await?;
                }
            }
            None => self.take_over(new).await?,
        }
        self.forward.apply(&self.host, &self.settings, new).await
    }

    /// Replaces whatever is in force.
    ///
    /// A transaction is one for rules, not for the chains at a hook: a packet that comes to the new chain just before the
    /// commit and to the old one just after finds no rules in either. So the same rules stand in from another table.
    async fn take_over(&self, new: &Table) -> Result<(), CommandError> {
        let (table, stand_in) = (self.settings.instance.table(), self.settings.instance.stand_in_table());
        let there = self.host.run("nft", &["list", "tables", "ip"], "").await?;
        let replaced = there.lines().any(|line| line.trim_end().ends_with(&format!(" {table}")));
        if replaced {
            nft(&self.host, &text::all(&self.settings, stand_in.clone(), new)).await?;
        }
        nft(&self.host, &text::all(&self.settings, table, new)).await?;
        // Or what a proxy has left that was killed at this point.
        nft(&self.host, &text::remove(&stand_in)).await
    }
}

/// Removes the tables of an instance, if they are there.
pub(crate) async fn remove(host: &Host, instance: &Instance) -> Result<(), CommandError> {
    let [table, stand_in] = [instance.table(), instance.stand_in_table()].map(|table| text::remove(&table));
    nft(host, &format!("{table}{stand_in}")).await
}

async fn nft(host: &Host, text: &str) -> Result<(), CommandError> {
    tracing::trace!(%text, "nft");
    host.run("nft", &["-f", "-"], text).await.map(drop)
}
