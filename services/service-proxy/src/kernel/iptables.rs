//! The table as iptables rules: chains of our own in `nat` and `filter`, and one jump from each chain of the kernel.
//!
//! `iptables-restore --noflush` changes each of the two tables by one transaction and leaves foreign chains alone.

mod saved;
mod text;

use super::Settings;
use crate::host::{CommandError, Host};
use crate::instance::Instance;
use crate::table::{Table, diff};

pub(super) use self::saved::jump;

/// How many seconds older iptables waits for another's lock.
const LOCK_SECONDS: &str = "10";

/// Writes iptables rules.
#[derive(Debug)]
pub(crate) struct Iptables {
    host: Host,
    settings: Settings,
}

// === impl Iptables ===

impl Iptables {
    /// Fails if rules of our kind cannot be written here; leaves nothing behind.
    pub(crate) async fn try_new(host: Host, settings: Settings) -> Result<Self, CommandError> {
        let (make, unmake) = text::probe(&settings);
        restore(&host, &make).await?;
        restore(&host, &unmake).await?;
        Ok(Self { host, settings })
    }

    /// Brings `new` into force, by the difference to `old` if that is known to be in force.
    pub(crate) async fn apply(&mut self, old: Option<&Table>, new: &Table) -> Result<(), CommandError> {
        let text = match old {
            Some(old) => text::changes(&self.settings, &diff(old, new), new),
            None => {
                let (nat, filter) = (save(&self.host, "nat").await?, save(&self.host, "filter").await?);
                text::all(&self.settings, new, &nat, &filter)
            }
        };
        if text.is_empty() { Ok(()) } else { restore(&self.host, &text).await }
    }
}

/// Removes the chains of an instance and the jumps to them, but for the chains of these nouns.
pub(crate) async fn remove(host: &Host, instance: &Instance, except: &[&str]) -> Result<(), CommandError> {
    let keep: Vec<_> = except.iter().map(|noun| instance.chain(noun)).collect();
    for table in ["filter", "nat"] {
        let removal = saved::removal(instance, &keep, table, &save(host, table).await?);
        if !removal.is_empty() {
            restore(host, &removal).await?;
        }
    }
    Ok(())
}

/// The rules of one table in force.
pub(super) async fn save(host: &Host, table: &str) -> Result<String, CommandError> {
    host.run("iptables-save", &["-t", table], "").await
}

/// Changes rules.
pub(super) async fn restore(host: &Host, text: &str) -> Result<(), CommandError> {
    tracing::trace!(%text, "iptables-restore");
    host.run("iptables-restore", &["--noflush", "--wait", LOCK_SECONDS], text).await.map(drop)
}
