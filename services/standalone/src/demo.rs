//! The demo: three pods of a replication controller, and the slides' service in front of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use axum::body::Body;
use http_body_util::BodyExt;
use keelson_base_client::{ApiError, Patch};
use keelson_base_daemon::tls::Peer;
use keelson_base_model::key::ObjectKey;
use keelson_kubelet_docker::DEMO_IMAGE;
use keelson_proto::core::{Pod, ReplicationController, Service};
use keelson_proto::json;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::cluster::Cluster;
use crate::progress::Progress;

/// The service of the slides, to the letter.
const MY_SERVICE: &str = r#"{"kind":"Service","apiVersion":"v1","metadata":{"name":"my-service"},"spec":{"selector":{"app":"MyApp"},"ports":[{"protocol":"TCP","port":80,"targetPort":9376}]}}"#;

/// Pods of the replication controller.
const REPLICAS: usize = 3;

/// Requests within which all pods must have answered.
const REQUESTS: usize = 30;

/// How long the pods may take to run.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one request may take.
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);

/// Creates the demo's objects, and asks the service until all pods have answered: at its cluster IP, and at
/// its node port on an address of this host and on 127.0.0.1.
///
/// # Errors
/// What did not work, in one sentence.
pub(crate) async fn run(cluster: &Cluster, progress: &Progress) -> anyhow::Result<()> {
    create_controller(cluster).await.context("cannot create the replication controller my-app")?;
    let service = create_service(cluster).await.context("cannot create the service my-service")?;
    progress.done("demo: replication controller my-app and service my-service");
    let pods = tokio::time::timeout(PATIENCE, running(cluster)).await;
    let pods = pods.with_context(|| {
        format!("the pods of my-app did not run within {} s; see `kubectl describe pods`", PATIENCE.as_secs())
    })??;
    progress.done(format!("demo: {} pods run", pods.len()));
    let name = ObjectKey::new("default", "my-service");
    let served = cluster.served(&name, pods.len());
    tokio::time::timeout(PATIENCE, served)
        .await
        .context("the service proxy never led my-service to all pods")?;
    progress.done("demo: the service leads to all of them");

    let port = service.spec.ports.first().context("the service lost its port")?;
    let node_port = u16::try_from(port.node_port).context("the service has no node port")?;
    let cluster_ip: IpAddr = service.spec.cluster_ip.parse().context("the service has no cluster IP")?;
    let userspace = cluster.proxy_mode().as_deref() == Some("userspace");
    let mut targets =
        vec![("node port on 127.0.0.1", SocketAddr::new(Ipv4Addr::LOCALHOST.into(), node_port))];
    if let Some(host) = cluster.host() {
        targets.push(("node port on a host address", SocketAddr::new(host, node_port)));
    }
    if userspace {
        progress.note("without kernel rules the cluster IP does not answer; the node port does");
    } else {
        targets.insert(0, ("cluster IP", SocketAddr::new(cluster_ip, 80)));
    }
    for (what, address) in targets {
        let requests = ask_all(address, &pods)
            .await
            .with_context(|| format!("my-service does not answer at its {what}, {address}"))?;
        progress.done(format!(
            "demo: all {} pods answered at the {what} {address} within {requests} requests",
            pods.len()
        ));
    }
    Ok(())
}

async fn create_controller(cluster: &Cluster) -> anyhow::Result<()> {
    let controller = json!({
        "metadata": {"name": "my-app", "namespace": "default"},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"app": "MyApp"},
            "template": {
                "metadata": {"labels": {"app": "MyApp"}},
                "spec": {"terminationGracePeriodSeconds": 2, "containers": [{
                    "name": "my-app",
                    "image": DEMO_IMAGE,
                    "imagePullPolicy": "Never",
                    "ports": [{"containerPort": 9376}],
                }]},
            },
        },
    });
    let (controller, _) = json::from_slice::<ReplicationController>(controller.to_string().as_bytes())?;
    unless_there(
        cluster.client().api::<ReplicationController>().namespaced("default").create(&controller).await,
    )?;
    Ok(())
}

/// Creates the service as a user would: its JSON, to the letter, through the gateway; then asks for a node
/// port.
async fn create_service(cluster: &Cluster) -> anyhow::Result<Service> {
    let mut request = http::Request::post("/api/v1/namespaces/default/services")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Body::from(MY_SERVICE))?;
    request.extensions_mut().insert(Peer {
        common_name: "system:admin".to_owned(),
        organizations: vec![keelson_api::MASTERS.to_owned()],
    });
    let response = cluster.gateway_router().oneshot(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    ensure!(
        status.is_success() || status == http::StatusCode::CONFLICT,
        "the gateway answered {status}: {}",
        String::from_utf8_lossy(&body)
    );
    let services = cluster.client().api::<Service>().namespaced("default");
    Ok(services.patch("my-service", &Patch::merge(&json!({"spec": {"type": "NodePort"}}))?).await?)
}

fn unless_there<T>(created: Result<T, ApiError>) -> Result<(), ApiError> {
    match created {
        Err(error) if !error.is_already_exists() => Err(error),
        _ => Ok(()),
    }
}

/// Waits until all pods are ready, by watching them; answers with their names.
async fn running(cluster: &Cluster) -> anyhow::Result<BTreeSet<String>> {
    use futures::StreamExt;
    use keelson_base_client::{WatchEventKind, WatchParams};

    let pods = cluster.client().api::<Pod>().namespaced("default");
    let params = WatchParams { label_selector: "app=MyApp".to_owned(), ..WatchParams::default() };
    let mut changes = pods.watch(&params).await?;
    let mut ready = BTreeSet::new();
    while let Some(change) = changes.next().await {
        let change = change?;
        let pod = change.object;
        let is_ready = keelson_base_model::pod::is_ready(&pod) && pod.metadata.deletion_timestamp.is_none();
        if is_ready && change.kind != WatchEventKind::Deleted {
            ready.insert(pod.metadata.name);
        } else {
            ready.remove(&pod.metadata.name);
        }
        if ready.len() >= REPLICAS {
            return Ok(ready);
        }
    }
    bail!("the watch of the pods ended")
}

/// Asks until every pod has answered; answers with the number of requests that took.
async fn ask_all(address: SocketAddr, pods: &BTreeSet<String>) -> anyhow::Result<usize> {
    let mut missing = pods.clone();
    let mut last = None;
    for request in 1..=REQUESTS {
        match tokio::time::timeout(REQUEST_PATIENCE, ask(address)).await {
            Ok(Ok(pod)) => {
                missing.remove(&pod);
            }
            // Endpoints and rules follow readiness within milliseconds: give them that.
            Ok(Err(error)) => {
                last = Some(error);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(_) => bail!("a request took longer than {} s", REQUEST_PATIENCE.as_secs()),
        }
        if missing.is_empty() {
            return Ok(request);
        }
    }
    match last {
        Some(error) => Err(error.into()),
        None => bail!("after {REQUESTS} requests these pods had not answered: {missing:?}"),
    }
}

/// One HTTP request; the body is the name of the pod that answers.
async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: my-service\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned());
    body.ok_or_else(|| std::io::Error::other("the answer is not HTTP"))
}
