//! What the node may run short of, and from when on it counts as short.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use keelson_base_model::quantity::Quantity;

use super::machine::{disk, meminfo, processes};

/// How little must be left for the node to count as short of it: a number of bytes or processes, or a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// So much.
    Amount(u64),
    /// So many hundredths of all.
    Percent(u64),
}

/// The thresholds of a node; what has none never runs short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Of memory: `memory.available`.
    pub memory: Option<Threshold>,
    /// Of the disk of the pods' directories: `nodefs.available`.
    pub disk: Option<Threshold>,
    /// Of process numbers: `pid.available`.
    pub pids: Option<Threshold>,
}

/// Something is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// What is left.
    pub(crate) available: u64,
    /// What should be.
    pub(crate) threshold: u64,
}

/// What the machine is short of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    pub(crate) memory: Option<Shortage>,
    pub(crate) disk: Option<Shortage>,
    pub(crate) pids: Option<Shortage>,
}

// === impl Thresholds ===

impl Default for Thresholds {
    /// Kubernetes' values.
    fn default() -> Self {
        Self {
            memory: Some(Threshold::Amount(100 << 20)),
            disk: Some(Threshold::Percent(10)),
            pids: Some(Threshold::Percent(10)),
        }
    }
}

/// `memory.available<100Mi,nodefs.available<10%`; what is not named has no threshold.
impl FromStr for Thresholds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut thresholds = Self { memory: None, disk: None, pids: None };
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (signal, threshold) =
                word.split_once('<').ok_or_else(|| format!("{word:?} is not SIGNAL<AMOUNT"))?;
            let slot = match signal {
                "memory.available" => &mut thresholds.memory,
                "nodefs.available" => &mut thresholds.disk,
                "pid.available" => &mut thresholds.pids,
                _ => {
                    return Err(format!(
                        "{signal:?} is none of memory.available, nodefs.available, pid.available"
                    ));
                }
            };
            *slot = Some(threshold.parse()?);
        }
        Ok(thresholds)
    }
}

// === impl Threshold ===

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is neither an amount (100Mi) nor a share (10%)");
        if let Some(percent) = text.strip_suffix('%') {
            let percent: u64 = percent.parse().map_err(|_| bad())?;
            return if percent <= 100 { Ok(Self::Percent(percent)) } else { Err(bad()) };
        }
        let amount: Quantity = text.parse().map_err(|_| bad())?;
        u64::try_from(amount.value()).map(Self::Amount).map_err(|_| bad())
    }
}

impl Threshold {
    /// The shortage, if `available` of `all` is too little.
    fn check(self, available: u64, all: u64) -> Option<Shortage> {
        let threshold = match self {
            Self::Amount(amount) => amount,
            Self::Percent(percent) => all / 100 * percent,
        };
        (available < threshold).then_some(Shortage { available, threshold })
    }
}

// === impl Shortage ===

/// In bytes, for people.
impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: u64| Quantity::from_bytes(bytes & !1023).to_string();
        write!(f, "Threshold quantity: {}, available: {}", text(self.threshold), text(self.available))
    }
}

// === impl Pressure ===

impl Pressure {
    /// Looks at the machine now.
    pub(super) fn read(root_dir: &Path, thresholds: &Thresholds) -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let short = |threshold: Option<Threshold>, margin: Option<(u64, u64)>| {
            let (available, all) = margin?;
            threshold?.check(available, all)
        };
        let memory = text("/proc/meminfo");
        let memory = meminfo(&memory, "MemAvailable").zip(meminfo(&memory, "MemTotal"));
        let limit = text("/proc/sys/kernel/pid_max").trim().parse::<u64>().ok();
        let pids = processes(&text("/proc/loadavg")).zip(limit);
        Self {
            memory: short(thresholds.memory, memory),
            disk: short(thresholds.disk, disk(root_dir).map(|(all, free)| (free, all))),
            pids: short(thresholds.pids, pids.map(|(count, all)| (all.saturating_sub(count), all))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_as_kubernetes_spells_them() {
        let read = "memory.available<1Gi, nodefs.available<15%".parse::<Thresholds>().unwrap();
        let expected = Thresholds {
            memory: Some(Threshold::Amount(1 << 30)),
            disk: Some(Threshold::Percent(15)),
            pids: None,
        };
        assert_eq!(read, expected);
        for bad in ["memory.available", "swap.available<1", "memory.available<x", "nodefs.available<101%"] {
            assert!(bad.parse::<Thresholds>().is_err(), "{bad}");
        }
    }

    #[test]
    fn less_than_the_threshold_is_short() {
        let table = [
            (Threshold::Amount(100), 99, 1000, true),
            (Threshold::Amount(100), 100, 1000, false),
            (Threshold::Percent(10), 99, 1000, true),
            (Threshold::Percent(10), 100, 1000, false),
            (Threshold::Percent(0), 0, 1000, false),
        ];
        for (threshold, available, all, short) in table {
            assert_eq!(threshold.check(available, all).is_some(), short, "{threshold:?} {available}");
        }
        let shortage = Shortage { available: 50 << 20, threshold: 100 << 20 };
        assert_eq!(shortage.to_string(), "Threshold quantity: 100Mi, available: 50Mi");
    }

    #[test]
    fn this_machine_is_not_short_of_nothing_and_short_of_everything() {
        let none = Thresholds { memory: None, disk: None, pids: None };
        assert_eq!(Pressure::read(Path::new("/"), &none), Pressure::default());
        let all = Some(Threshold::Amount(u64::MAX));
        let all = Pressure::read(Path::new("/"), &Thresholds { memory: all, disk: all, pids: all });
        assert!(all.memory.is_some() && all.disk.is_some() && all.pids.is_some(), "{all:?}");
    }
}
