//! kube-rs, as operators are written with it, against any target.
//!
//! A [`Session`] is a client in a namespace of its own. It fails by panicking: its callers are tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails by panicking: its callers are tests"
)]

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Pod, ReplicationController};
use keelson_tests::Subject;
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use kube::{Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How long anything that the cluster does by itself may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What containers of tests run; a hollow node takes any name.
const IMAGE: &str = "registry.k8s.io/pause:3.9";

/// A client with an administrator's kubeconfig, and the namespace that it works in.
#[derive(Clone)]
pub struct Session {
    /// The client; its default namespace is the session's.
    pub client: Client,
    /// The namespace, made for this session.
    pub namespace: String,
}

/// Tells a story in a new namespace of the subject, which is a hollow cluster unless `KEELSON_TARGET` names another.
///
/// # Panics
/// If the story does, or the namespace cannot be made.
#[track_caller]
pub fn in_session(story: impl AsyncFnOnce(&Session)) {
    let subject = Subject::start();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let session = Session::begin(subject.kubeconfig()).await;
        story(&session).await;
        session.end().await;
    });
}

// === impl Session ===

impl Session {
    /// Makes a namespace and a client for it.
    ///
    /// # Panics
    /// If the kubeconfig cannot be read or the namespace cannot be made.
    pub async fn begin(kubeconfig: &Path) -> Self {
        let namespace = format!("kube-rs-{:08x}", fastrand::u32(..));
        let client = client(kubeconfig, &namespace).await;
        let named = object(json!({"metadata": {"name": namespace}}));
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &named).await.expect("the namespace is made");
        Self { client, namespace }
    }

    /// The same namespace through another kubeconfig.
    ///
    /// # Panics
    /// If the kubeconfig cannot be read.
    pub async fn at(&self, kubeconfig: &Path) -> Self {
        let client = client(kubeconfig, &self.namespace).await;
        Self { client, namespace: self.namespace.clone() }
    }

    /// Removes the namespace; the server empties it afterwards.
    ///
    /// # Panics
    /// If it cannot be removed.
    pub async fn end(self) {
        let namespaces: Api<Namespace> = Api::all(self.client);
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.expect("the namespace goes");
    }

    /// The objects of this kind in the session's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::default_namespaced(self.client.clone())
    }

    /// Creates a pod with these labels.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn create_pod(&self, name: &str, labels: Value) -> Pod {
        self.api().create(&PostParams::default(), &pod(name, labels)).await.expect("the pod is created")
    }

    /// Creates a replication controller of pods labelled `app: <name>`.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn create_controller(&self, name: &str, replicas: i32) -> ReplicationController {
        let template = pod("", json!({"app": name}));
        let controller = object(json!({
            "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"app": name}, "template": template},
        }));
        self.api().create(&PostParams::default(), &controller).await.expect("the controller is created")
    }
}

impl Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

async fn client(kubeconfig: &Path, namespace: &str) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.expect("the kubeconfig is whole");
    namespace.clone_into(&mut config.default_namespace);
    Client::try_from(config).expect("a client")
}

/// A pod that runs until it is deleted.
pub fn pod(name: &str, labels: Value) -> Pod {
    object(json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE}]},
    }))
}

/// An object of a typed kind, from its JSON.
///
/// # Panics
/// If it is none.
#[track_caller]
pub fn object<K: DeserializeOwned>(json: Value) -> K {
    serde_json::from_value(json).expect("JSON of this kind")
}

/// The server's `Status` of a call that must have failed.
///
/// # Panics
/// If it has not, or failed elsewhere than at the server.
#[track_caller]
pub fn refused<T: Debug>(result: Result<T, kube::Error>) -> Status {
    match result {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("the server should have refused this: {other:?}"),
    }
}

/// Waits for this at most half a minute.
///
/// # Panics
/// If it takes longer.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: still not"))
}

/// The next element of a stream that goes on.
///
/// # Panics
/// If there is none within half a minute.
pub async fn next<S: Stream + Unpin>(stream: &mut S) -> S::Item {
    soon("the next element", stream.next()).await.expect("the stream goes on")
}
