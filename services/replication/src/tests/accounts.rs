//! What every namespace has: an account, and whom to trust.

use keelson_base_daemon::tls::{Identity, LiveIdentity};
use keelson_proto::core::{ConfigMap, Namespace, ServiceAccount};
use keelson_proto::meta::DeleteOptions;

use super::*;

fn mk_namespace(name: &str) -> Namespace {
    let mut namespace = Namespace::default();
    namespace.metadata.name = name.to_owned();
    namespace.spec.finalizers.push("kubernetes".to_owned());
    namespace
}

#[tokio::test(start_paused = true)]
async fn every_namespace_gets_an_account_and_keeps_it_until_it_goes() {
    let cluster = Cluster::start().await;
    cluster.create(mk_namespace("web")).await;
    cluster.within(1).await;
    let accounts = cluster.all::<ServiceAccount>().namespaced("web");
    accounts.get("default").await.unwrap();
    accounts.delete("default", DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    accounts.get("default").await.unwrap();
    cluster.all::<Namespace>().delete("web", DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    assert!(
        cluster.list::<Namespace>().await.is_empty() && cluster.list::<ServiceAccount>().await.is_empty()
    );
    assert!(cluster.list::<ConfigMap>().await.is_empty(), "nobody has said whom to trust");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn every_namespace_is_told_whom_to_trust() {
    let identity = Identity { cert_pem: String::new(), key_pem: String::new(), ca_pem: "PEM".to_owned() };
    let config = Config { root_ca: Some(LiveIdentity::from(identity)), ..Config::default() };
    let cluster = Cluster::told(FakeApi::default(), config).await;
    cluster.create(mk_namespace("web")).await;
    cluster.within(1).await;
    let maps = cluster.all::<ConfigMap>().namespaced("web");
    assert_eq!(maps.get("kube-root-ca.crt").await.unwrap().data["ca.crt"], "PEM");
    let mut spoilt = maps.get("kube-root-ca.crt").await.unwrap();
    spoilt.data.insert("ca.crt".to_owned(), "OTHER".to_owned());
    maps.update(&spoilt).await.unwrap();
    cluster.within(1).await;
    assert_eq!(maps.get("kube-root-ca.crt").await.unwrap().data["ca.crt"], "PEM", "it is put right");
    maps.delete("kube-root-ca.crt", DeleteOptions::default()).await.unwrap();
    cluster.within(1).await;
    assert!(maps.get("kube-root-ca.crt").await.is_ok());
    cluster.stop().await;
}
