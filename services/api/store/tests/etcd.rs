//! What only etcd can do to us: it is somebody else's process, and others use it too.

#[cfg(test)]
mod etcd {
    use etcd_client::{Client, CompactionOptions};
    use futures::StreamExt;
    use keelson_api_store::testing::EtcdBackend;
    use keelson_api_store::{
        Batch, Commit, Error, Etcd, EtcdConfig, Op, RangeRequest, Revision, Store, WatchStream,
    };
    use std::net::TcpListener;
    use std::time::Duration;

    async fn put(store: &Etcd, key: &str) -> Result<Revision, Error> {
        store.commit(Commit { compares: Vec::new(), ops: vec![Op::put(key, "value")] }).await?;
        store.head().await
    }

    async fn next(watch: &mut WatchStream) -> Result<Batch, Error> {
        let next = tokio::time::timeout(Duration::from_secs(20), watch.next()).await;
        next.expect("the watch delivers in time").expect("the watch goes on")
    }

    /// Puts as soon as etcd answers again.
    async fn put_eventually(store: &Etcd, key: &str) -> Revision {
        for _ in 0..200 {
            match put(store, key).await {
                Ok(revision) => return revision,
                Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("etcd does not come back");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn watches_outlive_a_crash_of_etcd() {
        let mut backend = EtcdBackend::start();
        let store = backend.connect().await;
        let mut watch = store.watch(1).await.unwrap();
        put(&store, "/registry/before").await.unwrap();
        assert_eq!(next(&mut watch).await.unwrap().revision, 2);
        backend.process().kill();
        let error = store.head().await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        backend.process().restart();
        // The first try may have happened without our being told.
        let head = put_eventually(&store, "/registry/after").await;
        for expected in 3..=head {
            let batch = next(&mut watch).await.unwrap();
            assert_eq!((batch.revision, &*batch.changes[0].key), (expected, "/registry/after"));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn foreign_keys_are_not_ours_but_their_revisions_are_seen() {
        let backend = EtcdBackend::start();
        let store = backend.connect().await;
        let mut watch = store.watch(1).await.unwrap();
        let mut foreign = Client::connect(backend.config().endpoints, None).await.unwrap();
        foreign.put("/other/a", "1", None).await.unwrap();
        foreign.put(vec![0xff, 0xfe], "not UTF-8", None).await.unwrap();
        assert_eq!(put(&store, "/registry/a").await, Ok(4));
        let mut seen = Vec::new();
        for _ in 0..3 {
            let batch = next(&mut watch).await.unwrap();
            seen.push((batch.revision, batch.changes.len()));
        }
        assert_eq!(seen, [(2, 0), (3, 0), (4, 1)]);
        let list = store.range(RangeRequest::all("")).await.unwrap();
        assert_eq!((list.items.len(), list.revision), (1, 4));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn compaction_by_others_is_noticed() {
        let backend = EtcdBackend::start();
        let store = backend.connect().await;
        let mut slow = store.watch(1).await.unwrap();
        for n in 0..100 {
            put(&store, &format!("/registry/{n}")).await.unwrap();
        }
        let mut foreign = Client::connect(backend.config().endpoints, None).await.unwrap();
        foreign.compact(60, Some(CompactionOptions::new().with_physical())).await.unwrap();
        assert!(matches!(next(&mut slow).await, Err(Error::Compacted { requested: 1, .. })));
        assert!(matches!(store.watch(59).await.err(), Some(Error::Compacted { requested: 59, .. })));
        let mut watch = store.watch(60).await.unwrap();
        assert_eq!(next(&mut watch).await.unwrap().revision, 61);
        assert_eq!(store.compact(30).await, Ok(30), "nothing more to do");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_etcd_that_is_not_there_is_reported_in_time() {
        // Somebody listens, and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let config = EtcdConfig { timeout: Duration::from_millis(300), ..EtcdConfig::new([endpoint]) };
        let connecting = tokio::time::timeout(Duration::from_secs(5), Etcd::connect(config));
        let error = connecting.await.expect("it gives up in time").unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        let nonsense = Etcd::connect(EtcdConfig::new(["not an address"])).await.unwrap_err();
        assert!(matches!(nonsense, Error::Invalid(_)), "{nonsense}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_format_is_told_beside_the_keys_of_kubernetes_and_a_newer_one_is_refused() {
        let backend = EtcdBackend::start();
        let store = backend.connect().await;
        let mut foreign = Client::connect(backend.config().endpoints, None).await.unwrap();
        let format = |response: etcd_client::GetResponse| {
            response.kvs().first().map(|kv| (kv.value_str().unwrap().to_owned(), kv.mod_revision()))
        };
        assert_eq!(
            format(foreign.get("/keelson/format", None).await.unwrap()),
            None,
            "nothing is written yet"
        );
        let mut watch = store.watch(1).await.unwrap();
        let commit = Commit { compares: Vec::new(), ops: vec![Op::delete("/registry/none")] };
        store.commit(commit).await.unwrap();
        assert_eq!(store.head().await, Ok(1), "what changes nothing takes no revision");
        assert_eq!(put(&store, "/registry/a").await, Ok(2));
        let found = foreign.get("/keelson/format", None).await.unwrap();
        assert_eq!(format(found), Some(("1".to_owned(), 2)), "in the revision of the first commit");
        let batch = next(&mut watch).await.unwrap();
        assert_eq!((batch.revision, batch.changes.len()), (2, 1));
        assert_eq!(put(&backend.connect().await, "/registry/b").await, Ok(3), "it is written once");

        foreign.put("/keelson/format", "2", None).await.unwrap();
        let error = Etcd::connect(backend.config()).await.unwrap_err();
        assert_eq!(error, Error::NewerFormat { found: 2, supported: 1 });
        let sentence = "the data has format 2, newer than the 1 this program knows; use a newer keelson";
        assert_eq!(error.to_string(), sentence);
        foreign.put("/keelson/format", "new!", None).await.unwrap();
        assert!(matches!(Etcd::connect(backend.config()).await.unwrap_err(), Error::Corrupt(_)));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_etcd_without_room_refuses_writes_and_serves_reads() {
        let backend = EtcdBackend::start_with(&["--quota-backend-bytes", "4194304"]);
        let store = backend.connect().await;
        let mut watch = store.watch(1).await.unwrap();
        let mut stored = 0;
        let error = loop {
            let value = vec![b'x'; 500_000];
            let commit =
                Commit { compares: Vec::new(), ops: vec![Op::put(format!("/registry/{stored}"), value)] };
            match store.commit(commit).await {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
            assert!(stored < 100, "the quota is 4 MiB");
        };
        assert!(matches!(&error, Error::NoSpace(_)), "{error}");
        assert!(error.to_string().contains("etcdctl alarm disarm"), "it says what to do: {error}");
        assert!(!error.is_retryable());
        let list = store.range(RangeRequest::all("/registry/")).await.unwrap();
        assert_eq!(list.items.len(), stored, "all that was acknowledged, and nothing else");
        for revision in 2..=list.revision {
            assert_eq!(next(&mut watch).await.unwrap().revision, revision);
        }
        let removed =
            store.commit(Commit { compares: Vec::new(), ops: vec![Op::delete("/registry/0")] }).await;
        assert!(removed.is_ok(), "etcd lets us make room: {removed:?}");
    }
}
