//! Power cuts: whatever of the unsynced writes reached the disk, every acknowledged commit is there, whole.

mod recorder;

use self::recorder::{Event, Recorder};
use super::disk::Disk;
use super::{Embedded, EmbeddedConfig};
use crate::fanout::FanoutConfig;
use crate::{Batch, Change, ChangeKind, Commit, CommitOutcome, KeyValue, Op, RangeRequest, Revision, Store};
use fastrand::Rng;
use futures::{FutureExt, StreamExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many syncs are followed by a power cut,
const CUTS: usize = 80;
/// and in how many ways each.
const WAYS: usize = 6;

const CALLERS: usize = 4;
const COMMITS: usize = 80;

/// The run that is cut off: what it did, and when it was said to be done.
struct Run {
    batches: Vec<Batch>,
    /// The newest acknowledged revision, by the number of events recorded by then.
    acknowledged: BTreeMap<usize, Revision>,
    events: Vec<Event>,
}

fn open(recorder: &Recorder) -> Arc<Embedded> {
    // A cache smaller than the data, so that redb writes pages before it commits them.
    let config = EmbeddedConfig { cache_bytes: 64 << 10, ..EmbeddedConfig::new("") };
    let disk = Disk::on(recorder.clone(), &config).expect("the disk opens after a power cut");
    let store = Embedded::start(disk, "a recorder".to_owned(), FanoutConfig::default());
    Arc::new(store.expect("the store starts after a power cut"))
}

fn mk_commit(rng: &mut Rng) -> Commit {
    let mut keys: Vec<u32> = (0..40).collect();
    rng.shuffle(&mut keys);
    let count = rng.usize(1..4);
    let mut mk_op = |key: u32| {
        let key = format!("/registry/pods/{key}");
        let length = if rng.u32(..10) == 0 { rng.usize(..9000) } else { rng.usize(..300) };
        if rng.u32(..10) < 3 { Op::delete(key) } else { Op::put(key, vec![rng.u8(..); length]) }
    };
    Commit { compares: Vec::new(), ops: keys[..count].iter().map(|key| mk_op(*key)).collect() }
}

/// Commits, some of them compactions, and notes when each was acknowledged.
async fn work(store: Arc<Embedded>, recorder: Recorder, seed: u64) -> Vec<(usize, Revision)> {
    let mut rng = Rng::with_seed(seed);
    let mut acknowledged = Vec::new();
    for _ in 0..COMMITS {
        let outcome = store.commit(mk_commit(&mut rng)).await.unwrap();
        let CommitOutcome::Committed { revision } = outcome else { panic!("{outcome:?}") };
        acknowledged.push((recorder.recorded(), revision));
        if rng.u32(..20) == 0 {
            store.compact(revision.saturating_sub(rng.u64(..50)).max(1)).await.unwrap();
        }
    }
    acknowledged
}

async fn record(seed: u64) -> Run {
    let recorder = Recorder::default();
    let store = open(&recorder);
    recorder.forget();
    // Read as it runs, so that compaction is not held back much and the run is known whole.
    let mut watch = store.watch(1).await.unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<Revision>();
    let watcher = tokio::spawn(async move {
        let mut batches = Vec::new();
        loop {
            tokio::select! {
                batch = watch.next() => batches.push(batch.unwrap().unwrap()),
                head = &mut stopped => {
                    let head = head.unwrap();
                    while batches.last().is_none_or(|last: &Batch| last.revision < head) {
                        batches.push(watch.next().await.unwrap().unwrap());
                    }
                    return batches;
                }
            }
        }
    });
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(work(Arc::clone(&store), recorder.clone(), seed + caller as u64));
    }
    let mut acknowledged = BTreeMap::new();
    for (events, revision) in callers.join_all().await.into_iter().flatten() {
        let newest = acknowledged.entry(events).or_insert(revision);
        *newest = revision.max(*newest);
    }
    stop.send(store.head().await.unwrap()).unwrap();
    let batches = watcher.await.unwrap();
    store.close().await.unwrap();
    Run { batches, acknowledged, events: recorder.events() }
}

// === impl Run ===

impl Run {
    /// The newest revision acknowledged by the time of an event.
    fn acknowledged_at(&self, event: usize) -> Revision {
        self.acknowledged.range(..=event).map(|(_, revision)| *revision).max().unwrap_or(1)
    }

    fn batches(&self, after: Revision, up_to: Revision) -> &[Batch] {
        let position = |revision| self.batches.partition_point(|batch| batch.revision <= revision);
        &self.batches[position(after)..position(up_to)]
    }

    fn state(&self, revision: Revision) -> Vec<KeyValue> {
        let mut keys = BTreeMap::new();
        for Change { key, kind, .. } in self.batches(0, revision).iter().flat_map(|batch| &*batch.changes) {
            match kind {
                ChangeKind::Put(kv) => drop(keys.insert(key.clone(), kv.clone())),
                ChangeKind::Delete => drop(keys.remove(key)),
            }
        }
        keys.into_values().collect()
    }

    /// Opens what is left and compares it with what was done.
    async fn check(&self, disk: &Recorder, acknowledged: Revision) {
        let store = open(disk);
        let view = store.shared.view().unwrap();
        let (head, compacted) = (view.revision(), view.compacted());
        assert!(
            head >= acknowledged,
            "revision {acknowledged} was acknowledged and is lost; {head} is the newest"
        );
        let list = store.range(RangeRequest::all("")).await.unwrap();
        assert_eq!(list.items, self.state(head), "the keys at {head}");
        let expected = self.batches(compacted, head);
        let history: Vec<Batch> =
            store.watch(compacted).await.unwrap().take(expected.len()).map(Result::unwrap).collect().await;
        assert_eq!(history, expected, "the history from {compacted} to {head}");
        let past = RangeRequest { revision: Some(compacted), ..RangeRequest::all("") };
        assert_eq!(store.range(past).await.unwrap().items, self.state(compacted), "the keys at {compacted}");
        let outcome = store.commit(Commit { compares: Vec::new(), ops: vec![Op::put("/new", "x")] }).await;
        assert_eq!(outcome, Ok(CommitOutcome::Committed { revision: head + 1 }));
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_commits_survive_power_cuts() {
    let given = std::env::var("KEELSON_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..u64::MAX - CALLERS as u64));
    eprintln!("KEELSON_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let run = record(seed).await;
    let syncs = recorder::syncs(&run.events);
    assert!(
        syncs.len() > 50 && run.batches.len() > 100,
        "{} syncs, {} commits",
        syncs.len(),
        run.batches.len()
    );
    let cuts: Vec<usize> = rng.choose_multiple(0..syncs.len(), CUTS);
    let mut checked = 0;
    for cut in cuts {
        // From this sync's end to the next one's, what is written may or may not stay.
        let synced = syncs[cut];
        let next = syncs.get(cut + 1).copied().unwrap_or(run.events.len());
        let acknowledged = run.acknowledged_at(next);
        for way in 0..WAYS {
            let disk = recorder::after_power_cut(&run.events, synced, next, way, &mut rng);
            run.check(&disk, acknowledged).await;
            checked += 1;
        }
    }
    assert!(checked >= 50 * WAYS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_during_recovery_loses_nothing_either() {
    let seed = fastrand::u64(..u64::MAX - CALLERS as u64);
    eprintln!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let run = record(seed).await;
    let syncs = recorder::syncs(&run.events);
    let mut checked = 0;
    for cut in rng.choose_multiple(0..syncs.len() - 1, 10) {
        let disk = recorder::after_power_cut(&run.events, syncs[cut], syncs[cut + 1], 4, &mut rng);
        let base = disk.image();
        drop(Disk::on(disk.clone(), &EmbeddedConfig::new("")).expect("the disk opens"));
        let recovery = disk.events();
        let mut points = recorder::syncs(&recovery);
        points.insert(0, 0);
        for pair in points.windows(2) {
            let again = recorder::after_power_cut_of(base.clone(), &recovery, pair[0], pair[1], 4, &mut rng);
            run.check(&again, run.acknowledged_at(syncs[cut])).await;
            checked += 1;
        }
    }
    assert!(checked >= 10, "recovery syncs, so it can be cut off: {checked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_or_shown_after_a_failed_sync() {
    let recorder = Recorder::default();
    let store = open(&recorder);
    let put = |value: &'static str| Commit { compares: Vec::new(), ops: vec![Op::put("/a", value)] };
    store.commit(put("kept")).await.unwrap();
    let mut watch = store.watch(2).await.unwrap();
    recorder.break_down();
    let failed = store.commit(put("lost")).await;
    assert!(matches!(failed, Err(crate::Error::Io { .. })), "{failed:?}");
    assert!(watch.next().now_or_never().is_none());
    assert_eq!(store.head().await, Ok(2));
    assert_eq!(store.commit(put("late")).await, failed, "it stays closed to writes");
    assert!(store.compact(2).await.is_err());
    assert!(store.close().await.is_err());
}
