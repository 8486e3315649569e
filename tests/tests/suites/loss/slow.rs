//! An etcd that gets to work for a fraction of the time only.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{BETWEEN, Trial};

/// How long it is slow.
const SLOW: Duration = Duration::from_secs(8);

/// What it may work, and must rest, in turns.
const WORKS: Duration = Duration::from_millis(40);
const RESTS: Duration = Duration::from_millis(160);

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_etcd_makes_all_slow_and_loses_nothing() {
    let mut trial = Trial::start(1).await;
    sleep(BETWEEN).await;
    let before = trial.load.counts();
    let end = Instant::now() + SLOW;
    while Instant::now() < end {
        trial.stack.part("etcd-1").pause();
        sleep(RESTS).await;
        trial.stack.part("etcd-1").resume();
        sleep(WORKS).await;
    }
    let after = trial.load.counts();
    println!("{} creations while etcd was slow", after.0 - before.0);
    assert!(after.0 > before.0 + 5, "slow is not away");
    assert_eq!(after.2, before.2, "every write gets an answer");
    sleep(2 * BETWEEN).await;
    trial.judge().await;
}
