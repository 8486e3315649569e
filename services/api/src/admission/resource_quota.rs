//! `ResourceQuota`: what a namespace may use in all.
//!
//! What an object adds to the use of a quota is added in the commit that stores the object, on condition that the quota
//! is as it was seen; so no race is ever won by two, whichever replicas they go through. Of several quotas that count
//! the same object only one can be in its commit (a commit holds one key of a kind): the others are charged before, each
//! by a commit of its own, and the object's commit depends on their being as they were left. It also leaves a mark for
//! each of them, so that who counts what is used, and has not seen the object yet, cannot write what he counted: a
//! status is only written where there is no mark, and the first attempt takes the mark away. What is charged and then not
//! used (the process died) is given back when the resource quota loop counts anew, as is all that is deleted.
//!
//! Within one api the writes to a namespace with quotas wait for one another, so that they do not lose races in vain.

mod decide;
mod turnstile;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keelson_api_store::{Commit, CommitOutcome, Compare, Error, Expect, Op, Store};
use keelson_base_model::resourcequota::Counted;
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::{PersistentVolumeClaim, ResourceQuota, Service};
use keelson_proto::meta::Time;
use tokio::sync::OwnedSemaphorePermit;

use self::decide::{Charged, Refusal};
use self::turnstile::{Turnstile, Turnstiles};
use super::{Lookups, Subject, entries};
use crate::cache::{Cache, Progress};
use crate::errors::from_store;
use crate::registry::{Encoded, ResourceQuotaStrategy, Stored, Strategy as _};

/// How long a write waits for a new quota's use to be counted.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where the marks are: what was stored on account of a quota since the quota was last written.
const MARKS: &str = "/registry/quotamarks/";

/// How often charging a quota besides the object's commit is tried again.
const MOST_TRIES: usize = 64;

/// What charges quotas.
pub(super) struct Quotas {
    store: Arc<dyn Store>,
    progress: Progress,
    quotas: Arc<Cache>,
    turnstiles: Turnstiles,
}

/// What must go into an object's commit, on account of its quotas. Others wait until it is settled, undone or dropped.
pub(crate) struct Charge {
    /// What must be so of the quotas.
    pub(crate) compares: Vec<Compare>,
    /// What is written into one of them.
    pub(crate) ops: Vec<Op>,
    before: Vec<Before>,
    store: Arc<dyn Store>,
    turnstile: Arc<Turnstile>,
    turn: OwnedSemaphorePermit,
}

/// A quota as it was before it was charged.
struct Before {
    key: String,
    value: Bytes,
    /// The revision that charged it.
    charged: u64,
}

/// A quota was not as it was seen, as of this revision.
struct Raced(u64);

// === impl Quotas ===

impl Quotas {
    pub(super) fn new(lookups: &Lookups) -> Self {
        Self {
            store: lookups.store.clone(),
            progress: lookups.progress.clone(),
            quotas: lookups.resource_quotas.clone(),
            turnstiles: Turnstiles::default(),
        }
    }

    /// Charges what `new` uses beyond what `old` did. None if that is nothing, or nothing is to be stored.
    ///
    /// # Errors
    /// Forbidden if a quota has not enough left; and the store's.
    pub(super) async fn charge(
        &self,
        old: Option<&dyn Subject>,
        new: &dyn Subject,
        dry_run: bool,
    ) -> Result<Option<Charge>, ApiError> {
        // Of other kinds no change makes more.
        let grows = new.kind() == Service::KIND || new.kind() == PersistentVolumeClaim::KIND;
        let namespace = new.meta().namespace.as_str();
        if old.is_some() && !grows || entries(&self.quotas, namespace).next().is_none() {
            return Ok(None);
        }
        self.wait_for_counts(old, new).await;
        let turnstile = self.turnstiles.of(namespace);
        let mut turn = turnstile.turn().await?;
        self.progress.reach(turnstile.reached()).await?;
        let mut caught_up = false;
        for _ in 0..MOST_TRIES {
            let charged = match self.decide(old, new)? {
                Ok(charged) => charged,
                Err(_) if !caught_up => {
                    // What looks used may have been given back.
                    let head = self.store.head().await.map_err(from_store)?;
                    self.progress.reach(head).await?;
                    caught_up = true;
                    continue;
                }
                Err(refusal) => return Err(refusal.of(new)),
            };
            if charged.is_empty() || dry_run {
                return Ok(None);
            }
            let mut charge = Charge {
                compares: Vec::new(),
                ops: Vec::new(),
                before: Vec::new(),
                store: self.store.clone(),
                turnstile: turnstile.clone(),
                turn,
            };
            match charge.add(charged, new.kind() != ResourceQuota::KIND).await? {
                Ok(()) => return Ok(Some(charge)),
                Err(Raced(revision)) => {
                    turn = charge.undo().await;
                    self.progress.reach(revision).await?;
                }
            }
        }
        Err(ApiError::conflict(new.kind(), &new.meta().name))
    }

    /// What must be so of a quota whose status is written, as it was at this revision.
    ///
    /// # Errors
    /// Conflict if something was stored on account of it since: then it gets a new revision, at which can be counted
    /// anew; and the store's.
    pub(super) async fn counted(&self, quota: &ResourceQuota, revision: u64) -> Result<Compare, ApiError> {
        let mark = mark_of(quota);
        let Some(marked) = self.store.get(&mark).await.map_err(from_store)? else {
            return Ok(Compare { key: mark, expect: Expect::Absent });
        };
        let key = key_of(quota);
        let compares = vec![
            Compare { key: key.clone(), expect: Expect::ModRevision(revision) },
            Compare { key: mark.clone(), expect: Expect::ModRevision(marked.mod_revision) },
        ];
        let same = Encoded::new(&mut quota.clone()).value;
        let commit = Commit { compares, ops: vec![Op::put(key, same), Op::delete(mark)] };
        // Whoever was quicker has given it a new revision as well.
        self.store.commit(commit).await.map_err(from_store)?;
        Err(ApiError::conflict(ResourceQuota::KIND, &quota.metadata.name))
    }

    fn decide(
        &self,
        old: Option<&dyn Subject>,
        new: &dyn Subject,
    ) -> Result<Result<Vec<Charged>, Refusal>, ApiError> {
        let quotas = entries(&self.quotas, &new.meta().namespace)
            .map(|entry| Stored::<ResourceQuota>::from_cache(&entry.object, entry.revision))
            .collect::<Result<_, _>>()?;
        Ok(decide::charges(quotas, old.map(counted), counted(new), Time::now()))
    }

    /// Waits until all that the object uses has been counted, or for as long as is reasonable.
    async fn wait_for_counts(&self, old: Option<&dyn Subject>, new: &dyn Subject) {
        let mut changes = self.progress.changes();
        let counted =
            changes.wait_for(|_| !matches!(self.decide(old, new), Ok(Err(Refusal::Unknown { .. }))));
        let _ = tokio::time::timeout(PATIENCE, counted).await;
    }
}

// === impl Charge ===

impl Charge {
    /// Charges all quotas but the last, which is left to the object's commit if that may hold one.
    async fn add(&mut self, charged: Vec<Charged>, has_room: bool) -> Result<Result<(), Raced>, ApiError> {
        let last = charged.len() - usize::from(has_room);
        for (index, Charged { before, mut after }) in charged.into_iter().enumerate() {
            let key = key_of(&after);
            let compare = Compare { key: key.clone(), expect: Expect::ModRevision(before.revision) };
            let put = Op::put(key.clone(), Encoded::new(&mut after).value);
            if index == last {
                self.compares.push(compare);
                self.ops.push(put);
                continue;
            }
            let commit = Commit { compares: vec![compare], ops: vec![put] };
            let charged = match self.store.commit(commit).await.map_err(from_store)? {
                CommitOutcome::Committed { revision, .. } => revision,
                CommitOutcome::Conflict { revision, .. } => return Ok(Err(Raced(revision))),
            };
            self.turnstile.reach(charged);
            self.compares.push(Compare { key: key.clone(), expect: Expect::ModRevision(charged) });
            self.ops.push(Op::put(mark_of(&after), "1"));
            let mut object = before.object;
            self.before.push(Before { key, value: Encoded::new(&mut object).value, charged });
        }
        Ok(Ok(()))
    }

    /// The object is stored, at this revision.
    pub(crate) fn settle(self, revision: u64) {
        self.turnstile.reach(revision);
    }

    /// The object is not stored: gives back what was charged besides its commit, if nobody has charged or counted since.
    /// What cannot be given back stays until it is counted anew. Answers with the turn, for another attempt.
    pub(crate) async fn undo(self) -> OwnedSemaphorePermit {
        for Before { key, value, charged } in self.before {
            let compare = Compare { key: key.clone(), expect: Expect::ModRevision(charged) };
            let commit = Commit { compares: vec![compare], ops: vec![Op::put(key, value)] };
            match self.store.commit(commit).await {
                Ok(CommitOutcome::Committed { revision, .. }) => self.turnstile.reach(revision),
                Ok(CommitOutcome::Conflict { .. }) => {}
                Err(error) => tracing::warn!(%error, "cannot give back what a quota was charged"),
            }
        }
        self.turn
    }

    /// The same after an error of the store, unless the object may be stored all the same.
    pub(crate) async fn undo_after(self, error: &Error) {
        if !matches!(error, Error::Unknown(_)) {
            drop(self.undo().await);
        }
    }
}

fn key_of(quota: &ResourceQuota) -> String {
    format!("{}{}/{}", ResourceQuotaStrategy::PREFIX, quota.metadata.namespace, quota.metadata.name)
}

/// Where it is noted that something was stored on account of a quota.
pub(crate) fn mark_of(quota: &ResourceQuota) -> String {
    format!("{MARKS}{}/{}", quota.metadata.namespace, quota.metadata.name)
}

fn counted(subject: &dyn Subject) -> Counted<'_> {
    Counted { kind: subject.kind(), object: subject.any() }
}
