//! Endpoints.

use keelson_proto::core::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service};
use keelson_proto::discovery::EndpointSlice;
use keelson_proto::meta::DeleteOptions;

use super::Cluster;
use crate::testing::{mk_endpoints, mk_pod, mk_service, ready_since, with_address};

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

/// What the slices say: addresses, and whether each is ready.
async fn sliced(cluster: &Cluster) -> Vec<String> {
    let slices = cluster.list::<EndpointSlice>().await;
    let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
    let text = |endpoint: &keelson_proto::discovery::Endpoint| {
        format!("{} {:?}", endpoint.addresses[0], endpoint.conditions.ready)
    };
    let mut all: Vec<_> = endpoints.map(text).collect();
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn slices_follow_pods_and_services() {
    let cluster = Cluster::start().await;
    let service = cluster.create(mk_service("web", &[("http", 80, 8080.into())])).await;
    cluster.within(1).await;
    let slices = cluster.list::<EndpointSlice>().await;
    assert_eq!(slices.len(), 1, "a slice says that there is nothing yet");
    let metadata = &slices[0].metadata;
    assert!(metadata.name.starts_with("web-"), "{}", metadata.name);
    assert_eq!(metadata.owner_references[0].uid, service.metadata.uid);
    assert_eq!(metadata.labels["kubernetes.io/service-name"], "web");
    assert_eq!(metadata.labels["endpointslice.kubernetes.io/managed-by"], "endpointslice-controller.k8s.io");

    for (number, name) in ["a", "b"].into_iter().enumerate() {
        let pod = cluster.create(mk_pod(name, "web", "Running")).await;
        let pod = with_address(pod, &format!("10.0.0.{number}"));
        cluster.of::<Pod>().update_status(&ready_since(pod, 1)).await.unwrap();
    }
    cluster.within(1).await;
    assert_eq!(sliced(&cluster).await, ["10.0.0.0 Some(true)", "10.0.0.1 Some(true)"]);
    assert_eq!(cluster.list::<EndpointSlice>().await.len(), 1);

    let writes =
        || ["Create", "Update", "Delete"].map(|verb| cluster.api.count(&format!("EndpointSlices/{verb}")));
    let before = writes();
    let mut annotated = cluster.get::<Pod>("a").await;
    annotated.metadata.annotations.insert("note".to_owned(), "x".to_owned());
    cluster.of::<Pod>().update(&annotated).await.unwrap();
    cluster.within(1).await;
    assert_eq!(writes(), before, "nothing is told of that");

    let name = cluster.list::<EndpointSlice>().await[0].metadata.name.clone();
    cluster.of::<EndpointSlice>().delete(&name, DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    assert_eq!(sliced(&cluster).await.len(), 2, "they come back");
    cluster.of::<Service>().delete("web", DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    assert!(cluster.list::<EndpointSlice>().await.is_empty());
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_endpoints_are_spread_over_slices() {
    let cluster = Cluster::start().await;
    cluster.create(mk_service("web", &[("http", 80, 8080.into())])).await;
    for number in 0..230 {
        let pod = cluster.create(mk_pod(&format!("p{number}"), "web", "Running")).await;
        let pod = with_address(pod, &format!("10.0.1.{number}"));
        cluster.of::<Pod>().update_status(&ready_since(pod, 1)).await.unwrap();
    }
    cluster.within(5).await;
    let slices = cluster.list::<EndpointSlice>().await;
    assert_eq!(slices.len(), 3);
    assert!(slices.iter().all(|slice| slice.endpoints.len() <= 100));
    assert_eq!(sliced(&cluster).await.len(), 230);
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn endpoints_written_by_hand_are_mirrored() {
    let cluster = Cluster::start().await;
    let mut service = mk_service("db", &[("sql", 5432, 5432.into())]);
    let selector = std::mem::take(&mut service.spec.selector);
    cluster.create(service).await;
    let mut endpoints = mk_endpoints("db");
    endpoints.subsets = vec![EndpointSubset {
        addresses: vec![EndpointAddress { ip: "192.0.2.7".to_owned(), ..EndpointAddress::default() }],
        ports: vec![EndpointPort { name: "sql".to_owned(), port: 5432, ..EndpointPort::default() }],
        ..EndpointSubset::default()
    }];
    cluster.create(endpoints).await;
    cluster.within(1).await;
    assert_eq!(sliced(&cluster).await, ["192.0.2.7 Some(true)"]);
    let manager = "endpointslice.kubernetes.io/managed-by";
    let managers = |slices: Vec<EndpointSlice>| {
        slices.into_iter().map(|slice| slice.metadata.labels[manager].clone()).collect::<Vec<_>>()
    };
    let found = managers(cluster.list().await);
    assert_eq!(found, ["endpointslicemirroring-controller.k8s.io"]);

    let mut selecting = cluster.get::<Service>("db").await;
    selecting.spec.selector = selector;
    cluster.of::<Service>().update(&selecting).await.unwrap();
    cluster.within(1).await;
    assert!(sliced(&cluster).await.is_empty(), "the service has its own endpoints now, and no pods");
    assert_eq!(managers(cluster.list().await), ["endpointslice-controller.k8s.io"]);
    cluster.stop().await;
}
