use jiff::Timestamp;

use super::*;
use crate::container;
use crate::runtime::Role;
use keelson_proto::core::{Container, Pod};

fn mk_runtime(addresses: u32) -> HollowRuntime {
    let clock = Clock::tokio(Timestamp::from_second(1_700_000_000).unwrap());
    HollowRuntime::new([10, 1, 0, 2].into(), addresses, clock, &Tasks::new())
}

fn infra(uid: &str) -> ContainerSpec {
    let mut pod = Pod::default();
    pod.metadata.uid = uid.to_owned();
    container::infra(&pod, 0, "", &container::DnsConfig::default()).unwrap()
}

fn app(uid: &str, image: &str, infra: &str) -> ContainerSpec {
    let mut pod = Pod::default();
    pod.metadata.uid = uid.to_owned();
    let spec = Container { name: "c".to_owned(), image: image.to_owned(), ..Container::default() };
    let surroundings =
        container::Surroundings { infra: infra.to_owned(), ..container::Surroundings::default() };
    container::app(&pod, &spec, Role::App, surroundings).unwrap()
}

#[tokio::test(start_paused = true)]
async fn addresses_are_given_and_taken_back() {
    let runtime = mk_runtime(1);
    let first = runtime.start(infra("u")).await.unwrap();
    assert_eq!(first.addresses, ["10.1.0.2".parse::<std::net::IpAddr>().unwrap()]);
    assert!(runtime.start(infra("v")).await.is_err(), "no addresses are left");
    runtime.stop(&first.id, Duration::ZERO).await.unwrap();
    assert_eq!(runtime.start(infra("v")).await.unwrap().addresses, first.addresses);
}

#[tokio::test(start_paused = true)]
async fn it_is_as_strict_as_a_real_one() {
    let runtime = mk_runtime(9);
    let first = runtime.start(infra("u")).await.unwrap();
    assert!(runtime.start(infra("u")).await.is_err(), "one name, one container");
    assert!(runtime.start(app("u", "web", "nobody")).await.is_err(), "nobody to join");
    assert!(runtime.remove(&first.id).await.is_err(), "it runs");
    runtime.start(app("u", "web", &first.id)).await.unwrap();
    assert_eq!(runtime.list(Some("u")).await.unwrap().len(), 2);
    assert!(runtime.list(Some("v")).await.unwrap().is_empty());
    runtime.stop("nobody", Duration::ZERO).await.unwrap();
    runtime.remove("nobody").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_tell_everything_after_they_are_connected() {
    let runtime = mk_runtime(9);
    let mut events = runtime.events();
    assert_eq!(events.next().await, Some(Ok(RuntimeEvent::Connected)));
    let first = runtime.start(infra("u")).await.unwrap();
    let second = runtime.start(app("u", "exit:2:10", &first.id)).await.unwrap();
    let began = tokio::time::Instant::now();
    let pod_uid = || "u".to_owned();
    assert_eq!(events.next().await, Some(Ok(RuntimeEvent::Started { id: first.id, pod_uid: pod_uid() })));
    assert_eq!(
        events.next().await,
        Some(Ok(RuntimeEvent::Started { id: second.id.clone(), pod_uid: pod_uid() }))
    );
    assert_eq!(
        events.next().await,
        Some(Ok(RuntimeEvent::Died { id: second.id.clone(), pod_uid: pod_uid() }))
    );
    assert_eq!(began.elapsed().as_secs(), 10);
    let ContainerState::Exited(exit) = runtime.table().get(&second.id).unwrap().state else {
        panic!("ended")
    };
    assert_eq!(exit.code, 2);
    runtime.remove(&second.id).await.unwrap();
    assert_eq!(events.next().await, Some(Ok(RuntimeEvent::Removed { id: second.id, pod_uid: pod_uid() })));
}
