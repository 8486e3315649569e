//! How the loops tell of themselves.

use keelson_proto::v1::LoopsRequest;
use keelson_proto::v1::replication_server::Replication as _;

use super::Cluster;
use crate::testing::mk_rc;

#[tokio::test(start_paused = true)]
async fn the_state_of_the_loops_is_told_to_those_who_are_known() {
    let cluster = Cluster::start().await;
    assert!(cluster.health.is_ready());
    cluster.create(mk_rc("web", 2)).await;
    cluster.within(1).await;
    let service = &cluster.replication.service;
    let refused = service.loops(tonic::Request::new(LoopsRequest {})).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    let mut request = tonic::Request::new(LoopsRequest {});
    request.extensions_mut().insert(keelson_base_daemon::tls::Peer {
        common_name: "alice".to_owned(),
        organizations: Vec::new(),
    });
    let loops = service.loops(request).await.unwrap().into_inner().loops;
    assert_eq!(loops.len(), 10);
    assert!(loops.iter().all(|one| one.synced && one.errors == 0 && one.queue_depth == 0), "{loops:?}");
    let replication = loops.iter().find(|one| one.name == "replicationcontroller").unwrap();
    assert!(replication.syncs > 0 && replication.last_sync_time.is_some());
    cluster.stop().await;
}
