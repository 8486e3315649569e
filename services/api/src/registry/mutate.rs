//! Changing an object: read, change, compare-and-set, and again if somebody else was quicker.

use bytes::Bytes;
use keelson_api_store::{Commit, CommitOutcome, Compare, Expect, KeyValue, Op};
use keelson_base_model::status::ApiError;
use keelson_proto::{Message, Object};

use crate::admission::Charge;
use crate::errors::from_store;
use crate::registry::stored::{Encoded, Stored};
use crate::registry::{Registry, Reservation, Strategy, traced};

/// How often a lost race is run again.
const MOST_TRIES: usize = 32;

/// What a change makes of an object.
pub(super) enum Change<K> {
    /// It is written.
    Write(Box<K>),
    /// It is removed; this is its last state.
    Remove(Box<K>),
    /// It stays as it is.
    Keep,
}

/// What a mutation came to.
pub(super) struct Mutated {
    /// The object as it is now, or was last, encoded.
    pub(super) object: Bytes,
    /// Whether it was removed.
    pub(super) removed: bool,
}

// === impl Change ===

impl<K: Object> Change<K> {
    /// A write of what is there already is none: watchers need not hear of it.
    fn or_keep(self, old: &K) -> Self {
        match self {
            Self::Write(mut new) => {
                new.metadata_mut().resource_version.clone_from(&old.metadata().resource_version);
                if *new == *old { Self::Keep } else { Self::Write(new) }
            }
            other => other,
        }
    }
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Changes one object. `change` is called with the object as it is, again for every race lost, and must
    /// not have effects. It is first tried on the cache's state; what it refuses there is tried on the
    /// store's before it is an error.
    ///
    /// # Errors
    /// NotFound, what `change` refuses, Conflict after too many lost races, and the store's.
    pub(super) async fn mutate(
        &self,
        path: &str,
        dry_run: bool,
        mut change: impl FnMut(&S::Object) -> Result<Change<S::Object>, ApiError> + Send,
    ) -> Result<Mutated, ApiError> {
        let (namespace, name) = path.split_once('/').unwrap_or(("", path));
        traced::name(S::Object::KIND, namespace, name);
        // A dry run has no commit to tell it that the cache was behind.
        let cached = if dry_run { None } else { self.cache.get(path) };
        let mut current = match cached {
            Some(entry) => Some(Stored::from_cache(&entry.object, entry.revision)?),
            None => None,
        };
        let mut fresh = false;
        for _ in 0..MOST_TRIES {
            let Some(stored) = &current else {
                if fresh {
                    return Err(self.not_found(path));
                }
                current = self.load(path).await?;
                fresh = true;
                continue;
            };
            let changed = change(&stored.object).map(|changed| changed.or_keep(&stored.object));
            // What the cache's state refuses, or leaves as it is, the store's may not: ask that.
            if !fresh && matches!(changed, Err(_) | Ok(Change::Keep)) {
                current = self.load(path).await?;
                fresh = true;
                continue;
            }
            let changed = changed?;
            match self.commit_change(path, stored, changed, dry_run).await? {
                Ok(mutated) => return Ok(mutated),
                Err(newer) => current = newer.as_ref().map(Stored::from_store).transpose()?,
            }
            fresh = true;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        Err(ApiError::conflict(S::Object::KIND, name))
    }

    /// The object as the store has it now.
    pub(super) async fn load(&self, path: &str) -> Result<Option<Stored<S::Object>>, ApiError> {
        let stored = self.store.get(&Self::key(path)).await.map_err(from_store)?;
        stored.as_ref().map(Stored::from_store).transpose()
    }

    /// That there is no such object.
    pub(super) fn not_found(&self, path: &str) -> ApiError {
        ApiError::not_found(S::Object::KIND, path.rsplit('/').next().unwrap_or(path))
    }

    /// What is written together with a change. A refusal counts once the caches have caught up with the store:
    /// what looks taken may have been given back.
    pub(super) async fn reserve(
        &self,
        old: Option<&S::Object>,
        mut new: Option<&mut S::Object>,
    ) -> Result<Reservation, ApiError> {
        let reserved = self.strategy.reserve(old, new.as_deref_mut());
        if reserved.is_ok() {
            return reserved;
        }
        self.catch_up().await?;
        self.strategy.reserve(old, new)
    }

    /// Commits a change to what `old` was. The inner error is what another writer made of it.
    async fn commit_change(
        &self,
        path: &str,
        old: &Stored<S::Object>,
        change: Change<S::Object>,
        dry_run: bool,
    ) -> Result<Result<Mutated, Option<KeyValue>>, ApiError> {
        let key = Self::key(path);
        let (encoded, op, reservation, charge) = match change {
            Change::Keep => {
                return Ok(Ok(Mutated { object: old.object.encode_to_vec().into(), removed: false }));
            }
            Change::Remove(mut last) => {
                let reservation = self.reserve(Some(&old.object), None).await?;
                (Encoded::new(&mut *last), None, reservation, None)
            }
            Change::Write(mut new) => {
                let mut reservation = self.reserve(Some(&old.object), Some(&mut *new)).await?;
                let charge = self.admission.charge(Some(&old.object), &*new, dry_run).await?;
                if !dry_run {
                    let counted = self.admission.counted(&old.object, &*new, old.revision).await?;
                    reservation.compares.extend(counted);
                }
                let encoded = Encoded::new(&mut *new);
                let put =
                    Op::Put { key: key.clone(), value: encoded.value.clone(), ttl: self.strategy.ttl() };
                (encoded, Some(put), reservation, charge)
            }
        };
        let removed = op.is_none();
        if dry_run {
            return Ok(Ok(Mutated { object: encoded.at(old.revision), removed }));
        }
        let mut compares = vec![Compare { key: key.clone(), expect: Expect::ModRevision(old.revision) }];
        let mut ops = vec![op.unwrap_or(Op::Delete { key })];
        compares.extend(reservation.compares);
        ops.extend(reservation.ops);
        let commit = Commit { compares, ops };
        match self.commit_charged(commit, charge).await? {
            CommitOutcome::Committed { revision, .. } => {
                Ok(Ok(Mutated { object: encoded.at(revision), removed }))
            }
            CommitOutcome::Conflict { index: 0, current, .. } => Ok(Err(current)),
            CommitOutcome::Conflict { revision, .. } => {
                self.cache.progress().reach(revision).await?;
                Ok(Err(self.store.get(&Self::key(path)).await.map_err(from_store)?))
            }
        }
    }

    /// Commits a write, and what it charges quotas with it.
    pub(super) async fn commit_charged(
        &self,
        mut commit: Commit,
        charge: Option<Charge>,
    ) -> Result<CommitOutcome, ApiError> {
        let Some(mut charge) = charge else {
            return traced::commit(&*self.store, S::Object::KIND, commit).await.map_err(from_store);
        };
        commit.compares.append(&mut charge.compares);
        commit.ops.append(&mut charge.ops);
        match traced::commit(&*self.store, S::Object::KIND, commit).await {
            Ok(CommitOutcome::Committed { revision }) => {
                charge.settle(revision);
                Ok(CommitOutcome::Committed { revision })
            }
            Ok(lost) => {
                drop(charge.undo().await);
                Ok(lost)
            }
            Err(error) => {
                charge.undo_after(&error).await;
                Err(from_store(error))
            }
        }
    }
}
