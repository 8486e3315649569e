//! Two of us, of which one schedules.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keelson_base_client::leader::Timing;
use keelson_base_client::testing::FakeApi;
use keelson_base_daemon::admin::{Health, Metrics};
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::core::Pod;
use tokio::time::sleep;

use crate::testing::{mk_node, mk_pod};
use crate::{Config, Scheduler};

struct Candidate {
    tasks: Tasks,
    health: Health,
    metrics: Metrics,
    cut: Arc<AtomicBool>,
    _scheduler: Scheduler,
}

async fn candidate(api: &FakeApi) -> Candidate {
    let (tasks, metrics, cut) = (Tasks::new(), Metrics::new(), Arc::default());
    let health = Health::new(tasks.drain());
    let config = Config { leader_election: Some(Timing::DEFAULT), ..Config::default() };
    let scheduler = Scheduler::build(config, api.client_unless(&cut), &tasks, &health, &metrics).unwrap();
    health.ready().await;
    Candidate { tasks, health, metrics, cut, _scheduler: scheduler }
}

impl Candidate {
    fn shows(&self, line: &str) {
        let text = self.metrics.encode().unwrap();
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

fn node_of(api: &FakeApi, pod: &str) -> String {
    api.get::<Pod>("default", pod).unwrap().spec.node_name
}

#[tokio::test(start_paused = true)]
async fn one_binds_and_the_other_goes_on_where_it_ends() {
    let api = FakeApi::default();
    api.put(&*mk_node("n1").node());
    let first = candidate(&api).await;
    let second = candidate(&api).await;
    assert!(second.health.is_ready());
    api.put(&*mk_pod("a").pod());
    sleep(Duration::from_secs(1)).await;
    assert_eq!((node_of(&api, "a").as_str(), api.count("Pods/Bind")), ("n1", 1));
    first.shows("scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"} 1");
    first.shows("leader_election_master_status{name=\"keelson-scheduler\"} 1");
    first.shows("scheduler_cache_size{type=\"pods\"} 1.0");
    first.shows("rest_client_requests_total{code=\"200\",method=\"POST\"} 3");
    second.shows("scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"} 0");
    second.shows("leader_election_master_status{name=\"keelson-scheduler\"} 0");

    // The leader can neither bind nor renew; nobody takes the pod until its lease is over.
    first.cut.store(true, Ordering::Relaxed);
    api.put(&*mk_pod("b").pod());
    sleep(Duration::from_secs(8)).await;
    assert_eq!(node_of(&api, "b"), "");
    second.shows("scheduler_pending_pods{queue=\"active\"} 1.0");
    sleep(Duration::from_secs(10)).await;
    assert_eq!((node_of(&api, "b").as_str(), api.count("Pods/Bind")), ("n1", 2));
    first.cut.store(false, Ordering::Relaxed);
    first.tasks.join(Duration::from_secs(5)).await.unwrap();
    second.tasks.join(Duration::from_secs(5)).await.unwrap();
}
