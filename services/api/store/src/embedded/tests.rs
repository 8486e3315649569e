//! The embedded store's own promises: its directory, its format, its disk use.

use super::disk::META;
use super::*;
use crate::{Op, RangeRequest};
use redb::Database;

fn mk_config(directory: &tempfile::TempDir) -> EmbeddedConfig {
    EmbeddedConfig::new(directory.path().join("deep/store"))
}

async fn put(store: &Embedded, key: &str, value: &'static str) {
    store.commit(Commit { compares: Vec::new(), ops: vec![Op::put(key, value)] }).await.unwrap();
}

#[tokio::test]
async fn a_directory_is_open_once() {
    let directory = tempfile::tempdir().unwrap();
    let config = mk_config(&directory);
    let first = Embedded::open(config.clone()).unwrap();
    let second = Embedded::open(config.clone());
    assert_eq!(second.unwrap_err(), Error::InUse(config.path.clone()));
    put(&first, "/a", "the first goes on").await;
    first.close().await.unwrap();
    let third = Embedded::open(config).unwrap();
    assert_eq!(third.head().await, Ok(2));
    third.close().await.unwrap();
}

#[tokio::test]
async fn a_dropped_store_lets_go_of_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let config = mk_config(&directory);
    let store = Embedded::open(config.clone()).unwrap();
    put(&store, "/a", "1").await;
    drop(store);
    // The writer ends on its own time; it has nobody to tell.
    for _ in 0..500 {
        match Embedded::open(config.clone()) {
            Err(Error::InUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            Ok(store) => return assert_eq!(store.head().await, Ok(2)),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("still in use");
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = mk_config(&directory);
    Embedded::open(config.clone()).unwrap().close().await.unwrap();
    let database = Database::open(config.path.join("store.redb")).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(META).unwrap().insert("format", 7).unwrap();
    txn.commit().unwrap();
    drop(database);
    let error = Embedded::open(config).unwrap_err();
    assert_eq!(error, Error::NewerFormat { found: 7, supported: 1 });
}

#[tokio::test]
async fn an_unfinished_first_start_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = mk_config(&directory);
    std::fs::create_dir_all(&config.path).unwrap();
    std::fs::write(config.path.join("store.new"), b"half a databa").unwrap();
    let store = Embedded::open(config).unwrap();
    put(&store, "/a", "1").await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_is_not_a_store_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let config = mk_config(&directory);
    std::fs::create_dir_all(&config.path).unwrap();
    std::fs::write(config.path.join("store.redb"), vec![b'x'; 8192]).unwrap();
    let error = Embedded::open(config).unwrap_err();
    assert!(matches!(error, Error::Io { .. } | Error::Corrupt(_)), "{error:?}");
}

#[tokio::test]
async fn compaction_removes_what_nobody_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let config = mk_config(&directory);
    let store = Embedded::open(config.clone()).unwrap();
    for n in 0..500 {
        put(&store, &format!("/registry/{}", n % 10), "value").await;
        put(&store, "/registry/comes and goes", "value").await;
        let delete = Op::delete("/registry/comes and goes");
        store.commit(Commit { compares: Vec::new(), ops: vec![delete] }).await.unwrap();
    }
    let head = store.head().await.unwrap();
    assert_eq!(store.compact(head).await, Ok(head));
    // The writer sweeps when it has nothing else to do, and there is no event for having finished. What it has
    // removed shows in the view of the next commit.
    let mut later = 0;
    while store.shared.view().unwrap().rows() != (10 + later, 10 + later) {
        later += 1;
        assert!(later < 200, "{:?}", store.shared.view().unwrap().rows());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        put(&store, "/registry/0", "a new view").await;
    }
    let list = store.range(RangeRequest::all("/registry/")).await.unwrap();
    assert_eq!(list.items.len(), 10);
    store.close().await.unwrap();
}
