//! What bare Docker takes to start a pod, through this runtime: `cargo run -p keelson-kubelet-docker
//! --example start_times [PODS]`. It is the limit that the kubelet's own times are compared with.

use std::time::{Duration, Instant};

use keelson_kubelet::runtime::{
    ContainerSpec, Dns, Identity, Infra, LogLimits, PodNetwork, PodRef, Process, Resources, Role,
    Runtime as _, Security,
};
use keelson_kubelet_docker::{DEMO_IMAGE, Docker};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pods: usize = std::env::args().nth(1).map_or(Ok(20), |pods| pods.parse())?;
    let docker = Docker::connect(None).await?;
    docker.ensure_builtin_images().await?;
    let cluster = format!("start-times-{}", std::process::id());
    let outcome = measure(&docker, &cluster, pods).await;
    docker.remove_cluster(&cluster).await?;
    outcome
}

async fn measure(docker: &Docker, cluster: &str, pods: usize) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = docker.runtime(cluster, "node");
    let (mut infra_times, mut app_times, mut stop_times) = (vec![], vec![], vec![]);
    let mut apps = vec![];
    for pod in 0..pods {
        let infra = timed(&mut infra_times, runtime.start(spec(pod, None))).await?;
        apps.push(timed(&mut app_times, runtime.start(spec(pod, Some(infra.id)))).await?.id);
    }
    let mut list_times = vec![];
    for _ in 0..10 {
        timed(&mut list_times, runtime.list(None)).await?;
    }
    for app in apps {
        timed(&mut stop_times, runtime.stop(&app, Duration::from_secs(10))).await?;
    }
    print("infra: create + start + inspect", infra_times);
    print("app: create + start + inspect", app_times);
    print(&format!("list of {} containers", 2 * pods), list_times);
    print("stop", stop_times);
    Ok(())
}

async fn timed<T>(times: &mut Vec<Duration>, call: impl Future<Output = T>) -> T {
    let begin = Instant::now();
    let outcome = call.await;
    times.push(begin.elapsed());
    outcome
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| {
        times.get((times.len().saturating_sub(1)) * percent / 100).copied().unwrap_or_default()
    };
    println!("{what}: p50 {:.1?}, p90 {:.1?}, least {:.1?}", at(50), at(90), at(0));
}

fn spec(pod: usize, infra: Option<String>) -> ContainerSpec {
    let (container, image, role) = match infra {
        None => ("POD", "", Role::Infra),
        Some(_) => ("app", DEMO_IMAGE, Role::App),
    };
    let process = match infra {
        Some(infra) => Process::Join { infra, host_pid: false, share_pid: false, host_ipc: false },
        None => Process::Infra(Infra {
            hostname: format!("pod-{pod}"),
            network: Some(PodNetwork::default()),
            host_ipc: false,
            dns: Dns::default(),
            sysctls: Default::default(),
        }),
    };
    ContainerSpec {
        identity: Identity {
            pod: PodRef {
                uid: format!("{}-{pod}", std::process::id()),
                namespace: "default".into(),
                name: format!("pod-{pod}"),
            },
            container: container.into(),
            role,
            attempt: 0,
            hash: String::new(),
            grace: Duration::from_secs(30),
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
