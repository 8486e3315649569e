//! How far the kernel lets containers be protected from being killed when memory runs out.

use std::fs;

/// CAP_SYS_RESOURCE in the bits of `/proc/<pid>/status`.
const CAP_SYS_RESOURCE: u32 = 24;

/// The lowest `oom_score_adj` that a container can be given here. Without CAP_SYS_RESOURCE (in a nested machine, or with
/// a rootless engine) nobody may go below what this process has itself, and runc fails to start a container that asks
/// for less.
pub(super) fn floor() -> i32 {
    let own = fs::read_to_string("/proc/self/oom_score_adj").ok().and_then(|score| score.trim().parse().ok());
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if may_lower(&status) { i32::MIN } else { own.unwrap_or(0) }
}

/// Whether a process with this status may protect others.
fn may_lower(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    bits & (1 << CAP_SYS_RESOURCE) != 0
}

#[cfg(test)]
mod tests {
    use super::may_lower;

    #[test]
    fn only_the_capability_allows_it() {
        assert!(may_lower("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        assert!(!may_lower("CapEff:\t000001fffeffffff\n"));
        assert!(!may_lower("CapEff:\t0000000000000000\n"));
        assert!(!may_lower(""));
    }
}
