//! What this machine is and has, as the kernel tells it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use keelson_base_model::quantity::{Format, Quantity};
use keelson_proto::resource;
use nix::sys::statvfs::statvfs;

/// What this machine is and has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) cpus: u64,
    /// Bytes.
    pub(crate) memory: u64,
    /// Bytes of the disk that holds the pods' directories.
    pub(crate) disk: u64,
    pub(crate) machine_id: String,
    pub(crate) system_uuid: String,
    pub(crate) boot_id: String,
    pub(crate) kernel: String,
    pub(crate) os_image: String,
}

// === impl Machine ===

impl Machine {
    /// Reads /proc, /sys, /etc and the disk of `root_dir`; what cannot be read is left out.
    pub(crate) fn read(root_dir: &Path) -> Self {
        let word = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let machine_id = word("/etc/machine-id");
        let uuid = word("/sys/class/dmi/id/product_uuid");
        Self {
            cpus: cpus(&word("/proc/cpuinfo")),
            memory: meminfo(&word("/proc/meminfo"), "MemTotal").unwrap_or(0),
            disk: disk(root_dir).map_or(0, |(total, _)| total),
            system_uuid: if uuid.is_empty() { machine_id.clone() } else { uuid },
            machine_id,
            boot_id: word("/proc/sys/kernel/random/boot_id"),
            kernel: word("/proc/sys/kernel/osrelease"),
            os_image: os_image(&word("/etc/os-release")),
        }
    }

    /// cpu, memory and ephemeral-storage, as a node's capacity holds them.
    pub(super) fn capacity(&self) -> BTreeMap<String, resource::Quantity> {
        let cpus = i64::try_from(self.cpus).unwrap_or(i64::MAX);
        let amounts = [
            ("cpu", Quantity::from_value(cpus, Format::DecimalSi)),
            // Whole KiB, so that nobody reads ten-digit byte counts.
            ("memory", Quantity::from_bytes(self.memory & !1023)),
            ("ephemeral-storage", Quantity::from_bytes(self.disk & !1023)),
        ];
        let field = |amount: Quantity| resource::Quantity { string: amount.to_string() };
        amounts.into_iter().map(|(name, amount)| (name.to_owned(), field(amount))).collect()
    }
}

/// The architecture as images and nodes name it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

fn cpus(cpuinfo: &str) -> u64 {
    let listed = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let count = match listed {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        listed => listed,
    };
    u64::try_from(count).unwrap_or(1)
}

/// A line of /proc/meminfo, in bytes.
pub(super) fn meminfo(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The number of processes and threads: /proc/loadavg's fourth field, after the slash.
pub(super) fn processes(loadavg: &str) -> Option<u64> {
    loadavg.split(' ').nth(3)?.split_once('/')?.1.parse().ok()
}

/// Size and free space of the disk that holds `path`, or where it will be, in bytes.
pub(crate) fn disk(path: &Path) -> Option<(u64, u64)> {
    let stat = path.ancestors().find_map(|path| statvfs(path).ok())?;
    let unit = stat.fragment_size();
    Some((stat.blocks().saturating_mul(unit), stat.blocks_available().saturating_mul(unit)))
}

fn os_image(os_release: &str) -> String {
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_read_correctly() {
        assert_eq!(cpus("processor\t: 0\nmodel name\t: x\nprocessor\t: 1\n"), 2);
        assert!(cpus("") >= 1);
        let text = "MemTotal:       16316412 kB\nMemFree:         1 kB\nMemAvailable:   102399 kB\n";
        assert_eq!(meminfo(text, "MemTotal"), Some(16_316_412 * 1024));
        assert_eq!(meminfo(text, "MemAvailable"), Some(102_399 * 1024));
        assert_eq!(meminfo(text, "Mem"), None);
        assert_eq!(processes("0.00 0.01 0.05 2/1234 999\n"), Some(1234));
        assert_eq!(processes("nonsense"), None);
        assert_eq!(os_image("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"), "Debian GNU/Linux 12");
    }

    #[test]
    fn this_machine_has_something() {
        let machine = Machine::read(Path::new("/no/such/place/yet"));
        assert!(machine.cpus > 0 && machine.memory > 0 && machine.disk > 0);
        let capacity = machine.capacity();
        assert!(capacity["memory"].string.ends_with('i'), "{capacity:?}");
        assert_eq!(capacity.len(), 3);
    }
}
