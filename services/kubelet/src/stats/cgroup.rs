//! Control groups: where a process's are, and what their files say. Pure, but for the reading, which is handed in.
//!
//! In version 1 every controller has a hierarchy of its own below /sys/fs/cgroup; in version 2 there is one. A machine may
//! have both, and then version 1 holds the controllers.

use std::path::{Path, PathBuf};

use crate::runtime::Memory;

/// Limits from here on are no limits: version 1 writes the largest multiple of a page.
const NO_LIMIT: u64 = 1 << 62;

/// Where control groups are mounted.
pub(super) const ROOT: &str = "/sys/fs/cgroup";

/// Where the control groups of one process are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// Version 1: directories by controller.
    V1(Vec<(String, PathBuf)>),
    /// Version 2: one directory.
    V2(PathBuf),
}

/// What control groups have counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Nanoseconds.
    pub(super) cpu: Option<u64>,
    pub(super) memory: Option<Memory>,
    pub(super) processes: Option<u64>,
    /// Bytes read and written.
    pub(super) disk: Option<(u64, u64)>,
}

// === impl Groups ===

impl Groups {
    /// Reads /proc/pid/cgroup (cgroups(7)); none if it tells of no group.
    pub(super) fn parse(text: &str, root: &Path) -> Option<Self> {
        let lines = text.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            Some((parts.next()?, parts.next()?, parts.next()?.trim_start_matches('/')))
        });
        let lines: Vec<_> = lines.collect();
        let named = |controllers: &str| !controllers.is_empty() && !controllers.starts_with("name=");
        let v1: Vec<(String, PathBuf)> = lines
            .iter()
            .filter(|(_, controllers, _)| named(controllers))
            .flat_map(|(_, mounted, path)| {
                let directory = root.join(mounted).join(path);
                mounted.split(',').map(move |controller| (controller.to_owned(), directory.clone()))
            })
            .collect();
        if !v1.is_empty() {
            return Some(Self::V1(v1));
        }
        let (_, _, path) = lines.iter().find(|(hierarchy, _, _)| *hierarchy == "0")?;
        Some(Self::V2(root.join(path)))
    }

    /// What the files say; `read` reads one, if it is there.
    pub(super) fn counts(&self, read: impl Fn(&Path) -> Option<String>) -> Counts {
        match self {
            Self::V1(directories) => {
                let of = |controller: &str, file: &str| {
                    let (_, directory) = directories.iter().find(|(name, _)| name == controller)?;
                    read(&directory.join(file))
                };
                v1(of)
            }
            Self::V2(directory) => v2(|file| read(&directory.join(file))),
        }
    }
}

fn v1(of: impl Fn(&str, &str) -> Option<String>) -> Counts {
    let one = |controller: &str, file: &str| number(&of(controller, file)?);
    let stat = of("memory", "memory.stat").unwrap_or_default();
    let memory = one("memory", "memory.usage_in_bytes").map(|usage| Memory {
        usage,
        working_set: usage.saturating_sub(keyed(&stat, "total_inactive_file")),
        rss: keyed(&stat, "total_rss"),
        cache: keyed(&stat, "total_cache"),
        limit: one("memory", "memory.limit_in_bytes").filter(|limit| *limit < NO_LIMIT),
        faults: keyed(&stat, "total_pgfault"),
        major_faults: keyed(&stat, "total_pgmajfault"),
    });
    let disk = of("blkio", "blkio.throttle.io_service_bytes_recursive")
        .or_else(|| of("blkio", "blkio.throttle.io_service_bytes"));
    Counts {
        cpu: one("cpuacct", "cpuacct.usage"),
        memory,
        processes: one("pids", "pids.current"),
        disk: disk.map(|text| (operations(&text, "Read"), operations(&text, "Write"))),
    }
}

fn v2(of: impl Fn(&str) -> Option<String>) -> Counts {
    let one = |file: &str| number(&of(file)?);
    let stat = of("memory.stat").unwrap_or_default();
    let memory = one("memory.current").map(|usage| Memory {
        usage,
        working_set: usage.saturating_sub(keyed(&stat, "inactive_file")),
        rss: keyed(&stat, "anon"),
        cache: keyed(&stat, "file"),
        // "max" is no number.
        limit: one("memory.max"),
        faults: keyed(&stat, "pgfault"),
        major_faults: keyed(&stat, "pgmajfault"),
    });
    Counts {
        cpu: of("cpu.stat").map(|text| keyed(&text, "usage_usec").saturating_mul(1000)),
        memory,
        processes: one("pids.current"),
        disk: of("io.stat").map(|text| (assigned(&text, "rbytes"), assigned(&text, "wbytes"))),
    }
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The number after a key at the beginning of a line; 0 without one.
fn keyed(text: &str, key: &str) -> u64 {
    let value = |line: &str| line.strip_prefix(key)?.strip_prefix(' ').and_then(number);
    text.lines().find_map(value).unwrap_or(0)
}

/// The sum over all devices of lines such as `8:0 Read 4096`.
fn operations(text: &str, operation: &str) -> u64 {
    let count = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        if words.next()? == operation { number(words.next()?) } else { None }
    };
    text.lines().filter_map(count).sum()
}

/// The sum over all devices of words such as `rbytes=4096`.
fn assigned(text: &str, key: &str) -> u64 {
    let count = |word: &str| word.strip_prefix(key)?.strip_prefix('=').and_then(number);
    text.split_whitespace().filter_map(count).sum()
}

#[cfg(test)]
mod tests;
