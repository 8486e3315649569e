use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use keelson_proto::core::Pod;

use super::*;
use crate::testing::FakeApi;

/// Who began or ended a term, and after how many milliseconds.
type History = Arc<Mutex<Vec<(&'static str, &'static str, u64)>>>;

/// A place where candidates meet.
struct Stage {
    api: FakeApi,
    start: Instant,
    history: History,
}

/// A candidate, running.
struct Candidate {
    tasks: Tasks,
    client: Client,
    /// Set: api cannot be reached.
    cut: Arc<AtomicBool>,
    metrics: Metrics,
    office: Office,
}

impl Stage {
    fn new() -> Self {
        Self { api: FakeApi::default(), start: Instant::now(), history: History::default() }
    }

    fn candidate(&self, name: &'static str) -> Candidate {
        let (tasks, cut, metrics) = (Tasks::new(), Arc::new(AtomicBool::new(false)), Metrics::new());
        let client = self.api.client_unless(&cut);
        let election = Election::with_identity(&client, "x", name, Timing::DEFAULT, &metrics);
        let office = election.office();
        let (history, start, ours) = (self.history.clone(), self.start, tasks.clone());
        let note = move |what| {
            let after = u64::try_from(start.elapsed().as_millis()).unwrap();
            history.lock().unwrap().push((name, what, after));
        };
        tasks.spawn("election", async move {
            let act = |term: Term| {
                let note = note.clone();
                async move {
                    note("begins");
                    term.tasks().draining().await;
                    note("ends");
                }
            };
            election.run(&ours, act).await;
        });
        Candidate { tasks, client, cut, metrics, office }
    }

    async fn until(&self, seconds: u64) {
        sleep_until(self.start + Duration::from_secs(seconds)).await;
    }

    fn lease(&self) -> Lease {
        self.api.get(NAMESPACE, "x").unwrap()
    }

    fn history(&self) -> Vec<(&'static str, &'static str, u64)> {
        self.history.lock().unwrap().clone()
    }
}

impl Candidate {
    fn leads(&self) -> bool {
        let text = self.metrics.encode().unwrap();
        text.contains("leader_election_master_status{name=\"x\"} 1")
    }

    async fn stop(&self) {
        self.tasks.join(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_up_is_taken_at_once() {
    let stage = Stage::new();
    let a = stage.candidate("a");
    stage.until(1).await;
    let b = stage.candidate("b");
    stage.until(100).await;
    assert_eq!(stage.history(), [("a", "begins", 0)]);
    assert!(a.leads() && !b.leads());
    let lease = stage.lease();
    assert_eq!(lease.spec.holder_identity.as_deref(), Some("a"));
    assert_eq!((lease.spec.lease_duration_seconds, lease.spec.lease_transitions), (Some(15), Some(0)));
    let renewals = stage.api.count("Leases/Update");
    assert!((45..=50).contains(&renewals), "one in two seconds: {renewals}");

    a.stop().await;
    stage.until(101).await;
    assert_eq!(stage.history()[1..], [("a", "ends", 100_000), ("b", "begins", 100_000)]);
    assert!(b.leads() && !a.leads());
    assert_eq!(stage.lease().spec.lease_transitions, Some(1));
    b.stop().await;
    assert_eq!(stage.lease().spec.holder_identity.as_deref(), Some(""), "nobody holds it");
}

#[tokio::test(start_paused = true)]
async fn terms_do_not_overlap_when_the_leader_is_cut_off() {
    let stage = Stage::new();
    let a = stage.candidate("a");
    stage.until(1).await;
    let b = stage.candidate("b");
    stage.until(100).await;
    a.cut.store(true, Ordering::Relaxed);
    stage.until(200).await;
    let history = stage.history();
    let [_, ("a", "ends", ended), ("b", "begins", begun)] = history[..] else { panic!("{history:?}") };
    // The last renewal was up to two seconds before.
    assert!((108_000..=110_000).contains(&ended), "{history:?}");
    assert!((113_000..=115_000).contains(&begun), "{history:?}");
    assert!(b.leads() && !a.leads());

    a.cut.store(false, Ordering::Relaxed);
    stage.until(300).await;
    assert_eq!(stage.history().len(), 3, "it stands again, and waits");
    b.stop().await;
    stage.until(301).await;
    assert_eq!(stage.history()[3..], [("b", "ends", 300_000), ("a", "begins", 300_000)]);
    assert_eq!(stage.lease().spec.lease_transitions, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_stopped_writes_nothing_after_its_term() {
    let stage = Stage::new();
    let a = stage.candidate("a");
    stage.until(10).await;
    let pods = a.client.within(&a.office).api::<Pod>();
    let mut pod = Pod::default();
    pod.metadata.name = "web".into();
    pod.metadata.namespace = "default".into();
    pods.create(&pod).await.unwrap();
    // All of the process is stopped: nobody is polled until the time has passed.
    a.cut.store(true, Ordering::Relaxed);
    tokio::time::advance(Duration::from_secs(30)).await;
    a.cut.store(false, Ordering::Relaxed);
    pod.metadata.name = "late".into();
    let error = pods.create(&pod).await.unwrap_err();
    assert_eq!(
        error.message(),
        "not sent: the lease kube-system/x is not held, and somebody else may lead by now"
    );
    assert_eq!(stage.api.count("Pods/Create"), 1);
    assert!(pods.namespaced("default").get("web").await.is_ok(), "reads go on");
}

#[tokio::test(start_paused = true)]
async fn a_leader_outlives_short_failures_and_foreign_labels() {
    let stage = Stage::new();
    let a = stage.candidate("a");
    stage.until(10).await;
    for _ in 0..3 {
        stage.api.fail("Leases/Update", ApiError::service_unavailable("restarting"));
    }
    stage.until(30).await;
    let mut labelled = stage.lease();
    labelled.metadata.labels.insert("note".into(), "mine".into());
    stage.api.put(&labelled);
    stage.until(60).await;
    assert_eq!(stage.history(), [("a", "begins", 0)]);
    assert!(a.leads());
    assert_eq!(stage.lease().metadata.labels["note"], "mine");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_took_is_lost_at_once_and_waited_for() {
    let stage = Stage::new();
    let a = stage.candidate("a");
    stage.until(10).await;
    let mut taken = stage.lease();
    taken.spec.holder_identity = Some("the administrator".into());
    stage.api.put(&taken);
    stage.until(11).await;
    assert_eq!(stage.history()[1..], [("a", "ends", 10_000)]);
    assert!(!a.leads());
    stage.until(26).await;
    assert_eq!(stage.history()[2..], [("a", "begins", 25_000)], "who does not renew it loses it");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_given_up_though_a_renewal_came_first() {
    let stage = Stage::new();
    let a = stage.candidate("a");
    stage.until(10).await;
    stage.api.fail("Leases/Update", ApiError::conflict("leases", "x"));
    a.stop().await;
    assert_eq!(stage.lease().spec.holder_identity.as_deref(), Some(""));
}
