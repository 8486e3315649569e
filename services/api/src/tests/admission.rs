//! The admission plugins that look things up, and quotas under pressure.

use futures::future::join_all;
use keelson_base_client::ListParams;
use keelson_base_model::resourcequota::{Counted, used_of};
use keelson_base_model::resources;
use keelson_proto::Object;
use keelson_proto::core::{LimitRange, Namespace, ResourceQuota, ServiceAccount};
use keelson_proto::meta::{DeleteOptions, Time};
use serde_json::{Value, json};

use super::replicas::Replicas;
use super::*;

/// An api with these plugins besides its own.
async fn with_plugins(names: &[&'static str]) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(EmbeddedConfig::new(dir.path().join("store"))).unwrap();
    let admission = AdmissionConfig { enable_admission_plugins: names.to_vec(), ..without_accounts() };
    Fixture::told(Arc::new(store), dir, Config { admission, ..Config::default() }).await
}

fn mk<K: Object>(name: &str, more: Value) -> K {
    let mut object: K = serde_json::from_value(more).unwrap();
    *object.metadata_mut() =
        ObjectMeta { annotations: object.metadata().annotations.clone(), ..mk_meta(name) };
    object
}

/// Makes a quota, and counts what is used of it: nothing.
async fn mk_quota(client: &Client, name: &str, hard: Value) {
    let quotas = client.api::<ResourceQuota>().namespaced("default");
    let mut quota = quotas.create(&mk(name, json!({"spec": {"hard": hard}}))).await.unwrap();
    quota.status.hard.clone_from(&quota.spec.hard);
    quota.status.used = resources::list(&used_of(&quota, [], Time::now()));
    quotas.update_status(&quota).await.unwrap();
}

async fn used(client: &Client, name: &str) -> Value {
    let quota = client.api::<ResourceQuota>().namespaced("default").get(name).await.unwrap();
    serde_json::to_value(&quota.status.used).unwrap()
}

/// What the resource quota loop does, until nobody was quicker.
async fn count(client: &Client, name: &str) {
    let quotas = client.api::<ResourceQuota>().namespaced("default");
    loop {
        let mut quota = quotas.get(name).await.unwrap();
        let pods =
            client.api::<Pod>().namespaced("default").list(&ListParams::default()).await.unwrap().items;
        let counted = pods.iter().map(|pod| Counted { kind: Pod::KIND, object: pod });
        quota.status.used = resources::list(&used_of(&quota, counted, Time::now()));
        match quotas.update_status(&quota).await {
            Err(error) if error.is_conflict() => tokio::task::yield_now().await,
            written => return drop(written.unwrap()),
        }
    }
}

/// Whether all who are refused are refused because nothing is left.
fn only_exceeded<K: std::fmt::Debug>(created: &[Result<K, ApiError>], most: usize) -> usize {
    for error in created.iter().filter_map(|created| created.as_ref().err()) {
        assert!(error.is_forbidden() && error.message().contains("exceeded quota: "), "{error}");
    }
    let made = created.iter().filter(|created| created.is_ok()).count();
    assert!(made <= most, "{made} were made of {most}");
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixty_four_who_race_for_ten_places_ten_win() {
    let fixture = Fixture::new().await;
    let client = fixture.client();
    mk_quota(&client, "q", json!({"pods": "10"})).await;
    let pods = client.api::<Pod>().namespaced("default");
    let created = join_all((0..64).map(|n| {
        let pods = pods.clone();
        async move { pods.create(&mk_pod(&format!("p-{n}"))).await }
    }))
    .await;
    assert_eq!(only_exceeded(&created, 10), 10);
    assert_eq!(used(&client, "q").await, json!({"pods": "10"}));
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 10);
    let refused = pods.create(&mk_pod("late")).await.unwrap_err();
    let message =
        "pods \"late\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=10, limited: pods=10";
    assert_eq!(refused.message(), message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_quotas_hold_at_once_while_others_count_and_delete() {
    let fixture = Fixture::new().await;
    let client = fixture.client();
    mk_quota(&client, "few", json!({"pods": "8"})).await;
    mk_quota(&client, "more", json!({"count/pods": "12"})).await;
    let pods = client.api::<Pod>().namespaced("default");
    for round in 0..4 {
        let creating = join_all((0..24).map(|n| {
            let pods = pods.clone();
            async move { pods.create(&mk_pod(&format!("p-{round}-{n}"))).await }
        }));
        let counting = async {
            for _ in 0..8 {
                count(&client, "few").await;
                count(&client, "more").await;
            }
        };
        let (created, ()) = futures::future::join(creating, counting).await;
        only_exceeded(&created, 8);
        let there = pods.list(&ListParams::default()).await.unwrap().items;
        assert!(there.len() <= 8, "{} in round {round}", there.len());
        for pod in &there {
            pods.delete(&pod.metadata.name, DeleteOptions::default()).await.unwrap();
        }
        count(&client, "few").await;
        count(&client, "more").await;
        assert_eq!(used(&client, "few").await, json!({"pods": "0"}));
    }
    for n in 0..8 {
        pods.create(&mk_pod(&format!("last-{n}"))).await.unwrap();
    }
    assert_eq!(used(&client, "few").await, json!({"pods": "8"}));
    assert_eq!(used(&client, "more").await, json!({"count/pods": "8"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_do_not_exceed_a_quota_between_them() {
    let replicas = Replicas::start().await;
    let clients = replicas.clients();
    mk_quota(&clients[0], "q", json!({"pods": "10", "requests.cpu": "100"})).await;
    let created = join_all((0..64).map(|n| {
        let pods = clients[n % 2].api::<Pod>().namespaced("default");
        let mut pod = mk_pod(&format!("p-{n}"));
        let one = keelson_proto::resource::Quantity { string: "1".to_owned() };
        pod.spec.containers[0].resources.requests.insert("cpu".to_owned(), one);
        async move { pods.create(&pod).await }
    }))
    .await;
    assert_eq!(only_exceeded(&created, 10), 10);
    assert_eq!(used(&clients[1], "q").await, json!({"pods": "10", "requests.cpu": "10"}));
    replicas.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_stored_is_not_charged() {
    let fixture = Fixture::new().await;
    let client = fixture.client();
    mk_quota(&client, "a", json!({"services.nodeports": "2", "services": "3"})).await;
    mk_quota(&client, "b", json!({"count/services": "5"})).await;
    let services = client.api::<Service>().namespaced("default");
    let mut ported = mk_service("web");
    ported.spec.r#type = "NodePort".to_owned();
    services.create(&ported).await.unwrap();
    assert!(services.create(&ported).await.unwrap_err().is_already_exists());
    let charged = json!({"services.nodeports": "1", "services": "1"});
    assert_eq!(used(&client, "a").await, charged);
    assert_eq!(used(&client, "b").await, json!({"count/services": "1"}));
    // An update that asks for more is charged like something new, or refused.
    let mut other = services.create(&mk_service("other")).await.unwrap();
    other.spec.r#type = "NodePort".to_owned();
    let second = ServicePort { name: "second".into(), port: 81, ..ServicePort::default() };
    other.spec.ports[0].name = "first".into();
    other.spec.ports.push(second);
    let refused = services.update(&other).await.unwrap_err();
    assert!(refused.message().contains("exceeded quota: a, requested: services.nodeports=2"), "{refused}");
    assert_eq!(used(&client, "a").await, json!({"services.nodeports": "1", "services": "2"}));
}

#[tokio::test]
async fn who_comes_before_a_quota_is_counted_waits_and_is_told() {
    let fixture = Fixture::new().await;
    let client = fixture.client();
    let quotas = client.api::<ResourceQuota>().namespaced("default");
    quotas.create(&mk("q", json!({"spec": {"hard": {"pods": "2"}}}))).await.unwrap();
    // What lists have shown, admission knows.
    quotas.list(&ListParams::default()).await.unwrap();
    let refused = client.api::<Pod>().namespaced("default").create(&mk_pod("web")).await.unwrap_err();
    assert_eq!(refused.message(), "pods \"web\" is forbidden: status unknown for quota: q, resources: pods");
}

#[tokio::test]
async fn limit_ranges_complete_and_refuse() {
    let fixture = Fixture::new().await;
    let client = fixture.client();
    let item = json!({"type": "Container", "default": {"cpu": "500m"}, "max": {"cpu": "1"}});
    let ranges = client.api::<LimitRange>().namespaced("default");
    ranges.create(&mk("limits", json!({"spec": {"limits": [item]}}))).await.unwrap();
    // What lists have shown, admission knows.
    ranges.list(&ListParams::default()).await.unwrap();
    let pods = client.api::<Pod>().namespaced("default");
    let created = pods.create(&mk_pod("web")).await.unwrap();
    let resources = serde_json::to_value(&created.spec.containers[0].resources).unwrap();
    assert_eq!(resources, json!({"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}}));
    assert_eq!(created.status.qos_class, "Burstable");
    let mut large = mk_pod("large");
    let two = keelson_proto::resource::Quantity { string: "2".to_owned() };
    large.spec.containers[0].resources.limits.insert("cpu".to_owned(), two);
    let refused = pods.create(&large).await.unwrap_err();
    assert_eq!(
        refused.message(),
        "pods \"large\" is forbidden: maximum cpu usage per Container is 1, but limit is 2"
    );
}

#[tokio::test]
async fn a_pod_runs_as_an_account_that_is_there() {
    let fixture = with_plugins(&["ServiceAccount"]).await;
    let client = fixture.client();
    let accounts = client.api::<ServiceAccount>().namespaced("default");
    let pods = client.api::<Pod>().namespaced("default");
    let mut robot = mk_pod("robot");
    robot.spec.service_account_name = "robot".to_owned();
    let refused = pods.create(&robot).await.unwrap_err();
    let message = "pods \"robot\" is forbidden: error looking up service account default/robot: serviceaccounts \"robot\" not found";
    assert_eq!(refused.message(), message);
    // The default account is waited for.
    let (created, made) = futures::future::join(pods.create(&mk_pod("web")), async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        accounts.create(&mk("default", json!({}))).await
    })
    .await;
    made.unwrap();
    let created = created.unwrap();
    assert_eq!(created.spec.service_account_name, "default");
    assert!(created.spec.volumes[0].name.starts_with("kube-api-access-"));
    accounts.create(&mk("robot", json!({"automountServiceAccountToken": false}))).await.unwrap();
    let robot = pods.create(&robot).await.unwrap();
    assert_eq!((robot.spec.service_account.as_str(), robot.spec.volumes.len()), ("robot", 0));
}

#[tokio::test]
async fn namespaces_are_made_when_they_are_missed() {
    let fixture = with_plugins(&["NamespaceAutoProvision"]).await;
    let client = fixture.client();
    let mut pod = mk_pod("web");
    pod.metadata.namespace = "fresh".to_owned();
    client.api::<Pod>().namespaced("fresh").create(&pod).await.unwrap();
    let made = client.api::<Namespace>().get("fresh").await.unwrap();
    assert_eq!((made.status.phase.as_str(), made.spec.finalizers.len()), ("Active", 1));
}

#[tokio::test]
async fn pods_stay_five_minutes_on_lost_nodes() {
    let fixture = Fixture::new().await;
    let pods = fixture.client().api::<Pod>().namespaced("default");
    let tolerations = pods.create(&mk_pod("web")).await.unwrap().spec.tolerations;
    assert!(tolerations.iter().all(|one| one.toleration_seconds == Some(300)) && tolerations.len() == 2);
}
