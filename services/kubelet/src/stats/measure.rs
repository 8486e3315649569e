//! What a process's control groups and network have counted, as far as they can be seen from here.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::cgroup::{Groups, ROOT};
use super::network;
use crate::runtime::Measurement;

/// Measures the container that the process `pid` is the first of. None if its control groups are not to be seen: the
/// kubelet may itself be in a container. Reads files: not for the threads that serve others.
pub fn measure(pid: i32) -> Option<Measurement> {
    let process = Path::new("/proc").join(pid.to_string());
    let read = |path: &Path| fs::read_to_string(path).ok();
    let groups = Groups::parse(&read(&process.join("cgroup"))?, Path::new(ROOT))?;
    let counts = groups.counts(read);
    // Groups of another mount tell nothing.
    counts.cpu?;
    Some(Measurement {
        time: Timestamp::now(),
        cpu: counts.cpu,
        memory: counts.memory,
        processes: counts.processes,
        disk: counts.disk,
        interfaces: network::interfaces(&read(&process.join("net/dev")).unwrap_or_default()),
    })
}
