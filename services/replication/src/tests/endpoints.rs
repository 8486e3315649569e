//! Endpoints.

use keelson_proto::core::{Endpoints, Pod, Service};
use keelson_proto::meta::DeleteOptions;

use super::Cluster;
use crate::testing::{mk_pod, mk_service, ready_since, with_address};

#[tokio::test(start_paused = true)]
async fn endpoints_follow_pods_and_services() {
    let cluster = Cluster::start().await;
    cluster.create(mk_service("web", &[("http", 80, 8080.into())])).await;
    cluster.within(1).await;
    assert!(cluster.get::<Endpoints>("web").await.subsets.is_empty());
    let pod = cluster.create(mk_pod("a", "web", "Running")).await;
    let ready = ready_since(with_address(pod, "10.0.0.1"), 1);
    cluster.of::<Pod>().update_status(&ready).await.unwrap();
    cluster.within(1).await;
    assert_eq!(cluster.get::<Endpoints>("web").await.subsets[0].addresses[0].ip, "10.0.0.1");

    let writes = cluster.api.count("Endpoints/Update");
    let mut annotated = cluster.get::<Pod>("a").await;
    annotated.metadata.annotations.insert("note".to_owned(), "x".to_owned());
    cluster.of::<Pod>().update(&annotated).await.unwrap();
    cluster.within(1).await;
    assert_eq!(cluster.api.count("Endpoints/Update"), writes, "nothing is told of that");

    cluster.of::<Endpoints>().delete("web", DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    assert_eq!(cluster.get::<Endpoints>("web").await.subsets.len(), 1, "they come back");
    cluster.of::<Service>().delete("web", DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    assert!(cluster.list::<Endpoints>().await.is_empty());
    cluster.stop().await;
}
