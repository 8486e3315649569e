//! Containers' processes, as far as they can be seen from here: a kubelet that is itself in a container may not.

use std::path::PathBuf;

/// Whether this process is one of this container. Process ids are Docker's: if they mean others here, or nothing, it is
/// not.
pub(super) fn is_of(pid: i32, container: &str) -> bool {
    std::fs::read_to_string(directory(pid).join("cgroup")).is_ok_and(|cgroups| cgroups.contains(container))
}

/// Where the kernel tells of a process.
pub(super) fn directory(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}
