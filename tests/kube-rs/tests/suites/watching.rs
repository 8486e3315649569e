//! Watchers and reflectors: from lists and from streaming lists, through disconnections and relists.

use std::time::Duration;

use futures::{Stream, StreamExt as _, TryStreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use keelson_tests::{Target, Up};
use keelson_tests_kube_rs::{Session, in_session, next, soon};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, PartialObjectMeta, Patch, PatchParams};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::runtime::{PredicateConfig, WatchStreamExt as _, predicates};
use serde_json::json;
use tokio::runtime::Runtime;

/// Writes of this size, in bytes and number, are more than the eight megabytes of changes that api remembers.
const LARGE: usize = 200 << 10;
const LARGE_WRITES: usize = 60;

/// The ways to begin a watch.
fn modes() -> [Config; 3] {
    [Config::default(), Config::default().page_size(2), Config::default().streaming_lists()]
}

/// An event in a word.
fn brief(event: &Event<Pod>) -> String {
    match event {
        Event::Init => "init".to_owned(),
        Event::InitApply(pod) => format!("has {}", pod.name_any()),
        Event::InitDone => "done".to_owned(),
        Event::Apply(pod) => format!("apply {}", pod.name_any()),
        Event::Delete(pod) => format!("delete {}", pod.name_any()),
    }
}

/// The events up to the first for which this holds.
async fn until(
    events: &mut (impl Stream<Item = watcher::Result<Event<Pod>>> + Unpin),
    mut holds: impl FnMut(&Event<Pod>) -> bool,
) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let event = next(events).await.unwrap();
        seen.push(brief(&event));
        if holds(&event) {
            return seen;
        }
    }
}

#[test]
fn a_watcher_begins_with_all_and_goes_on_with_changes() {
    for config in modes() {
        in_session(async |session| {
            for name in ["a", "b", "c"] {
                session.create_pod(name, json!({})).await;
            }
            let pods: Api<Pod> = session.api();
            let events = watcher(pods.clone(), config.clone());
            pin_mut!(events);
            let first = until(&mut events, |event| matches!(event, Event::InitDone)).await;
            assert_eq!(first, ["init", "has a", "has b", "has c", "done"], "{config:?}");
            session.create_pod("d", json!({})).await;
            until(&mut events, |event| brief(event) == "apply d").await;
            pods.delete("a", &DeleteParams::default().grace_period(0)).await.unwrap();
            until(&mut events, |event| brief(event) == "delete a").await;
        });
    }
}

#[test]
fn a_watcher_of_metadata_and_labels() {
    in_session(async |session| {
        let all: Api<PartialObjectMeta<Pod>> = session.api();
        let events = watcher(all, Config::default().labels("app=web")).touched_objects();
        let events = events.predicate_filter(predicates::labels, PredicateConfig::default());
        pin_mut!(events);
        session.create_pod("other", json!({"app": "db"})).await;
        session.create_pod("web", json!({"app": "web"})).await;
        // Its status changes meanwhile, and nobody is told.
        let seen = next(&mut events).await.unwrap();
        assert_eq!((seen.name_any().as_str(), seen.labels()["app"].as_str()), ("web", "web"));
        session.create_pod("web-2", json!({"app": "web"})).await;
        assert_eq!(next(&mut events).await.unwrap().name_any(), "web-2");
    });
}

/// Follows all pods of a session into a store, and counts the lists that it took.
struct Follower {
    store: Store<Pod>,
    lists: tokio::sync::watch::Receiver<u32>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    fn start(session: &Session, config: Config) -> Self {
        let (store, writer) = reflector::store();
        let (tx, lists) = tokio::sync::watch::channel(0);
        let events = watcher(session.api::<Pod>(), config).default_backoff().reflect(writer);
        let events = events.inspect_ok(move |event| {
            if matches!(event, Event::InitDone) {
                tx.send_modify(|lists| *lists += 1);
            }
        });
        let task = tokio::spawn(events.for_each(|_| std::future::ready(())));
        Self { store, lists, task }
    }

    /// The names of the pods that it knows.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.store.state().iter().map(|pod| pod.name_any()).collect();
        names.sort();
        names
    }

    /// Waits until it knows exactly these pods.
    async fn knows(&self, names: [&str; 3]) {
        let right = async {
            while self.names() != names {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(&format!("{names:?} are known"), right).await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A follower of three pods, and the port of the gateway that it goes through.
fn follow(runtime: &Runtime, target: &Target, config: Config) -> (Session, Follower, String) {
    let port = target.server().rsplit(':').next().unwrap().to_owned();
    runtime.block_on(async {
        let session = Session::begin(target.kubeconfig()).await;
        for name in ["a", "b", "c"] {
            session.create_pod(name, json!({})).await;
        }
        let follower = Follower::start(&session, config);
        soon("the store is filled", follower.store.wait_until_ready()).await.unwrap();
        assert_eq!(follower.names(), ["a", "b", "c"]);
        (session, follower, port)
    })
}

/// Deletes one pod and creates another.
async fn change(session: &Session) {
    let pods: Api<Pod> = session.api();
    pods.delete("a", &DeleteParams::default().grace_period(0)).await.unwrap();
    session.create_pod("d", json!({})).await;
}

#[test]
fn a_reflector_goes_on_after_a_restart_of_the_server() {
    let (up, runtime) = (Up::hollow(), Runtime::new().unwrap());
    let running = up.start();
    let (session, follower, port) = follow(&runtime, running.target(), Config::default());
    running.kill();
    let running = up.start_with(&["--gateway-port", &port]);
    runtime.block_on(async {
        change(&session).await;
        follower.knows(["b", "c", "d"]).await;
    });
    assert_eq!(*follower.lists.borrow(), 1, "the server remembers what was before its restart");
    drop(follower);
    assert!(running.interrupt().success());
}

/// While the follower cannot reach it, the server is told more than it remembers.
#[test]
fn a_reflector_lists_again_when_history_is_gone() {
    for config in [Config::default(), Config::default().streaming_lists()] {
        let (up, runtime) = (Up::hollow(), Runtime::new().unwrap());
        let running = up.start();
        let (session, mut follower, port) = follow(&runtime, running.target(), config);
        running.kill();
        let elsewhere = up.start();
        runtime.block_on(async {
            let there = session.at(elsewhere.target().kubeconfig()).await;
            change(&there).await;
            let pods: Api<Pod> = there.api();
            for number in 0..LARGE_WRITES {
                let note = format!("{number} {}", "x".repeat(LARGE));
                let patch = Patch::Merge(json!({"metadata": {"annotations": {"note": note}}}));
                pods.patch_metadata("b", &PatchParams::default(), &patch).await.unwrap();
            }
        });
        elsewhere.kill();
        let running = up.start_with(&["--gateway-port", &port]);
        runtime.block_on(async {
            drop(soon("it lists again", follower.lists.wait_for(|lists| *lists == 2)).await.unwrap());
            follower.knows(["b", "c", "d"]).await;
        });
        drop(follower);
        assert!(running.interrupt().success());
    }
}
