//! What containers use, and the images that are there.

use bollard::models::{ContainerBlkioStats, ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder, StatsOptionsBuilder};
use futures::StreamExt as _;
use jiff::Timestamp;
use keelson_kubelet::runtime::{Image, Interface, Measurement, Memory, RuntimeError};
use keelson_kubelet::stats;

use super::{DockerRuntime, process};
use crate::error::{failed, failed_on, status};
use crate::traced;

// === impl DockerRuntime ===

impl DockerRuntime {
    /// From the container's control groups, which cost little; from Docker if they cannot be seen.
    pub(super) async fn measure_container(&self, id: &str) -> Result<Measurement, RuntimeError> {
        let call = self.client().inspect_container(id, None);
        let found = traced::container("docker inspect container", id).instrument_result(call).await;
        let found = found.map_err(failed_on("inspect container", id))?;
        let pid = found.state.and_then(|state| i32::try_from(state.pid?).ok()).filter(|pid| *pid > 0);
        let pid = pid.ok_or_else(|| RuntimeError::NotFound { id: id.to_owned() })?;
        let container = id.to_owned();
        let look = move || process::is_of(pid, &container).then(|| stats::measure(pid)).flatten();
        match tokio::task::spawn_blocking(look).await {
            Ok(Some(measured)) => Ok(measured),
            _ => self.measure_by_docker(id).await,
        }
    }

    /// Docker's own statistics.
    pub(crate) async fn measure_by_docker(&self, id: &str) -> Result<Measurement, RuntimeError> {
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let mut answers = std::pin::pin!(self.client().stats(id, Some(options)));
        match answers.next().await {
            Some(answer) => Ok(measurement(answer.map_err(failed_on("read statistics", id))?)),
            None => Err(RuntimeError::NotFound { id: id.to_owned() }),
        }
    }

    pub(super) async fn list_images(&self) -> Result<Vec<Image>, RuntimeError> {
        let options = ListImagesOptionsBuilder::default().build();
        let found = self.client().list_images(Some(options)).await.map_err(failed("list images"))?;
        let images = found.into_iter().map(|image| Image {
            id: image.id,
            names: [image.repo_tags, image.repo_digests].concat(),
            size: u64::try_from(image.size).unwrap_or_default(),
            created_at: Timestamp::from_second(image.created).unwrap_or_default(),
        });
        Ok(images.map(without_none).collect())
    }

    pub(super) async fn forget_image(&self, id: &str) -> Result<(), RuntimeError> {
        let found = match self.client().inspect_image(id).await {
            Err(cause) if status(&cause) == Some(404) => return Ok(()),
            found => found.map_err(failed("inspect image"))?,
        };
        let names = [found.repo_tags, found.repo_digests].into_iter().flatten().flatten();
        let names: Vec<String> = names.filter(|name| !name.contains("<none>")).collect();
        // Name by name, and not by force: that would take an image from under somebody's stopped container.
        for name in names.iter().map(String::as_str).chain([id]) {
            let options = RemoveImageOptionsBuilder::default().build();
            let call = self.client().remove_image(name, Some(options), None);
            match traced::image("docker remove image", name).instrument_result(call).await {
                Err(cause) if status(&cause) != Some(404) => return Err(failed("remove image")(cause)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Docker writes `<none>` for what has no name.
fn without_none(mut image: Image) -> Image {
    image.names.retain(|name| !name.contains("<none>"));
    image
}

fn measurement(stats: ContainerStatsResponse) -> Measurement {
    let interfaces = stats.networks.unwrap_or_default().into_iter().map(|(name, is)| Interface {
        name,
        received: is.rx_bytes.unwrap_or_default(),
        receive_errors: is.rx_errors.unwrap_or_default(),
        sent: is.tx_bytes.unwrap_or_default(),
        send_errors: is.tx_errors.unwrap_or_default(),
    });
    let mut interfaces: Vec<Interface> = interfaces.collect();
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    Measurement {
        time: Timestamp::now(),
        cpu: stats.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage),
        memory: stats.memory_stats.and_then(memory),
        processes: stats.pids_stats.and_then(|pids| pids.current),
        disk: stats.blkio_stats.map(disk),
        interfaces,
    }
}

/// The names of the counters differ with the version of the control groups.
fn memory(stats: ContainerMemoryStats) -> Option<Memory> {
    let counters = stats.stats.unwrap_or_default();
    let counter = |names: [&str; 2]| names.iter().find_map(|name| counters.get(*name)).copied().unwrap_or(0);
    let usage = stats.usage?;
    Some(Memory {
        usage,
        working_set: usage.saturating_sub(counter(["total_inactive_file", "inactive_file"])),
        rss: counter(["total_rss", "anon"]),
        cache: counter(["total_cache", "file"]),
        limit: stats.limit,
        faults: counter(["total_pgfault", "pgfault"]),
        major_faults: counter(["total_pgmajfault", "pgmajfault"]),
    })
}

fn disk(stats: ContainerBlkioStats) -> (u64, u64) {
    let entries = stats.io_service_bytes_recursive.unwrap_or_default();
    let sum = |operation: &str| {
        let of = entries
            .iter()
            .filter(|entry| entry.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(operation)));
        of.filter_map(|entry| entry.value).sum()
    };
    (sum("read"), sum("write"))
}
