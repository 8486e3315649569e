//! What the loss of members of an etcd cluster does to us, and what it must not do.

#[cfg(test)]
mod members {
    use futures::StreamExt;
    use keelson_api_store::testing::EtcdCluster;
    use keelson_api_store::{
        Batch, Commit, CommitOutcome, Error, Etcd, EtcdConfig, Expect, RangeRequest, Revision, Store,
        WatchStream,
    };
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    /// What a client has written down of its own writes.
    #[derive(Default)]
    struct Journal {
        acknowledged: BTreeMap<String, Revision>,
        unknown: Vec<String>,
        refused: usize,
    }

    async fn connect(endpoints: Vec<String>, timeout: Duration) -> Etcd {
        let config = || EtcdConfig { timeout, ..EtcdConfig::new(endpoints.clone()) };
        for _ in 0..100 {
            if Etcd::connect(config()).await.is_ok() {
                // Anew, so that it is the first member that is asked.
                return Etcd::connect(config()).await.unwrap();
            }
            // The members have no sign of having elected but that they answer.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("etcd does not come up");
    }

    async fn next(watch: &mut WatchStream, within: Duration) -> Batch {
        let next = tokio::time::timeout(within, watch.next()).await;
        next.expect("the watch delivers in time").expect("the watch goes on").unwrap()
    }

    impl Journal {
        /// Creates a key that was not there.
        async fn create(&mut self, store: &Etcd, key: &str) {
            match store.commit(Commit::put_if(key, "value", Expect::Absent)).await {
                Ok(CommitOutcome::Committed { revision }) => {
                    assert!(self.acknowledged.insert(key.to_owned(), revision).is_none());
                }
                Ok(CommitOutcome::Conflict { .. }) => panic!("{key} was created twice"),
                Err(Error::Unknown(_)) => self.unknown.push(key.to_owned()),
                Err(Error::Unavailable(_)) => self.refused += 1,
                Err(error) => panic!("{error}"),
            }
        }

        /// All that was acknowledged is there, as it was acknowledged, and nothing that was never asked for. The watch
        /// tells of each revision once, in order.
        async fn check(&self, store: &Etcd, mut watch: WatchStream) {
            let list = store.range(RangeRequest::all("/registry/")).await.unwrap();
            let there: BTreeMap<&str, Revision> =
                list.items.iter().map(|item| (&*item.key, item.mod_revision)).collect();
            for (key, revision) in &self.acknowledged {
                assert_eq!(there.get(key.as_str()), Some(revision), "{key} was acknowledged");
            }
            for key in there.keys() {
                let ours = self.acknowledged.contains_key(*key) || self.unknown.iter().any(|one| one == key);
                assert!(ours, "nobody wrote {key}");
            }
            let mut seen = 1;
            while seen < list.revision {
                let batch = next(&mut watch, Duration::from_secs(20)).await;
                assert_eq!(batch.revision, seen + 1, "in order, once, without a gap");
                seen = batch.revision;
                for change in batch.changes.iter() {
                    assert_eq!(there.get(&*change.key), Some(&seen), "{}", change.key);
                }
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn members_that_are_killed_one_after_the_other_cost_nothing_that_was_acknowledged() {
        let mut cluster = EtcdCluster::start();
        let store = connect(cluster.endpoints(), Duration::from_secs(10)).await;
        let watch = store.watch(1).await.unwrap();
        let mut journal = Journal::default();
        for n in 0..300 {
            match n {
                50 => cluster.kill(0),
                100 => cluster.restart(0),
                150 => cluster.kill(1),
                200 => cluster.restart(1),
                250 => cluster.kill(2),
                _ => {}
            }
            journal.create(&store, &format!("/registry/{n:03}")).await;
        }
        // One write is under way at a time, so a kill leaves one in doubt, and so may an election. What is certain not
        // to have happened is tried on another member, unless the election takes long.
        assert!(journal.acknowledged.len() >= 280, "{:?}, {} refused", journal.unknown, journal.refused);
        journal.check(&store, watch).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_member_that_is_stopped_is_noticed_by_a_watch_alone() {
        let cluster = EtcdCluster::start();
        let store = connect(cluster.endpoints(), Duration::from_secs(30)).await;
        let mut watch = store.watch(1).await.unwrap();
        let other = connect(cluster.endpoints()[1..].to_vec(), Duration::from_secs(10)).await;
        let mut journal = Journal::default();
        journal.create(&other, "/registry/before").await;
        assert_eq!(next(&mut watch, Duration::from_secs(5)).await.changes.len(), 1);
        // The first store asks the first member, and its watch hangs on it.
        cluster.pause(0);
        let paused = Instant::now();
        while journal.acknowledged.len() < 2 {
            journal
                .create(&other, &format!("/registry/after-{}", journal.unknown.len() + journal.refused))
                .await;
        }
        while next(&mut watch, Duration::from_secs(15)).await.changes.is_empty() {}
        assert!(paused.elapsed() < Duration::from_secs(15), "{:?}", paused.elapsed());
        cluster.resume(0);
        let all = store.watch(1).await.unwrap();
        journal.check(&store, all).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_write_to_a_member_that_is_stopped_is_in_doubt_and_the_next_is_not() {
        let cluster = EtcdCluster::start();
        let store = connect(cluster.endpoints(), Duration::from_secs(6)).await;
        let watch = store.watch(1).await.unwrap();
        let mut journal = Journal::default();
        journal.create(&store, "/registry/before").await;
        cluster.pause(0);
        journal.create(&store, "/registry/in-doubt").await;
        assert_eq!(journal.unknown, ["/registry/in-doubt"], "and not tried again");
        let begun = Instant::now();
        journal.create(&store, "/registry/after").await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert_eq!(journal.acknowledged.len(), 2);
        cluster.resume(0);
        journal.create(&store, "/registry/last").await;
        // The member may now do what it was asked before it was stopped.
        tokio::time::sleep(Duration::from_secs(1)).await;
        journal.check(&store, watch).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn without_a_majority_nothing_is_acknowledged_and_all_goes_on_when_it_is_back() {
        let mut cluster = EtcdCluster::start();
        let store = connect(cluster.endpoints(), Duration::from_secs(4)).await;
        let watch = store.watch(1).await.unwrap();
        let mut journal = Journal::default();
        journal.create(&store, "/registry/before").await;
        cluster.kill(0);
        cluster.kill(1);
        for n in 0..3 {
            journal.create(&store, &format!("/registry/without-{n}")).await;
        }
        assert_eq!(journal.acknowledged.len(), 1, "{:?}", journal.acknowledged);
        let error = store.head().await.unwrap_err();
        assert!(matches!(&error, Error::Unavailable(why) if why.contains("etcd")), "{error}");
        assert!(error.is_retryable());
        cluster.restart(0);
        for n in 0..100 {
            journal.create(&store, &format!("/registry/again-{n}")).await;
            if journal.acknowledged.len() > 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(journal.acknowledged.len(), 2, "a majority is back");
        journal.check(&store, watch).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn members_that_are_all_down_are_told_of_at_once() {
        let mut cluster = EtcdCluster::start();
        (0..3).for_each(|index| cluster.kill(index));
        let begun = Instant::now();
        let error = Etcd::connect(EtcdConfig::new(cluster.endpoints())).await.unwrap_err();
        assert!(matches!(&error, Error::Unavailable(why) if why.contains("etcd")), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
