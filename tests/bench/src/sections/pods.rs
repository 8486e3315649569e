//! From creating a pod to running, next to the same containers of bare Docker.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::StreamExt;
use keelson_base_client::{Api, WatchParams};
use keelson_base_model::pod::is_ready;
use keelson_kubelet::runtime::{
    ContainerSpec, Dns, Identity, Infra, LogLimits, PodNetwork, PodRef, Process, Resources, Role, Runtime,
    Security,
};
use keelson_kubelet_docker::{DEMO_IMAGE, DockerRuntime};
use keelson_proto::core::Pod;

use crate::bench::Bench;
use crate::cluster::Cluster;
use crate::https::Connection;
use crate::latencies::Latencies;
use crate::pod;
use crate::report::{self, Unit};

/// How long one pod may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What each pod took.
#[derive(Default)]
struct Times {
    ours: Vec<Duration>,
    infra: Vec<Duration>,
    bare: Vec<Duration>,
}

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    report::section(
        "pods: created through the gateway, to ready by watch; limit: bare Docker, infra then app container",
    );
    let Some(docker) = super::docker().await else { return Ok(()) };
    docker.ensure_builtin_images().await?;
    let cluster = Cluster::start(bench, &bench.path("pods"), &["--no-proxy"]).await?;
    let owner = format!("bench-{}", std::process::id());
    let outcome = measure(bench, &cluster, &docker.runtime(&owner, "bare")).await;
    // Also after a failure; ours go with the cluster.
    docker.remove_cluster(&owner).await?;
    print(outcome?);
    Ok(())
}

/// In turn, and nothing is removed meanwhile: Docker does one thing at a time, and it is the one measured.
async fn measure(bench: &Bench, cluster: &Cluster, runtime: &DockerRuntime) -> anyhow::Result<Times> {
    let api = cluster.client()?.api::<Pod>().namespaced("default");
    let mut gateway = cluster.gateway()?.connect().await?;
    let mut times = Times::default();
    for number in 0..=bench.size(20, 4) {
        let ours = through_api(&api, &mut gateway, &format!("pod-{number}")).await?;
        let (infra, bare) = bare(runtime, number).await?;
        // The first of each warms caches up.
        if number > 0 {
            times.ours.push(ours);
            times.infra.push(infra);
            times.bare.push(bare);
        }
    }
    Ok(times)
}

async fn through_api(api: &Api<Pod>, gateway: &mut Connection, name: &str) -> anyhow::Result<Duration> {
    let params = WatchParams { field_selector: format!("metadata.name={name}"), ..WatchParams::default() };
    let mut changes = api.watch(&params).await?;
    let began = Instant::now();
    gateway.post(pod::PODS, pod::running("pods", name, DEMO_IMAGE)).await?;
    let ready = async {
        while let Some(change) = changes.next().await {
            if is_ready(&change?.object) {
                return Ok(began.elapsed());
            }
        }
        bail!("the watch ended")
    };
    tokio::time::timeout(PATIENCE, ready)
        .await
        .with_context(|| format!("the pod {name} did not become ready"))?
}

/// The time of the infra container, and of both.
async fn bare(runtime: &DockerRuntime, number: usize) -> anyhow::Result<(Duration, Duration)> {
    let began = Instant::now();
    let infra = runtime.start(spec(number, None)).await?;
    let half = began.elapsed();
    runtime.start(spec(number, Some(infra.id))).await?;
    Ok((half, began.elapsed()))
}

fn print(times: Times) {
    let Times { ours, infra, bare } = times;
    let [ours, infra, bare] = [ours, infra, bare].map(Latencies::new);
    report::note(&format!(
        "{} pods of each, in turn; of bare Docker {} ms are the infra container",
        ours.len(),
        infra.median().as_millis()
    ));
    for percent in [50, 90] {
        report::times(
            &format!("created to ready, p{percent}"),
            Unit::Milliseconds,
            ours.at(percent),
            bare.at(percent),
        );
    }
    let above = ours.median().as_secs_f64() - bare.median().as_secs_f64();
    report::alone("above bare Docker, p50 (aim: 100)", Unit::Milliseconds, above * 1e3);
}

fn spec(number: usize, infra: Option<String>) -> ContainerSpec {
    let (container, image, role) = match infra {
        None => ("POD", "", Role::Infra),
        Some(_) => ("app", DEMO_IMAGE, Role::App),
    };
    let name = format!("bare-{number}");
    let process = match infra {
        Some(infra) => Process::Join { infra, host_pid: false, share_pid: false, host_ipc: false },
        None => Process::Infra(Infra {
            hostname: name.clone(),
            network: Some(PodNetwork::default()),
            host_ipc: false,
            dns: Dns::default(),
            sysctls: Default::default(),
        }),
    };
    let pod = PodRef { uid: format!("{}-{number}", std::process::id()), namespace: "default".into(), name };
    ContainerSpec {
        identity: Identity {
            pod,
            container: container.into(),
            role,
            attempt: 0,
            hash: String::new(),
            grace: Duration::from_secs(2),
        },
        image: image.into(),
        command: vec![],
        args: vec![],
        env: vec![],
        working_dir: String::new(),
        mounts: vec![],
        resources: Resources::default(),
        security: Security::default(),
        stdin: false,
        stdin_once: false,
        tty: false,
        log: LogLimits::default(),
        process,
    }
}
