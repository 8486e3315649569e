use std::future::pending;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::*;
use crate::trace::{self, SpanRecord, SpanSink};

async fn boom(number: u8) {
    panic!("boom {number}");
}

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn drained_tasks_may_finish_their_work() {
    let tasks = Tasks::new();
    let drain = tasks.drain();
    let (done_tx, done_rx) = oneshot::channel();
    tasks.spawn_critical("worker", async move {
        drain.signaled().await;
        sleep(GRACE / 2).await;
        done_tx.send("finished").unwrap();
    });
    assert!(!tasks.drain().is_signaled());
    tasks.join(GRACE).await.unwrap();
    assert_eq!(done_rx.await.unwrap(), "finished");
    assert!(tasks.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn tasks_that_ignore_the_drain_are_aborted_after_the_grace() {
    let tasks = Tasks::new();
    tasks.spawn("deaf", pending::<()>());
    tasks.child("kubelet").spawn("stats", pending::<()>());
    let begin = Instant::now();
    let error = tasks.join(GRACE).await.unwrap_err();
    assert_eq!(begin.elapsed(), GRACE);
    assert_eq!(error.to_string(), "tasks did not finish within 10s and were aborted: deaf, kubelet/stats");
    assert!(tasks.running().is_empty(), "their futures are dropped");
}

#[tokio::test(start_paused = true)]
async fn only_critical_tasks_end_the_process() {
    #[derive(Debug, thiserror::Error)]
    #[error("watch lost")]
    struct Lost(#[source] std::fmt::Error);

    type Case = (&'static str, fn(&Tasks), Option<&'static str>);
    let table: &[Case] = &[
        ("end", |tasks| drop(tasks.spawn("t", async {})), None),
        ("error", |tasks| drop(tasks.spawn("t", async { Err::<(), _>(Lost(std::fmt::Error)) })), None),
        ("panic", |tasks| drop(tasks.spawn("t", boom(0))), None),
        (
            "critical end",
            |tasks| tasks.spawn_critical("t", async {}),
            Some("task \"api/t\" ended unexpectedly"),
        ),
        (
            "critical error",
            |tasks| tasks.spawn_critical("t", async { Err::<(), _>(Lost(std::fmt::Error)) }),
            Some("task \"api/t\" failed: watch lost: an error occurred when formatting an argument"),
        ),
        (
            "critical panic",
            |tasks| tasks.spawn_critical("t", boom(1)),
            Some("task \"api/t\" panicked: boom 1"),
        ),
    ];
    for (name, spawn, expected) in table {
        let root = Tasks::new();
        spawn(&root.child("api"));
        let failed = tokio::time::timeout(GRACE, root.failed()).await.ok();
        assert_eq!(failed.map(|failure| failure.to_string()).as_deref(), *expected, "{name}");
        assert_eq!(root.drain().is_signaled(), expected.is_some(), "{name}: drains the whole process");
        let joined = root.join(GRACE).await.err().map(|error| error.to_string());
        assert_eq!(joined.as_deref(), *expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn critical_tasks_may_end_while_draining_but_not_panic() {
    let tasks = Tasks::new();
    let drain = tasks.drain();
    tasks.spawn_critical("good", async move { drain.signaled().await });
    tasks.join(GRACE).await.unwrap();

    let tasks = Tasks::new();
    let drain = tasks.drain();
    tasks.spawn_critical("bad", async move {
        drain.signaled().await;
        boom(2).await;
    });
    assert!(matches!(
        tasks.join(GRACE).await,
        Err(TaskError::Failed(TaskFailure { cause: Cause::Panicked(_), .. }))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_child_drains_alone_and_with_its_parent() {
    let root = Tasks::new();
    let (left, right) = (root.child("left"), root.child("right"));
    for part in [&left, &right] {
        let drain = part.drain();
        part.spawn("t", async move { drain.signaled().await });
    }
    left.join(GRACE).await.unwrap();
    assert!(!root.drain().is_signaled() && !right.drain().is_signaled());
    assert_eq!(root.running(), ["right/t"]);
    root.join(GRACE).await.unwrap();
    assert!(right.drain().is_signaled() && root.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_abort_handle_ends_one_task() {
    let tasks = Tasks::new();
    let handle = tasks.spawn("one", pending::<()>());
    tasks.spawn("two", pending::<()>());
    tokio::task::yield_now().await;
    handle.abort();
    tokio::task::yield_now().await;
    assert_eq!(tasks.running(), ["two"]);
}

#[tokio::test]
async fn tasks_inherit_the_tracer_but_no_context() {
    struct Nowhere;
    impl SpanSink for Nowhere {
        fn record(&self, _: SpanRecord) {}
    }
    let tracer = Tracer::new(Arc::new(Nowhere));
    let tasks = Tasks::with_tracer(tracer.clone());
    let (tx, rx) = oneshot::channel();
    let service = tasks.child("service");
    tracer
        .root("request")
        .instrument(async {
            assert!(trace::current().is_some());
            service.spawn("t", async move { tx.send((trace::tracer().is_on(), trace::current())).unwrap() });
        })
        .await;
    assert_eq!(rx.await.unwrap(), (true, None));

    let (tx, rx) = oneshot::channel();
    service.traced(Tracer::off()).spawn("t", async move { tx.send(trace::tracer().is_on()).unwrap() });
    assert!(!rx.await.unwrap(), "the same tasks, traced by somebody else");
    assert!(service.tracer().is_on());
    tasks.join(Duration::from_secs(1)).await.unwrap();
}
