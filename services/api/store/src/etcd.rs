//! The store in etcd (3.4 or newer).
//!
//! A commit is one etcd transaction, and etcd's revision is ours. Keys and values are stored as given, so other
//! tools that know Kubernetes' layout can read them. All watches here share one watch of etcd's whole key space
//! ([`follow`]), which begins with the first of them; what outlives a time to live hangs on shared [`lease`]s.

mod config;
mod follow;
mod format;
mod lease;
mod members;
mod span;
mod wire;

pub use self::config::{EtcdConfig, EtcdTls};
use self::follow::{Source, follow};
use self::format::Format;
use self::lease::Leases;
use self::members::{Member, Members, Refused};
use self::span::Span;
use crate::fanout::{Fanout, History};
use crate::{
    Commit, CommitOutcome, Error, KeyValue, RangeRequest, RangeResponse, Revision, Store, WatchStream,
};
use etcd_client::{CompactionOptions, GetOptions, GetResponse};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

/// The largest answer accepted. etcd sends lists and catching-up watches in messages of any size; ours are paged.
const MAX_ANSWER: usize = 256 << 20;
/// How many items a list asks etcd for at once.
const PAGE: usize = 1000;
/// How often a list of now starts again after a compaction has overtaken it.
const LIST_TRIES: usize = 3;

/// The store in etcd.
pub struct Etcd {
    source: Arc<Source>,
    leases: Leases,
    format: Format,
    /// Follows etcd, once somebody watches.
    follower: OnceCell<AbortHandle>,
    closed: AtomicBool,
    endpoints: String,
    prefix: String,
    config: Mutex<EtcdConfig>,
}

// === impl Etcd ===

impl Etcd {
    /// Connects, and makes sure that etcd answers.
    ///
    /// # Errors
    /// [`Error::Invalid`] for unusable addresses or certificates; [`Error::Unavailable`] when no member answers
    /// in time.
    pub async fn connect(config: EtcdConfig) -> Result<Self, Error> {
        let members = Arc::new(Members::connect(&config).await?);
        let format = Format::check(&members).await?;
        let head = head(&members, &config.prefix).await?;
        let source = Arc::new(Source {
            members: Arc::clone(&members),
            prefix: config.prefix.clone(),
            timeout: config.timeout,
            fanout: Arc::new(Fanout::new(config.fanout, head)),
            compacted: AtomicU64::new(1),
        });
        Ok(Self {
            leases: Leases::new(members, config.lease_bucket),
            format,
            source,
            follower: OnceCell::new(),
            closed: AtomicBool::new(false),
            endpoints: config.endpoints.join(","),
            prefix: config.prefix.clone(),
            config: Mutex::new(config),
        })
    }

    /// Proves who we are, and whom we trust, by these certificates from now on: connections are made anew, watches move
    /// over without a gap.
    ///
    /// # Errors
    /// [`Error::Invalid`] for unusable certificates; then the old ones stay in use.
    pub async fn renew_tls(&self, tls: EtcdTls) -> Result<(), Error> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner).clone();
        config.tls = Some(tls);
        self.source.members.renew(&config).await?;
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    async fn head_now(&self) -> Result<Revision, Error> {
        self.check_open()?;
        head(&self.source.members, &self.prefix).await
    }

    async fn get_one(&self, key: &str) -> Result<Option<KeyValue>, Error> {
        self.check_open()?;
        let mut response = self.source.get(key.as_bytes().to_vec(), GetOptions::new()).await?;
        response.take_kvs().into_iter().next().map(wire::key_value).transpose()
    }

    async fn commit_leased(&self, commit: Commit) -> Result<CommitOutcome, Error> {
        self.check_open()?;
        commit.validate()?;
        // A lease may end while we are on our way; then nothing has happened and there is a new one.
        let mut lost_lease = false;
        loop {
            let leases = self.leases.cover(&commit).await?;
            let mark = self.format.mark(&commit);
            let marks = mark.is_some();
            let txn = wire::transaction(&commit, &leases, mark);
            let call = |member: Arc<Member>| {
                let txn = txn.clone();
                async move { member.kv().txn(txn).await }
            };
            match self.source.members.write("commit", call).await {
                Ok(response) => {
                    if marks && response.succeeded() {
                        self.format.marked();
                    }
                    return wire::outcome(&commit, &response);
                }
                Err(Refused::ByEtcd(error)) if !lost_lease && wire::is_lost_lease(&error) => {
                    lost_lease = true;
                    self.leases.forget(&leases);
                }
                Err(Refused::ByEtcd(error)) => return Err(wire::error(error, None)),
                Err(Refused::Failed(error)) => return Err(error),
            }
        }
    }

    async fn range_whole(&self, request: RangeRequest) -> Result<RangeResponse, Error> {
        self.check_open()?;
        let mut tries = 1;
        loop {
            match self.try_range(&request).await {
                Err(Error::Compacted { .. }) if request.revision.is_none() && tries < LIST_TRIES => {
                    tries += 1
                }
                other => return other,
            }
        }
    }

    /// A list, from as many answers of etcd as it takes, all at the revision of the first.
    async fn try_range(&self, request: &RangeRequest) -> Result<RangeResponse, Error> {
        let mut list = RangeResponse::default();
        let mut revision = request.revision.map(|revision| revision.max(1));
        let Some(mut span) = Span::of(&self.prefix, request) else {
            let revision = self.source.check_revision(revision).await?;
            return Ok(RangeResponse { revision, ..list });
        };
        loop {
            let wanted = match request.limit {
                0 => PAGE,
                limit => PAGE.min(limit - list.items.len()),
            };
            let mut response = self.source.page(&span, wanted, revision).await?;
            list.revision = match revision {
                Some(revision) => revision,
                None => *revision.insert(wire::revision(response.header())),
            };
            let (count, more) = (response.count(), response.more());
            let kvs = response.take_kvs();
            list.remaining = wire::unsigned(count).saturating_sub(kvs.len() as u64);
            list.items.extend(kvs.into_iter().map(wire::key_value).collect::<Result<Vec<_>, _>>()?);
            match list.items.last() {
                Some(last) if more && list.items.len() != request.limit => span.start_after(&last.key),
                _ => break,
            }
        }
        list.more = list.remaining > 0;
        Ok(list)
    }

    /// Begins to follow etcd, if nobody has yet. A client that only commits costs etcd no watch.
    async fn follow(&self) -> Result<(), Error> {
        let begin = async {
            // Readers of what is before find it in etcd's history.
            let head = self.head_now().await?;
            self.source.fanout.skip_to(head);
            Ok(tokio::spawn(follow(Arc::clone(&self.source))).abort_handle())
        };
        let follower = self.follower.get_or_try_init(|| begin).await?;
        // It may have been closed meanwhile.
        self.check_open().inspect_err(|_| follower.abort())
    }

    async fn watch_from(&self, from: Revision) -> Result<WatchStream, Error> {
        self.check_open()?;
        self.follow().await?;
        let from = from.max(1);
        let fanout = &self.source.fanout;
        let history: Arc<dyn History> = Arc::clone(&self.source) as _;
        // First subscribed, then checked: a compaction that comes in between keeps what we need.
        let stream = fanout.subscribe(from, history);
        // The ring may still have what we have compacted; all stores answer the same, though.
        let compacted = self.source.compacted.load(Ordering::Acquire);
        if from < compacted {
            return Err(Error::Compacted { requested: from, compacted });
        }
        if !(fanout.floor()..=fanout.last()).contains(&from) {
            self.source.check_revision(Some(from)).await?;
        }
        Ok(stream)
    }

    async fn compact_bounded(&self, up_to: Revision) -> Result<Revision, Error> {
        self.check_open()?;
        let head = self.head_now().await?;
        if up_to > head {
            return Err(Error::FutureRevision { requested: up_to, head });
        }
        // Not past a watch of ours, nor past what all of them follow: etcd 3.4 is known to lose events there.
        let fanout = &self.source.fanout;
        let followed = self.follower.get().map_or(up_to, |_| fanout.last());
        let target = up_to.min(followed).min(fanout.slowest().unwrap_or(up_to));
        let before = self.source.compacted.fetch_max(target, Ordering::AcqRel);
        if target <= before {
            return Ok(before);
        }
        let revision = wire::signed(target);
        let call = |member: Arc<Member>| async move {
            member.kv().compact(revision, Some(CompactionOptions::new())).await
        };
        match self.source.members.read("compact", Some(target), call).await {
            // Somebody else may have compacted there or further.
            Ok(_) | Err(Error::Compacted { .. }) => Ok(target),
            Err(error) => Err(error),
        }
    }

    fn shut(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            if let Some(follower) = self.follower.get() {
                follower.abort();
            }
            self.source.fanout.end(Error::Closed);
        }
    }
}

impl Store for Etcd {
    fn name(&self) -> String {
        format!("etcd at {}", self.endpoints)
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<KeyValue>, Error>> {
        self.get_one(key).boxed()
    }

    fn range(&self, request: RangeRequest) -> BoxFuture<'_, Result<RangeResponse, Error>> {
        self.range_whole(request).boxed()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome, Error>> {
        self.commit_leased(commit).boxed()
    }

    fn watch(&self, from: Revision) -> BoxFuture<'_, Result<WatchStream, Error>> {
        self.watch_from(from).boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Revision, Error>> {
        self.head_now().boxed()
    }

    fn compact(&self, up_to: Revision) -> BoxFuture<'_, Result<Revision, Error>> {
        self.compact_bounded(up_to).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.shut();
        futures::future::ready(Ok(())).boxed()
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.shut();
    }
}

impl std::fmt::Debug for Etcd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Etcd").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// The newest revision, agreed on by a majority of the members.
async fn head(members: &Members, key: &str) -> Result<Revision, Error> {
    // A read of any key tells; one that counts reads no value.
    let key = if key.is_empty() { "/" } else { key };
    let call = |member: Arc<Member>| async move {
        member.kv().get(key, Some(GetOptions::new().with_count_only())).await
    };
    let response: GetResponse = members.read("answer", None, call).await?;
    Ok(wire::revision(response.header()))
}

/// Gives up on etcd after `timeout`.
async fn bounded<T>(
    timeout: Duration,
    operation: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = || Error::Unavailable(format!("etcd did not {operation} within {} s", timeout.as_secs_f32()));
    tokio::time::timeout(timeout, call).await.unwrap_or_else(|_| Err(late()))
}
