//! The loss of any one part, under a steady load of creates, scales and deletes, on real processes and real etcd.
//!
//! The clients keep a journal of what was acknowledged. Two watchers, each through one api only, follow all pods from
//! before the first to after the last. In the end no acknowledged write is lost, no watcher missed, repeated or
//! reordered a change, no pod was bound twice, and everything runs.

mod history;
mod journal;
mod load;
mod partition;
mod slow;
mod watcher;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keelson_base_client::{Channel, Client, Endpoints, ListParams};
use keelson_base_daemon::tls::Identity;
use keelson_proto::core::Pod;
use keelson_tests::{Stack, StackConfig, Target};
use tokio::time::{Instant, sleep};

use self::load::{CONTROLLER, Load, NAMESPACE, OURS};
use self::watcher::Watcher;

/// How long a part that was killed stays away: long enough for clients to notice.
const AWAY: Duration = Duration::from_millis(700);

/// How long a member of etcd is paused: longer than its elections take.
const PAUSED: Duration = Duration::from_secs(3);

/// How long the load goes on after each disturbance.
const BETWEEN: Duration = Duration::from_millis(500);

/// How long everything may take to settle when the load has ended.
const SETTLES: Duration = Duration::from_secs(60);

/// How often every part is lost.
const ROUNDS: usize = 2;

/// A stack that has two of everything, its load and its watchers.
struct Trial {
    stack: Stack,
    target: Arc<Target>,
    load: Load,
    watchers: Vec<Watcher>,
    apis: Vec<Client>,
}

// === impl Trial ===

impl Trial {
    async fn start(etcd: usize) -> Self {
        Self::start_with(StackConfig { etcd, ..StackConfig::default() }).await
    }

    /// The same on an etcd as this says.
    async fn start_with(config: StackConfig) -> Self {
        let short = [
            "--leader-elect-lease-duration=3s",
            "--leader-elect-renew-deadline=2s",
            "--leader-elect-retry-period=500ms",
        ];
        let short: Vec<String> = short.map(str::to_owned).to_vec();
        let config = StackConfig {
            apis: 2,
            gateways: 1,
            schedulers: 2,
            replications: 2,
            nodes: 2,
            scheduler_flags: short.clone(),
            replication_flags: short,
            ..config
        };
        let mut stack = tokio::task::block_in_place(|| Stack::start(config));
        let pki = stack.dir().join("pki");
        let target = Arc::new(Target::new(&pki.join("kubeconfig"), None, Vec::new()));
        let addresses: Vec<String> =
            ["api-1", "api-2"].map(|name| stack.part(name).address().to_string()).to_vec();
        let apis: Vec<Client> = addresses.iter().map(|one| client(&pki, vec![one.clone()])).collect();
        let all = client(&pki, addresses);
        let before = all.api::<Pod>().list(&ListParams::default()).await.expect("pods are listed");
        assert_eq!(before.items, []);
        let revision = before.metadata.resource_version.parse().expect("a revision");
        let watchers = apis.iter().map(|api| Watcher::start(api.api(), revision)).collect();
        let load = Load::start(&all, &target).await;
        Self { stack, target, load, watchers, apis }
    }

    /// Kills a part, and starts it again after a while.
    async fn kill(&mut self, name: &str) {
        self.stack.part(name).kill();
        sleep(AWAY).await;
        let part = self.stack.part(name);
        tokio::task::block_in_place(|| {
            part.start();
            part.wait_ready();
        });
        sleep(BETWEEN).await;
    }

    /// Stops a part from doing anything for a while, its connections open.
    async fn pause(&mut self, name: &str, pause: Duration) {
        self.stack.part(name).pause();
        sleep(pause).await;
        self.stack.part(name).resume();
        tokio::task::block_in_place(|| self.stack.part(name).wait_ready());
        sleep(BETWEEN).await;
    }

    /// Ends the load, waits until everything has settled, and looks at what was lost.
    async fn judge(self) {
        let Self { stack, target, load, watchers, apis } = self;
        let journal = load.stop().await;
        let (created, deleted, unknown) = journal.counts();
        println!(
            "{created} creations and {deleted} deletions were acknowledged, {unknown} writes got no answer"
        );
        assert!(created > 25 && deleted > 10, "there was no steady load");
        let replicas = journal.replicas;
        let (left, revision) = settled(&apis[0], replicas).await;
        // Bookmarks are seldom: by one more change a watcher knows that it has seen all those before.
        let end = apis[0].api::<Pod>().namespaced(NAMESPACE).create(&load::pod("the-end")).await;
        end.expect("a pod is created when all has settled");
        let mut histories = Vec::new();
        for watcher in &watchers {
            let (history, begun) = watcher.up_to(revision).await;
            println!("a watcher saw {} changes and began {begun} times", history.len());
            assert_eq!(history::faults(&history), [""; 0]);
            assert_eq!(history::survivors(&history), left);
            assert_eq!(journal.lost(&left, &history, |name| name.starts_with(OURS)), [""; 0]);
            histories.push(history);
        }
        assert_eq!(history::difference(&histories[0], &histories[1]), None);
        for (api, name) in apis.iter().zip(["api-1", "api-2"]) {
            let (there, _) = settled(api, replicas).await;
            assert_eq!(journal.differences(&left, &there, OURS), [""; 0], "{name} shows what the other does");
        }
        drop((stack, target));
    }
}

fn client(pki: &std::path::Path, addresses: Vec<String>) -> Client {
    let file = |name: &str| pki.join(name);
    let identity = Identity::from_files(&file("admin.crt"), &file("admin.key"), Some(&file("ca.crt")));
    let identity = identity.expect("the administrator's certificate").into();
    let endpoints =
        Endpoints { addresses, identity: Some(identity), server_name: Some("keelson-api".to_owned()) };
    let channel = || Channel::connect(&endpoints).expect("a channel");
    Client::new(channel()).with_watch_channel(channel())
}

/// All pods and the revision of the list.
async fn pods(api: &Client) -> Result<(Vec<Pod>, u64), String> {
    let list = api.api::<Pod>().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    let revision = list.metadata.resource_version.parse().map_err(|_| "no revision".to_owned())?;
    Ok((list.items, revision))
}

fn names(pods: &[Pod]) -> BTreeMap<String, String> {
    pods.iter().map(|pod| (pod.metadata.name.clone(), pod.metadata.uid.clone())).collect()
}

/// Waits until all pods run on a node, none is being deleted, and the controller has the pods that it was last asked
/// for; answers with the pods that are there, and as of when.
async fn settled(api: &Client, replicas: Option<i32>) -> (BTreeMap<String, String>, u64) {
    let end = Instant::now() + SETTLES;
    loop {
        let unsettled = match pods(api).await {
            Ok((pods, revision)) => match unsettled(&pods, replicas) {
                None => return (names(&pods), revision),
                Some(why) => why,
            },
            Err(error) => error,
        };
        assert!(Instant::now() < end, "still not settled: {unsettled}");
        sleep(Duration::from_millis(100)).await;
    }
}

fn unsettled(pods: &[Pod], replicas: Option<i32>) -> Option<String> {
    for pod in pods {
        let (name, phase) = (&pod.metadata.name, &pod.status.phase);
        if pod.metadata.deletion_timestamp.is_some() {
            return Some(format!("{name} is still being deleted"));
        }
        if phase != "Running" || pod.spec.node_name.is_empty() {
            return Some(format!("{name} on {:?} is {phase}", pod.spec.node_name));
        }
    }
    let controlled = |pod: &&Pod| {
        pod.metadata.namespace == NAMESPACE
            && pod.metadata.labels.get("app").is_some_and(|app| app == CONTROLLER)
    };
    let have = pods.iter().filter(controlled).count();
    replicas
        .filter(|want| usize::try_from(*want) != Ok(have))
        .map(|want| format!("{CONTROLLER} has {have} pods of {want}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_is_killed_in_turn() {
    let mut trial = Trial::start(1).await;
    sleep(BETWEEN).await;
    for _ in 0..ROUNDS {
        for name in trial.stack.services() {
            let before = trial.load.counts();
            trial.kill(&name).await;
            let after = trial.load.counts();
            assert!(after.0 > before.0, "nothing could be created around the loss of {name}");
        }
    }
    trial.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_is_paused_in_turn() {
    let mut trial = Trial::start(1).await;
    for name in trial.stack.services() {
        // Longer than a leader may be silent.
        let pause = if name.starts_with("scheduler") || name.starts_with("replication") { 4 } else { 1 };
        trial.pause(&name, Duration::from_secs(pause)).await;
    }
    trial.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_etcd_is_killed_and_paused_in_turn() {
    let mut trial = Trial::start(3).await;
    sleep(BETWEEN).await;
    for member in ["etcd-1", "etcd-2", "etcd-3"] {
        trial.kill(member).await;
        trial.pause(member, PAUSED).await;
    }
    trial.judge().await;
}
