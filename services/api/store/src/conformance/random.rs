//! Random histories, step by step the same as the [`Model`]'s.

use super::{Backend, next, watch};
use crate::model::Model;
use crate::{Commit, Compare, Error, Expect, Op, RangeRequest, Revision, Store, WatchStream};
use fastrand::Rng;
use futures::{FutureExt, StreamExt};
use std::sync::Arc;

/// How many steps a history has.
const STEPS: usize = 1500;

/// Few keys, so that histories meet themselves.
const KEYS: [&str; 10] = [
    "/registry/a",
    "/registry/a/",
    "/registry/a/1",
    "/registry/a/2",
    "/registry/a0",
    "/registry/b/1",
    "/registry/b/1/x",
    "/registry/b/2",
    "/registry/c",
    "/registry/d/ä",
];
const PREFIXES: [&str; 7] =
    ["/registry/", "", "/registry/a", "/registry/a/", "/registry/b/", "/registry/none/", "/x"];

/// A store, the model of it, and the watches on it.
struct Run<'a> {
    backend: &'a dyn Backend,
    store: Arc<dyn Store>,
    model: Model,
    watches: Vec<(Revision, WatchStream)>,
    rng: Rng,
}

/// One history; `KEELSON_SEED` in the environment repeats one that failed.
pub async fn histories_agree_with_the_model(backend: &dyn Backend) {
    let given = std::env::var("KEELSON_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("KEELSON_SEED={seed}");
    let store = backend.open().await;
    let model = Model::new(store.head().await.expect("head answers"));
    let mut run = Run { backend, store, model, watches: Vec::new(), rng: Rng::with_seed(seed) };
    for _ in 0..STEPS {
        run.step().await;
    }
    run.finish().await;
}

// === impl Run ===

impl Run<'_> {
    async fn step(&mut self) {
        match self.rng.u32(..100) {
            0..50 => self.commit().await,
            50..70 => self.range().await,
            70..80 => self.get().await,
            80..86 => self.begin_watch().await,
            86..94 => self.read_watch().await,
            94..97 => self.compact().await,
            97..99 => drop(self.pick_watch()),
            _ => self.reopen().await,
        }
    }

    async fn commit(&mut self) {
        let commit = self.mk_commit();
        let expected = self.model.commit(&commit);
        assert_eq!(self.store.commit(commit.clone()).await, Ok(expected), "{commit:?}");
        assert_eq!(self.store.head().await, Ok(self.model.head()));
    }

    async fn get(&mut self) {
        let key = self.key();
        assert_eq!(self.store.get(key).await, Ok(self.model.get(key).cloned()), "{key}");
    }

    async fn range(&mut self) {
        let request = RangeRequest {
            prefix: self.rng.choice(PREFIXES).unwrap_or_default().to_owned(),
            start_after: self.rng.bool().then(|| self.key().to_owned()),
            limit: if self.rng.bool() { 0 } else { self.rng.usize(1..5) },
            revision: self.rng.bool().then(|| self.revision()),
        };
        let expected = self.model.range(&request).map_err(kind);
        assert_eq!(self.store.range(request.clone()).await.map_err(kind), expected, "{request:?}");
    }

    async fn begin_watch(&mut self) {
        let from = self.revision();
        let found = self.store.watch(from).await.map_err(kind);
        match (self.model.after(from).map_err(kind), found) {
            (Ok(_), Ok(stream)) => self.watches.push((from, stream)),
            (expected, found) => assert_eq!(found.err(), expected.err(), "watch from {from}"),
        }
    }

    /// Reads some or all of what a watch must have.
    async fn read_watch(&mut self) {
        let Some((mut position, mut stream)) = self.pick_watch() else {
            return;
        };
        let expected = self.model.after(position).expect("compaction keeps what watches need");
        let count = self.rng.usize(..=expected.len());
        for batch in &expected[..count] {
            assert_eq!(next(&mut stream).await.as_ref(), Ok(batch), "after {position}");
            position = batch.revision;
        }
        self.watches.push((position, stream));
    }

    async fn compact(&mut self) {
        let up_to = self.rng.u64(self.model.compacted()..=self.model.head());
        let slowest = self.watches.iter().map(|(position, _)| *position).min().unwrap_or(up_to);
        let kept = self.store.compact(up_to).await.expect("compact answers");
        let limit = up_to.min(slowest).max(self.model.compacted());
        assert!((self.model.compacted()..=limit).contains(&kept), "{kept} of {up_to}, watches at {slowest}");
        self.model.compact(kept);
    }

    async fn reopen(&mut self) {
        self.watches.clear();
        self.store.close().await.expect("the store closes");
        self.store = self.backend.open().await;
        assert_eq!(self.store.head().await, Ok(self.model.head()));
    }

    /// Every watch ends up at the newest commit, with nothing more to say.
    async fn finish(mut self) {
        let newest = watch(&*self.store, self.model.compacted()).await;
        self.watches.push((self.model.compacted(), newest));
        for (position, mut stream) in self.watches {
            for batch in self.model.after(position).expect("compaction keeps what watches need") {
                assert_eq!(next(&mut stream).await, Ok(batch), "after {position}");
            }
            assert!(stream.next().now_or_never().is_none(), "nothing after the newest commit");
        }
        self.store.close().await.expect("the store closes");
    }

    fn mk_commit(&mut self) -> Commit {
        let mut keys = KEYS;
        self.rng.shuffle(&mut keys);
        let count = self.rng.usize(0..4);
        let ops = keys[..count].iter().map(|key| self.mk_op(key)).collect();
        let compares = (0..self.rng.usize(0..3)).map(|_| self.mk_compare()).collect();
        Commit { compares, ops }
    }

    fn mk_op(&mut self, key: &str) -> Op {
        if self.rng.u32(..10) < 3 {
            return Op::delete(key);
        }
        let length = if self.rng.u32(..20) == 0 { 20_000 } else { self.rng.usize(..200) };
        Op::put(key, vec![self.rng.u8(..); length])
    }

    /// Mostly one that holds.
    fn mk_compare(&mut self) -> Compare {
        let key = self.key();
        let current = self.model.get(key).map(|kv| kv.mod_revision);
        let expect = match (self.rng.u32(..10), current) {
            (0, _) => Expect::Absent,
            (1, _) => Expect::Exists,
            (2, _) => Expect::ModRevision(self.revision()),
            (3..6, Some(_)) => Expect::Exists,
            (_, Some(revision)) => Expect::ModRevision(revision),
            (_, None) => Expect::Absent,
        };
        Compare { key: key.to_owned(), expect }
    }

    fn key(&mut self) -> &'static str {
        self.rng.choice(KEYS).unwrap_or_default()
    }

    /// Any revision there was, rarely one that is compacted or to come.
    fn revision(&mut self) -> Revision {
        match self.rng.u32(..10) {
            0 => self.rng.u64(1..=self.model.head() + 1),
            _ => self.rng.u64(self.model.compacted()..=self.model.head()),
        }
    }

    fn pick_watch(&mut self) -> Option<(Revision, WatchStream)> {
        let count = self.watches.len();
        (count > 0).then(|| self.watches.swap_remove(self.rng.usize(..count)))
    }
}

/// The error without the oldest revision, which etcd does not tell.
fn kind(error: Error) -> Error {
    match error {
        Error::Compacted { requested, .. } => Error::Compacted { requested, compacted: 0 },
        other => other,
    }
}
