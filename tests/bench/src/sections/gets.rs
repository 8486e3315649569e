//! Reading one object again and again.

use std::time::Duration;

use keelson_base_client::RawApi;
use keelson_proto::Object;
use keelson_proto::core::Pod;
use keelson_proto::v1::GetRequest;

use crate::bench::Bench;
use crate::cluster::{Cluster, Service, Shape};
use crate::https::Connection;
use crate::load::{self, Bound, Client};
use crate::report::{self, Unit};
use crate::{pod, process};

const CLIENTS: usize = 16;

/// What one core is to manage.
const AIM: f64 = 20_000.0;

/// A client that reads the pod over REST.
struct OverHttps {
    connection: Connection,
    path: String,
}

/// A client that reads the pod over gRPC.
struct OverGrpc {
    pods: RawApi,
    request: GetRequest,
}

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    report::section(&format!("gets: {CLIENTS} clients read a pod; limit: the aim, on one core of ours"));
    for shape in &bench.shapes {
        of_shape(bench, *shape).await?;
    }
    Ok(())
}

async fn of_shape(bench: &Bench, shape: Shape) -> anyhow::Result<()> {
    let cluster = Cluster::of_shape(bench, shape, "gets", "embedded").await?;
    let gateway = cluster.gateway()?;
    let name = "read-0";
    gateway.connect().await?.post(pod::PODS, pod::unscheduled("read", name)).await?;
    let (mut https, mut grpc) = (Vec::with_capacity(CLIENTS), Vec::with_capacity(CLIENTS));
    for _ in 0..CLIENTS {
        https.push(OverHttps { connection: gateway.connect().await?, path: format!("{}/{name}", pod::PODS) });
        let request =
            GetRequest { namespace: "default".into(), name: name.into(), resource_version: String::new() };
        grpc.push(OverGrpc { pods: cluster.client()?.raw(Pod::KIND.service), request });
    }
    let suffix = shape.suffix();
    measure(bench, &cluster, &format!("gRPC over TLS{suffix}"), grpc).await?;
    measure(bench, &cluster, &format!("gateway, JSON over TLS{suffix}"), https).await
}

async fn measure<C: Client>(
    bench: &Bench,
    cluster: &Cluster,
    what: &str,
    clients: Vec<C>,
) -> anyhow::Result<()> {
    let time = bench.size(Duration::from_secs(4), Duration::from_secs(1));
    let before = cpu(cluster)?;
    let outcome = load::run(clients, Bound { time, count: u64::MAX }).await?;
    let number = outcome.latencies.len() as f64;
    report::alone(&format!("{what}: with all of the machine"), Unit::PerSecond, outcome.rate());
    for (service, (before, after)) in cluster.services().iter().zip(before.iter().zip(cpu(cluster)?)) {
        let spent = (after - *before).as_secs_f64();
        // Who has nothing to do with it has done next to nothing.
        if spent * 1e6 / number > 1.0 {
            let what = format!("{what}: on one core of {}", service.name);
            report::row(&what, Unit::PerSecond, number / spent, AIM);
        }
    }
    Ok(())
}

fn cpu(cluster: &Cluster) -> anyhow::Result<Vec<Duration>> {
    cluster.services().iter().map(|service: &Service| process::cpu(service.pid())).collect()
}

// === impl OverHttps ===

impl Client for OverHttps {
    async fn step(&mut self, _: u64) -> anyhow::Result<()> {
        self.connection.get(&self.path, "application/json").await.map(drop)
    }
}

// === impl OverGrpc ===

impl Client for OverGrpc {
    async fn step(&mut self, _: u64) -> anyhow::Result<()> {
        Ok(self.pods.get(self.request.clone()).await.map(drop)?)
    }
}
