//! Who asks what is used: the node, its pods, their containers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt as _, stream};
use keelson_proto::core::NodeSystemInfo;
use keelson_proto::meta::Time;
use keelson_proto::v1::{
    ContainerUsage, FilesystemUsage, InterfaceUsage, KubeletStatsResponse, PodUsage, RootInfoResponse, Usage,
};
use nix::sys::statvfs::statvfs;
use tokio::time::Instant;

use super::machine;
use super::rate::{Rates, SHORTEST};
use crate::node::{Facts, system_info};
use crate::pods::Pods;
use crate::runtime::{ContainerState, Measurement, Memory, ObservedContainer, Role, Runtime};
use crate::worker::View;

/// Containers that are measured side by side.
const MEASUREMENTS: usize = 8;

/// What stands for the machine among containers' ids.
const ROOT: &str = "/";

/// Measures when asked.
pub(crate) struct Sampler {
    pods: Pods,
    runtime: Arc<dyn Runtime>,
    facts: Arc<Facts>,
    root_dir: PathBuf,
    rates: Mutex<Rates>,
}

/// A measurement with a rate.
#[derive(Clone, Debug)]
struct Rated {
    measured: Measurement,
    nano_cores: Option<u64>,
}

// === impl Sampler ===

impl Sampler {
    pub(crate) fn new(pods: Pods, runtime: Arc<dyn Runtime>, facts: Arc<Facts>, root_dir: PathBuf) -> Self {
        Self { pods, runtime, facts, root_dir, rates: Mutex::default() }
    }

    /// What the kubelet knows of itself.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The machine.
    pub(crate) async fn root_info(&self) -> RootInfoResponse {
        let machine = &self.facts.machine;
        let system: NodeSystemInfo = system_info(&self.facts);
        let usage = self.rated(&[], true).await.1;
        RootInfoResponse {
            node_name: self.facts.name.clone(),
            cores: u32::try_from(machine.cpus).unwrap_or(u32::MAX),
            memory_bytes: machine.memory,
            system: Some(system),
            usage,
        }
    }

    /// One pod.
    pub(crate) async fn pod(&self, view: &View) -> PodUsage {
        let (measured, _) = self.rated(&running(view), false).await;
        self.pod_usage(view, &measured)
    }

    /// Everything.
    pub(crate) async fn all(&self) -> KubeletStatsResponse {
        let views = self.pods.views();
        let ids: Vec<String> = views.iter().flat_map(|view| running(view)).collect();
        self.rates().keep(&ids.iter().cloned().chain([ROOT.to_owned()]).collect::<BTreeSet<_>>());
        let (measured, root) = self.rated(&ids, true).await;
        let used = views.iter().map(|view| self.pod_usage(view, &measured));
        KubeletStatsResponse {
            node_name: self.facts.name.clone(),
            root,
            pods: used.filter(|pod| pod.usage.is_some()).collect(),
        }
    }

    /// Measures containers, and the machine if wanted. Where nothing is known from before it looks twice, to have a rate.
    async fn rated(&self, ids: &[String], root: bool) -> (BTreeMap<String, Rated>, Option<Usage>) {
        let (mut containers, mut machine) = self.look(ids, root).await;
        let lacks = |rated: &Rated| rated.nano_cores.is_none() && rated.measured.cpu.is_some();
        if containers.values().chain(&machine).any(lacks) {
            tokio::time::sleep(SHORTEST).await;
            (containers, machine) = self.look(ids, root).await;
        }
        let mut usage = machine.map(|rated| usage(&rated.measured, rated.nano_cores));
        if let Some(usage) = &mut usage {
            usage.filesystem = filesystem(self.root_dir.clone()).await;
        }
        (containers, usage)
    }

    async fn look(&self, ids: &[String], root: bool) -> (BTreeMap<String, Rated>, Option<Rated>) {
        let measure = async |id: &String| (id.clone(), self.runtime.measure(id).await);
        let measured: Vec<_> = stream::iter(ids).map(measure).buffer_unordered(MEASUREMENTS).collect().await;
        let machine = match root {
            true => tokio::task::spawn_blocking(machine::measure).await.ok(),
            false => None,
        };
        let now = Instant::now();
        let mut rates = self.rates();
        let mut rate = |id: &str, measured: Measurement| {
            let nano_cores = measured.cpu.and_then(|cpu| rates.take(id, cpu, now));
            Rated { measured, nano_cores }
        };
        let machine = machine.map(|machine| rate(ROOT, machine));
        let mut containers = BTreeMap::new();
        for (id, measured) in measured {
            match measured {
                Ok(measured) => {
                    let rated = rate(&id, measured);
                    containers.insert(id, rated);
                }
                Err(error) => tracing::debug!(container = %id, %error, "cannot measure a container"),
            }
        }
        (containers, machine)
    }

    fn pod_usage(&self, view: &View, measured: &BTreeMap<String, Rated>) -> PodUsage {
        let seen = view.containers.iter().filter_map(|is| Some((is, measured.get(&is.id)?)));
        let seen: Vec<(&ObservedContainer, &Rated)> = seen.collect();
        let pod = view.pod.as_ref();
        // The host's interfaces are not the pod's.
        let own_network = pod.is_none_or(|pod| !pod.spec.host_network);
        let containers = seen.iter().filter(|(is, _)| is.identity.role != Role::Infra);
        let containers = containers.map(|(is, rated)| ContainerUsage {
            name: is.identity.container.clone(),
            id: format!("{}://{}", self.facts.runtime.name, is.id),
            started_at: match is.state {
                ContainerState::Running { started_at } => Some(Time::from(started_at)),
                _ => None,
            },
            usage: Some(Usage { interfaces: Vec::new(), ..usage(&rated.measured, rated.nano_cores) }),
        });
        let identity = view.containers.first().map(|container| &container.identity.pod);
        PodUsage {
            namespace: identity.map(|pod| pod.namespace.clone()).unwrap_or_default(),
            name: identity.map(|pod| pod.name.clone()).unwrap_or_default(),
            uid: identity.map(|pod| pod.uid.clone()).unwrap_or_default(),
            usage: (!seen.is_empty()).then(|| sum(seen.iter().map(|(_, rated)| *rated), own_network)),
            containers: containers.collect(),
        }
    }

    fn rates(&self) -> std::sync::MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn running(view: &View) -> Vec<String> {
    let runs = |c: &&ObservedContainer| matches!(c.state, ContainerState::Running { .. });
    view.containers.iter().filter(runs).map(|container| container.id.clone()).collect()
}

fn usage(measured: &Measurement, nano_cores: Option<u64>) -> Usage {
    let memory = measured.memory.as_ref();
    let interfaces = measured.interfaces.iter().map(|is| InterfaceUsage {
        name: is.name.clone(),
        received_bytes: is.received,
        receive_errors: is.receive_errors,
        sent_bytes: is.sent,
        send_errors: is.send_errors,
    });
    Usage {
        time: Some(Time::from(measured.time)),
        cpu_nanoseconds: measured.cpu,
        cpu_nano_cores: nano_cores,
        memory_usage_bytes: memory.map(|memory| memory.usage),
        memory_working_set_bytes: memory.map(|memory| memory.working_set),
        memory_rss_bytes: memory.map(|memory| memory.rss),
        memory_limit_bytes: memory.and_then(|memory| memory.limit),
        memory_page_faults: memory.map(|memory| memory.faults),
        memory_major_page_faults: memory.map(|memory| memory.major_faults),
        processes: measured.processes,
        disk_read_bytes: measured.disk.map(|(read, _)| read),
        disk_written_bytes: measured.disk.map(|(_, written)| written),
        interfaces: interfaces.collect(),
        filesystem: None,
    }
}

/// What several containers of a pod use together; they share its interfaces.
fn sum<'a>(containers: impl Iterator<Item = &'a Rated>, own_network: bool) -> Usage {
    let mut total = Measurement::default();
    let mut nano_cores = None;
    for Rated { measured, nano_cores: rate } in containers {
        total.time = total.time.max(measured.time);
        total.cpu = add(total.cpu, measured.cpu);
        nano_cores = add(nano_cores, *rate);
        total.processes = add(total.processes, measured.processes);
        if let Some(memory) = &measured.memory {
            accumulate(total.memory.get_or_insert_default(), memory);
        }
        if let Some((read, written)) = measured.disk {
            let (before_read, before_written) = total.disk.unwrap_or_default();
            total.disk = Some((before_read + read, before_written + written));
        }
        if total.interfaces.is_empty() && own_network {
            total.interfaces.clone_from(&measured.interfaces);
        }
    }
    usage(&total, nano_cores)
}

fn add(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

/// Limits are not added: containers without one have no limit together either.
fn accumulate(total: &mut Memory, memory: &Memory) {
    total.usage += memory.usage;
    total.working_set += memory.working_set;
    total.rss += memory.rss;
    total.cache += memory.cache;
    total.faults += memory.faults;
    total.major_faults += memory.major_faults;
}

async fn filesystem(path: PathBuf) -> Option<FilesystemUsage> {
    let stat = tokio::task::spawn_blocking(move || statvfs(&path)).await.ok()?.ok()?;
    let unit = stat.fragment_size();
    let bytes = |blocks: u64| blocks.saturating_mul(unit);
    Some(FilesystemUsage {
        capacity_bytes: bytes(stat.blocks()),
        available_bytes: bytes(stat.blocks_available()),
        used_bytes: bytes(stat.blocks().saturating_sub(stat.blocks_free())),
        inodes: stat.files(),
        inodes_free: stat.files_free(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_rated(cpu: u64, usage: u64, received: u64) -> Rated {
        let memory = Memory { usage, working_set: usage, limit: Some(9), ..Memory::default() };
        let interface = crate::runtime::Interface { name: "eth0".to_owned(), received, ..Default::default() };
        let measured = Measurement {
            cpu: Some(cpu),
            memory: Some(memory),
            interfaces: vec![interface],
            ..Measurement::default()
        };
        Rated { measured, nano_cores: Some(cpu) }
    }

    #[test]
    fn a_pod_is_the_sum_of_its_containers_and_has_its_network_once() {
        let containers = [mk_rated(1, 10, 5), mk_rated(2, 20, 5)];
        let pod = sum(containers.iter(), true);
        assert_eq!((pod.cpu_nanoseconds, pod.cpu_nano_cores), (Some(3), Some(3)));
        assert_eq!((pod.memory_usage_bytes, pod.memory_limit_bytes), (Some(30), None));
        assert_eq!(pod.interfaces.iter().map(|is| is.received_bytes).collect::<Vec<_>>(), [5]);
        assert!(sum(containers.iter(), false).interfaces.is_empty());
    }
}
