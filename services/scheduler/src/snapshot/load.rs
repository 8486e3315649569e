//! What the pods of one node use together.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_base_model::key::ObjectKey;
use keelson_base_model::pod::{self, HostPort};

use crate::pod::PodInfo;

/// What the pods of one node use together. Sums are wide enough that taking a pod away always undoes adding it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    pods: BTreeMap<ObjectKey, Arc<PodInfo>>,
    milli_cpu: i128,
    memory: i128,
    ephemeral_storage: i128,
    /// Without zeros.
    extended: BTreeMap<String, i128>,
    weighed_cpu: i128,
    weighed_memory: i128,
    /// Addresses on which a port is taken.
    ports: BTreeMap<(i32, String), Vec<String>>,
}

// === impl Load ===

impl Load {
    /// Whether there are no pods.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// The pods.
    pub fn pods(&self) -> impl Iterator<Item = &Arc<PodInfo>> {
        self.pods.values()
    }

    /// How many pods there are.
    pub fn pod_count(&self) -> i64 {
        i64::try_from(self.pods.len()).unwrap_or(i64::MAX)
    }

    /// Requested cpu, in thousandths of a core.
    pub fn milli_cpu(&self) -> i64 {
        clamp(self.milli_cpu)
    }

    /// Requested memory, in bytes.
    pub fn memory(&self) -> i64 {
        clamp(self.memory)
    }

    /// Requested local disk, in bytes.
    pub fn ephemeral_storage(&self) -> i64 {
        clamp(self.ephemeral_storage)
    }

    /// The requested amount of any other resource.
    pub fn extended(&self, name: &str) -> i64 {
        clamp(self.extended.get(name).copied().unwrap_or(0))
    }

    /// The cpu that priorities count, see [`PodInfo::weighed_cpu`].
    pub fn weighed_cpu(&self) -> i64 {
        clamp(self.weighed_cpu)
    }

    /// The memory that priorities count, see [`PodInfo::weighed_memory`].
    pub fn weighed_memory(&self) -> i64 {
        clamp(self.weighed_memory)
    }

    /// Whether a pod here has a port that `wanted` cannot share.
    pub fn has_port(&self, wanted: &HostPort<'_>) -> bool {
        let taken = self.ports.get(&(wanted.port, wanted.protocol.to_owned()));
        taken.is_some_and(|ips| ips.iter().any(|ip| HostPort { ip, ..*wanted }.conflicts_with(wanted)))
    }

    /// Adds a pod that is not here.
    pub(super) fn add(&mut self, pod: Arc<PodInfo>) {
        self.count(&pod, 1);
        for port in pod::host_ports(&pod.pod) {
            let ips = self.ports.entry((port.port, port.protocol.to_owned())).or_default();
            ips.push(port.ip.to_owned());
            ips.sort_unstable();
        }
        self.pods.insert(pod.key.clone(), pod);
    }

    /// Takes a pod away that is here as it is given.
    pub(super) fn remove(&mut self, pod: &PodInfo) {
        self.count(pod, -1);
        for port in pod::host_ports(&pod.pod) {
            let place = (port.port, port.protocol.to_owned());
            let Some(ips) = self.ports.get_mut(&place) else { continue };
            if let Some(at) = ips.iter().position(|ip| ip == port.ip) {
                ips.remove(at);
            }
            if ips.is_empty() {
                self.ports.remove(&place);
            }
        }
        self.pods.remove(&pod.key);
    }

    fn count(&mut self, pod: &PodInfo, times: i128) {
        let requests = &pod.requests;
        self.milli_cpu += times * i128::from(requests.milli_cpu);
        self.memory += times * i128::from(requests.memory);
        self.ephemeral_storage += times * i128::from(requests.ephemeral_storage);
        self.weighed_cpu += times * i128::from(pod.weighed_cpu);
        self.weighed_memory += times * i128::from(pod.weighed_memory);
        for (name, amount) in &requests.extended {
            let sum = self.extended.entry(name.clone()).or_default();
            *sum += times * i128::from(*amount);
            if *sum == 0 {
                self.extended.remove(name);
            }
        }
    }
}

fn clamp(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}
