//! Commits per second: this store's two backends next to what they stand on, in one run on one machine.
//!
//! `cargo run --release -p keelson-api-store --example store_bench` (etcd is left out where it is not installed)

use etcd_client::{Client, KvClient, PutOptions, Txn, TxnOp};
use futures::FutureExt;
use futures::future::BoxFuture;
use keelson_api_store::testing::EtcdBackend;
use keelson_api_store::{Commit, Embedded, EmbeddedConfig, Expect, FanoutConfig, Op, Store};
use redb::{Database, TableDefinition};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Put = Arc<dyn Fn(String) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

const RUN: Duration = Duration::from_secs(2);
const CLIENTS: [usize; 3] = [1, 16, 64];
/// About a pod.
const VALUE: [u8; 1024] = [7; 1024];

#[tokio::main]
async fn main() -> Result<(), Error> {
    let directory = tempfile::tempdir_in(".")?;
    println!("{:<28} {:>8} {:>12} {:>12}", "", "clients", "commits/s", "mean us");
    raw_redb(&directory.path().join("raw.redb"))?;

    let embedded = Arc::new(Embedded::open(EmbeddedConfig::new(directory.path().join("embedded")))?);
    measure("embedded store", &store_put(Arc::clone(&embedded) as _)).await?;
    embedded.close().await?;
    starts(&directory.path().join("starts")).await?;

    if std::process::Command::new("etcd").arg("--version").output().is_ok() {
        let raw = EtcdBackend::start();
        drop(raw.connect().await);
        measure("raw etcd transactions", &etcd_put(raw.config().endpoints).await?).await?;
        let backend = EtcdBackend::start();
        measure("store on etcd", &store_put(Arc::new(backend.connect().await))).await?;
    }
    Ok(())
}

/// One put per transaction and fsync, without anything around it.
fn raw_redb(path: &std::path::Path) -> Result<(), Error> {
    const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("table");
    let database = Database::builder().set_cache_size(8 << 20).create(path)?;
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < RUN {
        let txn = database.begin_write()?;
        txn.open_table(TABLE)?
            .insert(format!("/registry/pods/default/{count}").as_str(), VALUE.as_slice())?;
        txn.commit()?;
        count += 1;
    }
    report("raw redb, one put per fsync", 1, count, began.elapsed());
    Ok(())
}

/// A create: one put if the key is absent.
fn store_put(store: Arc<dyn Store>) -> Put {
    Arc::new(move |key| {
        let store = Arc::clone(&store);
        async move {
            store.commit(Commit::put_if(&key, &VALUE[..], Expect::Absent)).await?;
            Ok(())
        }
        .boxed()
    })
}

async fn etcd_put(endpoints: Vec<String>) -> Result<Put, Error> {
    let client: KvClient = Client::connect(endpoints, None).await?.kv_client();
    Ok(Arc::new(move |key: String| {
        let mut client = client.clone();
        async move {
            let compare = etcd_client::Compare::mod_revision(key.as_str(), etcd_client::CompareOp::Equal, 0);
            let put = TxnOp::put(key, VALUE, Some(PutOptions::new()));
            client.txn(Txn::new().when([compare]).and_then([put])).await?;
            Ok(())
        }
        .boxed()
    }))
}

async fn measure(name: &str, put: &Put) -> Result<(), Error> {
    for clients in CLIENTS {
        let count = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for client in 0..clients {
            let (put, count) = (Arc::clone(put), Arc::clone(&count));
            running.spawn(async move {
                let mut n = 0;
                while began.elapsed() < RUN {
                    put(format!("/registry/pods/default/{clients}-{client}-{n}")).await?;
                    count.fetch_add(1, Ordering::Relaxed);
                    n += 1;
                }
                Ok::<(), Error>(())
            });
        }
        running.join_all().await.into_iter().collect::<Result<(), Error>>()?;
        report(name, clients, count.load(Ordering::Relaxed), began.elapsed());
    }
    Ok(())
}

/// How long opening takes: after closing, and after a crash (a copy of the files while the store is open).
async fn starts(path: &std::path::Path) -> Result<(), Error> {
    let store = Embedded::open(EmbeddedConfig::new(path))?;
    for chunk in 0..200 {
        let ops = (0..100).map(|n| Op::put(format!("/registry/pods/{chunk}/{n}"), &VALUE[..])).collect();
        store.commit(Commit { compares: Vec::new(), ops }).await?;
    }
    let crashed = path.with_extension("crashed");
    std::fs::create_dir_all(&crashed)?;
    let size = std::fs::copy(path.join("store.redb"), crashed.join("store.redb"))?;
    store.close().await?;
    for (name, path) in [("after closing", path), ("after a crash", crashed.as_path())] {
        let config = EmbeddedConfig { fanout: FanoutConfig::default(), ..EmbeddedConfig::new(path) };
        let began = Instant::now();
        let store = Embedded::open(config)?;
        let took = began.elapsed();
        println!("open 20000 keys, {} MiB, {name}: {:.1} ms", size >> 20, took.as_secs_f64() * 1e3);
        store.close().await?;
    }
    Ok(())
}

fn report(name: &str, clients: usize, count: u64, took: Duration) {
    let per_second = count as f64 / took.as_secs_f64();
    println!("{name:<28} {clients:>8} {per_second:>12.0} {:>12.0}", clients as f64 / per_second * 1e6);
}
