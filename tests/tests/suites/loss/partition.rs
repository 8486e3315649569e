//! Members of etcd that nobody can reach for a while, though they and all connections to them live on.

use std::time::Duration;

use keelson_tests::{StackConfig, eventually};
use tokio::time::sleep;

use super::{BETWEEN, Trial};

const MEMBERS: [&str; 3] = ["etcd-1", "etcd-2", "etcd-3"];

/// How long a member is cut off: longer than a client waits for the answer to a write that went there.
const CUT: Duration = Duration::from_secs(12);

/// How long there is no majority.
const SPLIT: Duration = Duration::from_secs(4);

/// How long clients may take to go on then.
const RECOVERS: Duration = Duration::from_secs(8);

/// How long the members may take to agree on a leader.
const ELECTION: Duration = Duration::from_secs(20);

impl Trial {
    /// Cuts members off for a while.
    async fn cut(&mut self, members: &[&str], cut: Duration) {
        tokio::task::block_in_place(|| members.iter().for_each(|member| self.stack.cut(member)));
        sleep(cut).await;
        tokio::task::block_in_place(|| {
            for member in members {
                self.stack.heal(member);
            }
            for member in members {
                self.stack.part(member).wait_ready();
            }
        });
        sleep(BETWEEN).await;
    }

    /// The member that leads, as it says itself.
    fn etcd_leader(&mut self) -> &'static str {
        tokio::task::block_in_place(|| {
            eventually::within(ELECTION, || {
                let leads = |member: &&&str| {
                    let metrics = self.stack.part(member).get("/metrics");
                    metrics.is_some_and(|(_, text)| text.contains("\netcd_server_is_leader 1\n"))
                };
                let found = MEMBERS.iter().find(leads);
                found.copied().ok_or_else(|| "no member of etcd leads".to_owned())
            })
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_etcd_are_cut_off() {
    let config = StackConfig { etcd: 3, etcd_apart: true, ..StackConfig::default() };
    let mut trial = Trial::start_with(config).await;
    sleep(BETWEEN).await;
    // The one that leads, then one that follows, whichever apis are connected to.
    for leads in [true, false] {
        let leader = trial.etcd_leader();
        let member = MEMBERS.into_iter().find(|member| (*member == leader) == leads).unwrap();
        let before = trial.load.counts();
        trial.cut(&[member], CUT).await;
        let after = trial.load.counts();
        println!("{member} (leads: {leads}) was cut off: {} creations around that", after.0 - before.0);
        assert!(after.0 > before.0 + 5, "two of three members are enough");
    }
    // No majority: nothing can be written, and nothing is acknowledged that is not.
    let leader = trial.etcd_leader();
    let follower = MEMBERS.into_iter().find(|member| *member != leader).unwrap();
    trial.cut(&[leader, follower], SPLIT).await;
    let before = trial.load.counts();
    sleep(RECOVERS).await;
    assert!(trial.load.counts().0 > before.0, "a majority is enough again");
    trial.judge().await;
}
