//! What a process has used, as the kernel counts it.

use std::fs;
use std::iter::Sum;
use std::time::Duration;

use anyhow::{Context, bail};

/// Length of the ticks that `/proc/<pid>/stat` counts in: 1/100 s on every Linux, whatever the kernel's own.
const TICK: Duration = Duration::from_millis(10);

/// What a process keeps in memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// All its pages that are in memory, the program's own code included (VmRSS).
    pub(crate) resident: u64,
    /// The same, with pages shared by n processes counted as 1/n.
    pub(crate) proportional: u64,
}

// === impl Memory ===

impl Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let add = |a: Self, b: Self| Self {
            resident: a.resident + b.resident,
            proportional: a.proportional + b.proportional,
        };
        all.fold(Self { resident: 0, proportional: 0 }, add)
    }
}

/// Processor time of a process and its threads so far, in user mode and in the kernel.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = read(pid, "stat")?;
    // The name, in parentheses, may hold anything; what follows is numbers.
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    match (fields.next(), fields.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok(TICK * (user + system)),
        _ => bail!("/proc/{pid}/stat has no times"),
    }
}

/// This process's own.
pub(crate) fn own_cpu() -> anyhow::Result<Duration> {
    cpu(std::process::id())
}

/// What a process has in memory.
pub(crate) fn memory(pid: u32) -> anyhow::Result<Memory> {
    Ok(Memory {
        resident: kib(&read(pid, "status")?, "VmRSS:")?,
        proportional: kib(&read(pid, "smaps_rollup")?, "Pss:")?,
    })
}

/// How many tasks wanted a core, on average over the last minute; not a number if the kernel does not say.
pub(crate) fn machine_load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

fn kib(text: &str, key: &str) -> anyhow::Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next());
    let kib: u64 = value.with_context(|| format!("/proc has no {key}"))?.parse()?;
    Ok(kib << 10)
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}: has the process ended?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn work_is_seen() {
        let (before, began) = (own_cpu().unwrap(), Instant::now());
        let mut sum = 0_u64;
        while began.elapsed() < Duration::from_millis(200) {
            sum = std::hint::black_box(sum.wrapping_mul(3).wrapping_add(1));
        }
        assert!(own_cpu().unwrap() > before);
    }

    #[test]
    fn memory_is_seen() {
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.resident >= memory.proportional && memory.proportional > 0);
    }
}
