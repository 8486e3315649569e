//! Two of us, of which one works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keelson_base_client::leader::Timing;
use keelson_proto::v1::LoopsRequest;
use keelson_proto::v1::replication_server::Replication as _;

use super::*;
use crate::testing::{mk_pod, mk_rc};

/// One of several, and what cuts it off from api.
async fn candidate(api: &FakeApi) -> (Cluster, Arc<AtomicBool>) {
    let cut = Arc::default();
    let (client, tasks) = (api.client_unless(&cut), Tasks::new());
    let health = Health::new(tasks.drain());
    let config = Config { leader_election: Some(Timing::DEFAULT), ..Config::default() };
    let replication = Replication::build(config, client.clone(), &tasks, &health, &Metrics::new()).unwrap();
    health.ready().await;
    (Cluster { api: api.clone(), client, replication, health, tasks }, cut)
}

async fn scale(cluster: &Cluster, replicas: i32) {
    let mut rc = cluster.get::<ReplicationController>("web").await;
    rc.spec.replicas = Some(replicas);
    cluster.of::<ReplicationController>().update(&rc).await.unwrap();
}

fn holder(cluster: &Cluster) -> Option<String> {
    let lease: Lease = cluster.api.get("kube-system", "keelson-replication").unwrap();
    lease.spec.holder_identity
}

#[tokio::test(start_paused = true)]
async fn who_stands_by_is_ready_and_takes_over_at_once() {
    let api = FakeApi::default();
    let (first, _) = candidate(&api).await;
    first.create(mk_rc("web", 3)).await;
    first.within(1).await;
    let (second, _) = candidate(&api).await;
    assert!(second.health.is_ready());
    scale(&second, 4).await;
    second.within(10).await;
    assert_eq!((second.pod_names().await.len(), api.count("Pods/Create")), (4, 4), "one of them works");
    let mut request = tonic::Request::new(LoopsRequest {});
    request.extensions_mut().insert(keelson_base_daemon::tls::Peer {
        common_name: "alice".to_owned(),
        organizations: Vec::new(),
    });
    let loops = second.replication.service.loops(request).await.unwrap().into_inner().loops;
    assert!(loops.iter().all(|one| one.synced && one.syncs == 0), "{loops:?}");

    let before = holder(&second);
    first.stop().await;
    scale(&second, 6).await;
    second.within(1).await;
    assert_ne!(holder(&second), before);
    assert_eq!((second.pod_names().await.len(), api.count("Pods/Create")), (6, 6));
    second.stop().await;
    let (third, _) = candidate(&api).await;
    third.within(1).await;
    assert_eq!(api.count("Pods/Create"), 6, "what was there is not made again");
    third.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_lost_its_lease_begins_anew_when_it_leads_again() {
    let api = FakeApi::default();
    let (first, cut) = candidate(&api).await;
    first.create(mk_rc("web", 1)).await;
    first.within(1).await;
    // It expects a pod that it asks for, and hears no more.
    cut.store(true, Ordering::Relaxed);
    let direct = api.client();
    let rcs = direct.api::<ReplicationController>().namespaced("default");
    let mut rc = rcs.get("web").await.unwrap();
    rc.spec.replicas = Some(2);
    rcs.update(&rc).await.unwrap();
    first.within(5).await;
    let (second, _) = candidate(&api).await;
    second.within(20).await;
    assert_eq!(second.pod_names().await.len(), 2, "the other does it");
    cut.store(false, Ordering::Relaxed);
    second.within(60).await;
    assert_eq!(api.list::<Pod>().len(), 2);
    second.stop().await;
    scale(&first, 3).await;
    let alone = first.create(mk_pod("alone", "web", "Running")).await;
    first.within(60).await;
    assert_eq!(first.pod_names().await.len(), 3, "it waits for nothing that it expected in its first term");
    assert!(first.pod_names().await.contains(&alone.metadata.name));
    first.stop().await;
}
