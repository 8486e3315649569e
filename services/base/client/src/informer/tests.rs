use std::time::Duration;

use keelson_base_daemon::trace::TraceContext;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::status::ApiError;
use keelson_proto::core::Pod;
use keelson_proto::v1::{ListRequest, RawList, RawWatchEvent, WatchEventType, WatchRequest};
use tokio::sync::mpsc;
use tonic::Status;

use super::*;
use crate::Client;
use crate::testing::{Events, Server, page, pod, server};

/// An informer of pods, the server it talks to, and what its handler was told: each with what the cache then held.
struct Fixture {
    server: Server,
    cache: Cache<Pod>,
    told: mpsc::UnboundedReceiver<(String, Option<Cause>)>,
    tasks: Tasks,
}

impl Fixture {
    fn new(scope: WatchScope) -> Self {
        let (channel, server) = server();
        let tasks = Tasks::new();
        let cache = Cache::with_index(|pod: &Pod| vec![pod.spec.node_name.clone()]);
        let (tell, told) = mpsc::unbounded_channel();
        let seen = cache.clone();
        Informer::spawn_into(&tasks, Client::new(channel).api::<Pod>(), scope, cache.clone(), move |delta| {
            tell.send(describe(&delta, &seen)).unwrap();
        });
        Self { server, cache, told, tasks }
    }

    async fn next(&mut self) -> String {
        self.told.recv().await.unwrap().0
    }

    /// Answers the list that must come next.
    async fn lists(&mut self, pods: &[Pod], revision: u64) {
        let call = self.server.expect("List").await;
        assert_eq!(call.request::<ListRequest>().resource_version, "", "lists want the latest");
        call.answer(&page(pods, revision, ""));
    }

    /// Answers the watch that must come next, and must go on after `revision`.
    async fn watches(&mut self, revision: u64) -> Events {
        let call = self.server.expect("Watch").await;
        let request: WatchRequest = call.request();
        assert_eq!((request.resource_version, request.allow_bookmarks), (revision.to_string(), true));
        call.stream()
    }
}

/// `+name@version`, `name@old→new`, `-name@version`, `~name` for a resync, `synced`; fails if the cache lags behind.
fn describe(delta: &Delta<Pod>, cache: &Cache<Pod>) -> (String, Option<Cause>) {
    let show = |pod: &Pod| format!("{}@{}", pod.metadata.name, pod.metadata.resource_version);
    match delta {
        Delta::Applied { old, new, trace } => {
            let held = cache.get(&ObjectKey::of(&new.metadata)).expect("the cache must hold it already");
            assert_eq!(held.metadata.uid, new.metadata.uid);
            let text = match old {
                Some(old) if Arc::ptr_eq(old, new) => format!("~{}", new.metadata.name),
                Some(old) => format!("{}→{}", show(old), new.metadata.resource_version),
                None => format!("+{}", show(new)),
            };
            (text, *trace)
        }
        Delta::Deleted { old, trace } => {
            let held = cache.get(&ObjectKey::of(&old.metadata));
            assert!(
                held.is_none_or(|held| held.metadata.uid != old.metadata.uid),
                "the cache still holds it"
            );
            (format!("-{}", show(old)), *trace)
        }
        Delta::Synced => ("synced".into(), None),
    }
}

#[tokio::test(start_paused = true)]
async fn lists_then_follows_changes_in_order() {
    let mut fixture = Fixture::new(WatchScope::default());
    assert!(!fixture.cache.is_synced());
    fixture.lists(&[pod("a", "1", 3), pod("b", "2", 4)], 7).await;
    let events = fixture.watches(7).await;
    fixture.cache.synced().await;
    events.pod(WatchEventType::Added, &pod("c", "3", 8)).await;
    events.pod(WatchEventType::Modified, &pod("a", "1", 9)).await;
    events.pod(WatchEventType::Modified, &pod("a", "1", 9)).await;
    events.pod(WatchEventType::Deleted, &pod("b", "2", 10)).await;
    events.pod(WatchEventType::Deleted, &pod("unknown", "9", 11)).await;
    events.pod(WatchEventType::Added, &pod("b", "4", 12)).await;
    for expected in ["+a@3", "+b@4", "synced", "+c@8", "a@3→9", "-b@10", "+b@12"] {
        assert_eq!(fixture.next().await, expected);
    }
    let names: Vec<_> = fixture.cache.list().iter().map(|pod| pod.metadata.name.clone()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn the_scope_is_asked_for() {
    let scope = WatchScope {
        namespace: "prod".into(),
        label_selector: "app=web".into(),
        field_selector: "spec.nodeName=n1".into(),
        resync: None,
    };
    let mut fixture = Fixture::new(scope);
    let call = fixture.server.expect("List").await;
    let list: ListRequest = call.request();
    assert_eq!(
        (&*list.namespace, &*list.label_selector, &*list.field_selector),
        ("prod", "app=web", "spec.nodeName=n1")
    );
    call.answer(&page(&[], 1, ""));
    let watch: WatchRequest = fixture.server.expect("Watch").await.request();
    assert_eq!(
        (watch.namespace, watch.label_selector, watch.field_selector),
        (list.namespace, list.label_selector, list.field_selector)
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_watch_lists_again_and_tells_only_what_differs() {
    let mut fixture = Fixture::new(WatchScope::default());
    fixture
        .lists(&[pod("same", "1", 1), pod("changed", "2", 2), pod("gone", "3", 3), pod("anew", "4", 4)], 5)
        .await;
    fixture.server.expect("Watch").await.fail(ApiError::expired("too old resource version: 5 (90)"));
    for expected in ["+anew@4", "+changed@2", "+gone@3", "+same@1", "synced"] {
        assert_eq!(fixture.next().await, expected);
    }
    fixture
        .lists(&[pod("same", "1", 1), pod("changed", "2", 91), pod("anew", "5", 92), pod("new", "6", 93)], 95)
        .await;
    fixture.watches(95).await.fail(crate::status::to_grpc(ApiError::expired("slow reader"))).await;
    for expected in ["-gone@3", "-anew@4", "+anew@92", "changed@2→91", "+new@93"] {
        assert_eq!(fixture.next().await, expected);
    }
    fixture.lists(&[pod("same", "1", 1)], 99).await;
    let _events = fixture.watches(99).await;
    for expected in ["-anew@92", "-changed@91", "-new@93"] {
        assert_eq!(fixture.next().await, expected, "and no second `synced`");
    }
    assert!(fixture.told.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_resumes_from_the_last_revision() {
    let mut fixture = Fixture::new(WatchScope::default());
    fixture.lists(&[pod("a", "1", 3)], 7).await;
    let events = fixture.watches(7).await;
    events.pod(WatchEventType::Modified, &pod("a", "1", 8)).await;
    events.fail(Status::unavailable("connection reset")).await;
    fixture.watches(8).await.fail(Status::internal("broken pipe")).await;
    drop(fixture.watches(8).await);
    fixture.server.expect("Watch").await.fail(ApiError::unauthorized(""));
    let events = fixture.watches(8).await;
    events.pod(WatchEventType::Modified, &pod("a", "1", 9)).await;
    for expected in ["+a@3", "synced", "a@3→8", "a@8→9"] {
        assert_eq!(fixture.next().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bookmark_moves_the_place_to_resume_from() {
    let mut fixture = Fixture::new(WatchScope::default());
    fixture.lists(&[pod("a", "1", 3)], 7).await;
    let events = fixture.watches(7).await;
    let bookmark =
        RawWatchEvent { r#type: WatchEventType::Bookmark.into(), revision: 50, ..Default::default() };
    events.send(&bookmark).await;
    drop(events);
    let _events = fixture.watches(50).await;
    assert_eq!([fixture.next().await, fixture.next().await], ["+a@3", "synced"]);
    assert!(fixture.told.is_empty(), "a bookmark is not told");
}

#[tokio::test(start_paused = true)]
async fn failures_are_spaced_out_more_and_more_until_something_is_heard() {
    let mut fixture = Fixture::new(WatchScope::default());
    let mut gaps = Vec::new();
    let mut last = tokio::time::Instant::now();
    for _ in 0..14 {
        let call = fixture.server.expect("List").await;
        gaps.push(last.elapsed());
        last = tokio::time::Instant::now();
        call.fail(ApiError::service_unavailable("starting"));
    }
    assert!(gaps[1] <= Duration::from_millis(101), "{gaps:?}");
    assert!(gaps[13] >= Duration::from_secs(15) && gaps[13] <= Duration::from_millis(30_001), "{gaps:?}");
    fixture.lists(&[], 7).await;
    let events = fixture.watches(7).await;
    events.pod(WatchEventType::Added, &pod("a", "1", 8)).await;
    assert_eq!([fixture.next().await, fixture.next().await], ["synced", "+a@8"]);
    let last = tokio::time::Instant::now();
    drop(events);
    let events = fixture.watches(8).await;
    assert!(last.elapsed() <= Duration::from_millis(101), "heard of the server: starts over");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let last = tokio::time::Instant::now();
    drop(events);
    let _events = fixture.watches(8).await;
    assert!(last.elapsed() <= Duration::from_millis(101), "a quiet hour was no failure");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_is_left_alone() {
    let mut fixture = Fixture::new(WatchScope::default());
    fixture.lists(&[pod("a", "1", 3)], 7).await;
    let events = fixture.watches(7).await;
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert!(fixture.server.is_idle());
    events.pod(WatchEventType::Modified, &pod("a", "1", 8)).await;
    for expected in ["+a@3", "synced", "a@3→8"] {
        assert_eq!(fixture.next().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_resync_hands_everything_over_again() {
    let resync = Some(Duration::from_secs(600));
    let mut fixture = Fixture::new(WatchScope { resync, ..Default::default() });
    fixture.lists(&[pod("a", "1", 3), pod("b", "2", 4)], 7).await;
    let _events = fixture.watches(7).await;
    let start = tokio::time::Instant::now();
    for expected in ["+a@3", "+b@4", "synced", "~a", "~b"] {
        assert_eq!(fixture.next().await, expected);
    }
    let after = start.elapsed().as_secs();
    assert!((599..=661).contains(&after), "{after}");
    assert_eq!(fixture.next().await, "~a", "and again");
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_a_change_comes_with_it() {
    let mut fixture = Fixture::new(WatchScope::default());
    fixture.lists(&[], 7).await;
    let events = fixture.watches(7).await;
    let context = TraceContext::root();
    events
        .send(&RawWatchEvent {
            r#type: WatchEventType::Added.into(),
            object: keelson_proto::Message::encode_to_vec(&pod("a", "1", 8)).into(),
            revision: 8,
            trace_context: context.to_bytes().to_vec().into(),
            ..Default::default()
        })
        .await;
    assert_eq!(fixture.next().await, "synced");
    assert_eq!(fixture.told.recv().await.unwrap(), ("+a@8".to_owned(), Some(context.into())));
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_what_was_there_before_is_late() {
    let mut fixture = Fixture::new(WatchScope::default());
    let (first, third) = (TraceContext::root(), TraceContext::root());
    let list = page(&[pod("a", "1", 3), pod("b", "2", 4), pod("c", "3", 5), pod("d", "4", 6)], 7, "");
    let traces = [first.to_bytes().to_vec(), Vec::new(), third.to_bytes().to_vec()];
    let list = RawList { trace_contexts: traces.map(Into::into).into(), ..list };
    fixture.server.expect("List").await.answer(&list);
    let late = |context: TraceContext| Some(Cause::from(context).late());
    for expected in [("+a@3", late(first)), ("+b@4", None), ("+c@5", late(third)), ("+d@6", None)] {
        let (text, trace) = fixture.told.recv().await.unwrap();
        assert_eq!((text.as_str(), trace), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_index_follows_the_objects() {
    let on = |name: &str, uid: &str, revision, node: &str| {
        let mut pod = pod(name, uid, revision);
        pod.spec.node_name = node.into();
        pod
    };
    let names = |cache: &Cache<Pod>, node: &str| -> Vec<String> {
        cache.by_index(node).iter().map(|pod| pod.metadata.name.clone()).collect()
    };
    let mut fixture = Fixture::new(WatchScope::default());
    fixture.lists(&[on("a", "1", 1, "n1"), on("b", "2", 2, "n1"), on("c", "3", 3, "")], 3).await;
    let events = fixture.watches(3).await;
    fixture.cache.synced().await;
    assert_eq!(
        (names(&fixture.cache, "n1"), names(&fixture.cache, "")),
        (vec!["a".into(), "b".into()], vec!["c".into()])
    );
    events.pod(WatchEventType::Modified, &on("c", "3", 4, "n1")).await;
    events.pod(WatchEventType::Modified, &on("a", "1", 5, "n1")).await;
    events.pod(WatchEventType::Deleted, &on("b", "2", 6, "n1")).await;
    for expected in ["+a@1", "+b@2", "+c@3", "synced", "c@3→4", "a@1→5", "-b@6"] {
        assert_eq!(fixture.next().await, expected);
    }
    assert_eq!(names(&fixture.cache, "n1"), ["a", "c"]);
    assert!(names(&fixture.cache, "").is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_its_tasks_drain() {
    let mut fixture = Fixture::new(WatchScope::default());
    fixture.lists(&[], 7).await;
    let _events = fixture.watches(7).await;
    fixture.tasks.join(Duration::from_secs(1)).await.unwrap();
    assert_eq!(fixture.next().await, "synced");
    assert!(fixture.told.recv().await.is_none(), "the handler is gone");
}

#[test]
fn a_namespace_is_a_range_of_the_cache() {
    let at = |namespace: &str, name: &str| {
        let mut pod = pod(name, name, 1);
        pod.metadata.namespace = namespace.into();
        pod
    };
    let cache: Cache<Pod> =
        [at("b", "1"), at("a", "1"), at("b", "2"), at("bb", "1"), at("", "x")].into_iter().collect();
    let names = |namespace| {
        cache.namespace(namespace).iter().map(|pod| pod.metadata.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("b"), ["1", "2"]);
    assert_eq!((names(""), names("c")), (vec!["x".to_owned()], vec![]));
    assert_eq!((cache.len(), cache.is_synced()), (5, true));
}

#[tokio::test(start_paused = true)]
async fn a_refreshed_cache_holds_what_was_written_before_though_its_watch_lags() {
    let mut informer = Fixture::new(WatchScope::default());
    informer.lists(&[pod("a", "1", 5)], 5).await;
    let _silent = informer.watches(5).await;
    assert_eq!((informer.next().await, informer.next().await), ("+a@5".into(), "synced".into()));
    let refreshed = tokio::spawn(informer.cache.refresh());
    informer.lists(&[pod("a", "1", 5), pod("b", "2", 6)], 7).await;
    refreshed.await.unwrap();
    assert_eq!((informer.next().await, informer.cache.len()), ("+b@6".into(), 2));
    let _watch = informer.watches(7).await;
}
