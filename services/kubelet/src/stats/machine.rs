//! What all of the machine uses, as /proc tells it. Pure, but for the reading.

use std::fs;

use jiff::Timestamp;

use super::network;
use crate::runtime::{Measurement, Memory};

/// Nanoseconds of one of /proc/stat's ticks (USER_HZ is 100 on every architecture of Linux that runs Docker).
const TICK: u64 = 10_000_000;

/// Measures the machine. Reads files: not for the threads that serve others.
pub(super) fn measure() -> Measurement {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    Measurement {
        time: Timestamp::now(),
        cpu: cpu(&read("/proc/stat")),
        memory: memory(&read("/proc/meminfo"), &read("/proc/vmstat")),
        processes: processes(&read("/proc/loadavg")),
        disk: None,
        interfaces: network::interfaces(&read("/proc/net/dev")),
    }
}

/// Busy time of all processors: user, nice, system, irq, softirq and steal of the first line.
fn cpu(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|index| ticks.get(*index));
    (ticks.len() >= 3).then(|| busy.sum::<u64>().saturating_mul(TICK))
}

fn memory(meminfo: &str, vmstat: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let rest = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    let events = |name: &str| {
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        vmstat.lines().find_map(value).unwrap_or(0)
    };
    let total = bytes("MemTotal")?;
    let usage = total.saturating_sub(bytes("MemFree")?);
    Some(Memory {
        usage,
        working_set: usage.saturating_sub(bytes("Inactive(file)").unwrap_or(0)),
        rss: bytes("AnonPages").unwrap_or(0),
        cache: bytes("Cached").unwrap_or(0),
        limit: Some(total),
        faults: events("pgfault"),
        major_faults: events("pgmajfault"),
    })
}

/// The fourth field, after the slash.
fn processes(loadavg: &str) -> Option<u64> {
    loadavg.split(' ').nth(3)?.split_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read() {
        let stat = "cpu  100 10 50 9999 77 1 2 3 0 0\ncpu0 1 1 1 1\n";
        assert_eq!(cpu(stat), Some(166 * TICK));
        assert_eq!(cpu("intr 1\n"), None);
        let meminfo = "MemTotal: 1000 kB\nMemFree: 200 kB\nCached: 300 kB\n\
            Inactive(file): 100 kB\nAnonPages: 50 kB\n";
        let wanted = Memory {
            usage: 800 << 10,
            working_set: 700 << 10,
            rss: 50 << 10,
            cache: 300 << 10,
            limit: Some(1000 << 10),
            faults: 7,
            major_faults: 3,
        };
        assert_eq!(memory(meminfo, "pgfault 7\npgmajfault 3\n"), Some(wanted));
        assert_eq!(memory("", ""), None);
        assert_eq!(processes("0.00 0.01 0.05 1/234 5678\n"), Some(234));
    }
}
