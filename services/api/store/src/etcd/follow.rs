//! Following etcd's history: the one watch that feeds the fan-out, and the extra ones of readers that lag.
//!
//! The watch is over etcd's whole key space, so that every revision arrives, also those of foreign keys (as
//! batches without changes): the position of the watch is then a statement about all of history, and needs no
//! progress requests, which etcd 3.4 is known to answer too early.

use super::members::{Member, Members};
use super::span::Span;
use super::{bounded, head, wire};
use crate::fanout::{Fanout, History};
use crate::{Batch, Error, Revision};
use etcd_client::{GetOptions, GetResponse, WatchOptions, WatchResponse, WatchStream};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long to wait before watching again: at first, and at most. In between it doubles.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// etcd, for reading, and where its history goes.
pub(super) struct Source {
    pub(super) members: Arc<Members>,
    pub(super) prefix: String,
    pub(super) timeout: Duration,
    pub(super) fanout: Arc<Fanout>,
    /// The oldest revision kept, as far as we know; others may compact as well.
    pub(super) compacted: AtomicU64,
}

/// Why a watch of etcd ended.
enum Ended {
    /// What it should have delivered next has been compacted; this is the oldest revision left.
    Compacted(Revision),
    /// Another member is asked from now on.
    Moved,
    /// Anything else.
    Failed(Error),
}

/// Feeds the fan-out for ever.
pub(super) async fn follow(source: Arc<Source>) {
    let mut wait = BACKOFF.0;
    loop {
        let before = source.fanout.last();
        match source.feed().await {
            // Only another client's compaction gets here. Readers at the gap learn that they missed something.
            Ended::Compacted(oldest) => source.fanout.skip_to(oldest),
            Ended::Moved => continue,
            Ended::Failed(error) => tracing::warn!(%error, "the watch of etcd ended; watching again"),
        }
        if source.fanout.last() > before {
            wait = BACKOFF.0;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(BACKOFF.1);
    }
}

// === impl Source ===

impl Source {
    /// One read, linearizable unless the options say otherwise.
    pub(super) async fn get(&self, key: Vec<u8>, options: GetOptions) -> Result<GetResponse, Error> {
        self.get_at(key, options, None).await
    }

    /// One page of a list.
    pub(super) async fn page(
        &self,
        span: &Span,
        limit: usize,
        revision: Option<Revision>,
    ) -> Result<GetResponse, Error> {
        let options = GetOptions::new().with_range(span.end.clone()).with_limit(wire::signed(limit as u64));
        self.get_at(span.start.clone(), options, revision).await
    }

    /// Whether `revision` can be read and watched from; returns it, or the newest one for `None`.
    pub(super) async fn check_revision(&self, revision: Option<Revision>) -> Result<Revision, Error> {
        let key = Vec::from("/");
        let response = self.get_at(key, GetOptions::new().with_count_only(), revision).await?;
        Ok(revision.unwrap_or_else(|| wire::revision(response.header())))
    }

    async fn get_at(
        &self,
        key: Vec<u8>,
        mut options: GetOptions,
        revision: Option<Revision>,
    ) -> Result<GetResponse, Error> {
        if let Some(revision) = revision {
            options = options.with_revision(wire::signed(revision));
        }
        let call = |member: Arc<Member>| {
            let (key, options) = (key.clone(), options.clone());
            async move { member.kv().get(key, Some(options)).await }
        };
        let error = match self.members.read("answer", revision, call).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        match error {
            // etcd does not say what the newest revision is.
            Error::FutureRevision { requested, .. } => {
                let head = head(&self.members, &self.prefix).await?;
                Err(Error::FutureRevision { requested, head })
            }
            Error::Compacted { requested, compacted } => {
                let compacted = compacted.max(self.compacted.load(Ordering::Acquire));
                Err(Error::Compacted { requested, compacted })
            }
            error => Err(error),
        }
    }

    /// Publishes what happens, until the watch ends.
    async fn feed(&self) -> Ended {
        // Before the member is chosen, so that no move is missed.
        let mut moves = self.members.moves();
        let member = self.members.current();
        let mut stream = match self.open(&member, self.fanout.last()).await {
            Ok(stream) => stream,
            Err(error) => {
                self.members.avoid(&member, &error);
                return Ended::Failed(error);
            }
        };
        loop {
            let next = tokio::select! {
                next = self.next(&mut stream, self.fanout.last()) => next,
                // The sender lives in `members`: this is no error.
                _ = moves.changed() => return Ended::Moved,
            };
            match next {
                Ok(batches) => self.fanout.publish(batches),
                Err(ended) => {
                    if let Ended::Failed(error) = &ended {
                        self.members.avoid(&member, error);
                    }
                    return ended;
                }
            }
        }
    }

    /// A watch of every key after `after`.
    async fn open(&self, member: &Member, after: Revision) -> Result<WatchStream, Error> {
        let options =
            WatchOptions::new().with_all_keys().with_start_revision(wire::signed(after.saturating_add(1)));
        let mut client = member.watch();
        let call = async move { Ok(client.watch("", Some(options)).await) };
        bounded(self.timeout, "start a watch", call).await?.map_err(|error| wire::error(error, None))
    }

    /// The next commits of a watch; none if the message was about something else.
    async fn next(&self, stream: &mut WatchStream, after: Revision) -> Result<Vec<Batch>, Ended> {
        let message = stream.message().await.map_err(|error| Ended::Failed(wire::error(error, None)))?;
        let ended = || Ended::Failed(Error::Unavailable("etcd ended the watch".to_owned()));
        let message: WatchResponse = message.ok_or_else(ended)?;
        match wire::unsigned(message.compact_revision()) {
            0 => (),
            oldest => return Err(Ended::Compacted(oldest)),
        }
        if message.canceled() {
            let reason = format!("etcd ended the watch: {}", message.cancel_reason());
            return Err(Ended::Failed(Error::Unavailable(reason)));
        }
        wire::batches(message.events(), &self.prefix, after).map_err(Ended::Failed)
    }

    /// Catches a reader up by one message of a watch of its own, which holds up to 1000 commits.
    async fn catch_up(&self, after: Revision) -> Result<Vec<Batch>, Error> {
        // etcd would let a watch begin one revision earlier than the compacted one allows a list to look, and
        // 3.4 may then leave out deletes.
        self.check_revision(Some(after)).await?;
        let member = self.members.current();
        let mut stream = self.open(&member, after).await?;
        loop {
            match self.next(&mut stream, after).await {
                Ok(batches) if batches.is_empty() => (),
                Ok(batches) => return Ok(batches),
                Err(Ended::Compacted(compacted)) => {
                    return Err(Error::Compacted { requested: after, compacted });
                }
                Err(Ended::Failed(error)) => {
                    self.members.avoid(&member, &error);
                    return Err(error);
                }
                Err(Ended::Moved) => return Err(Error::Unavailable("etcd's member was changed".to_owned())),
            }
        }
    }
}

impl History for Source {
    fn after(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Batch>, Error>> {
        bounded(self.timeout, "deliver history", self.catch_up(after)).boxed()
    }
}
