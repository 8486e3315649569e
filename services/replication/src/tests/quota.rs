//! Quotas say what is used.

use keelson_proto::core::{ConfigMap, ResourceQuota, Service};
use keelson_proto::meta::DeleteOptions;
use serde_json::{Value, json};

use super::*;
use crate::testing::{mk_metadata, mk_pod, mk_service};

fn mk_quota(hard: Value) -> ResourceQuota {
    let mut quota: ResourceQuota = serde_json::from_value(json!({"spec": {"hard": hard}})).unwrap();
    quota.metadata = mk_metadata("q");
    quota
}

async fn used(cluster: &Cluster) -> Value {
    let quota = cluster.get::<ResourceQuota>("q").await;
    assert_eq!(quota.status.hard, quota.spec.hard);
    serde_json::to_value(&quota.status.used).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_there_is_is_counted_and_what_goes_is_given_back() {
    let cluster = Cluster::start().await;
    cluster.create(mk_pod("before", "web", "Running")).await;
    cluster.create(mk_pod("ended", "web", "Failed")).await;
    cluster
        .create(mk_quota(json!({"pods": "5", "count/pods": "5", "services": "2", "configmaps": "9"})))
        .await;
    cluster.within(1).await;
    let counted = |pods: &str, all: &str, services: &str, maps: &str| json!({"pods": pods, "count/pods": all, "services": services, "configmaps": maps});
    assert_eq!(used(&cluster).await, counted("1", "2", "0", "0"));

    // Whoever creates has charged it, as a rule; if nobody has, it is counted a little later.
    let pod = cluster.create(mk_pod("after", "web", "Running")).await;
    cluster.create(mk_service("web", &[])).await;
    cluster.create(ConfigMap { metadata: mk_metadata("map"), ..ConfigMap::default() }).await;
    cluster.within(3).await;
    assert_eq!(used(&cluster).await, counted("2", "3", "1", "1"));

    let mut ended = cluster.get::<Pod>(&pod.metadata.name).await;
    ended.status.phase = "Succeeded".to_owned();
    cluster.of::<Pod>().update_status(&ended).await.unwrap();
    cluster.of::<Service>().delete("web", DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    assert_eq!(used(&cluster).await, counted("1", "3", "0", "1"));
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_charge_that_nobody_used_is_given_back() {
    let cluster = Cluster::start().await;
    let mut quota = cluster.create(mk_quota(json!({"pods": "5"}))).await;
    cluster.within(1).await;
    quota = cluster.get::<ResourceQuota>(&quota.metadata.name).await;
    let three = serde_json::from_value(json!({"pods": "3"})).unwrap();
    quota.status.used = three;
    cluster.of::<ResourceQuota>().update_status(&quota).await.unwrap();
    assert_eq!(used(&cluster).await, json!({"pods": "3"}));
    cluster.within(3).await;
    assert_eq!(used(&cluster).await, json!({"pods": "0"}));
    cluster.stop().await;
}
