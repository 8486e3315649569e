//! List and watch as a state machine: one step at a time, each saying what comes next.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use keelson_base_daemon::backoff::Backoff;
use keelson_base_daemon::trace::Cause;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use keelson_proto::v1::RawWatchEvent;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Cache, Decoded, Delta, WatchScope, diff};
use crate::{Api, ListParams, Messages, WatchEvent, WatchEventKind, WatchParams};

/// The delays between attempts.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// The cause by which api says that a revision is still to come: its store has lost what we saw.
const FROM_THE_FUTURE: &str = "ResourceVersionTooLarge";

/// The one writer of a cache.
pub(super) struct Follower<K, H> {
    api: Api<K>,
    scope: WatchScope,
    cache: Cache<K>,
    decoded: Decoded<K>,
    handler: H,
    backoff: Backoff,
    resync_at: Option<Instant>,
}

/// Where a follower is.
enum State {
    /// Knows nothing current: lists next.
    Empty,
    /// Knows all up to a revision: opens a watch from there next.
    Listed { revision: u64 },
    /// Hears what happens after a revision.
    Watching { revision: u64, watch: Box<Messages<RawWatchEvent>>, since: Instant },
    /// Something failed: waits, then goes on.
    Waiting { delay: Duration, then: Next },
}

/// How a follower goes on after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// From the beginning.
    List,
    /// With the changes after this revision.
    Watch(u64),
}

// === impl Follower ===

impl<K: Object, H: FnMut(Delta<K>) + Send + 'static> Follower<K, H> {
    pub(super) fn new(api: Api<K>, scope: WatchScope, cache: Cache<K>, handler: H) -> Self {
        let api = if scope.namespace.is_empty() { api } else { api.namespaced(&scope.namespace) };
        let backoff = Backoff::new(FIRST_DELAY, MAX_DELAY).jitter(0.5);
        let resync_at = next_resync(scope.resync);
        Self { api, scope, cache, decoded: Decoded::of_process(), handler, backoff, resync_at }
    }

    /// Follows for ever.
    pub(super) async fn run(mut self) -> Infallible {
        let mut state = State::Empty;
        loop {
            state = self.step(state).await;
        }
    }

    async fn step(&mut self, state: State) -> State {
        match state {
            State::Empty => match self.list().await {
                Ok(revision) => State::Listed { revision },
                Err(error) => self.wait("list", &error, Next::List),
            },
            State::Listed { revision } => match self.watch(revision).await {
                Ok(watch) => State::Watching { revision, watch, since: Instant::now() },
                Err(error) => self.wait("watch", &error, Next::after(&error, revision)),
            },
            State::Watching { revision, watch, since } => self.follow(revision, watch, since).await,
            State::Waiting { delay, then } => {
                sleep(delay).await;
                match then {
                    Next::Watch(revision) if !self.cache.is_stale() => State::Listed { revision },
                    _ => State::Empty,
                }
            }
        }
    }

    /// Takes what api holds; returns of which revision it is.
    async fn list(&mut self) -> Result<u64, ApiError> {
        let params = ListParams {
            label_selector: self.scope.label_selector.clone(),
            field_selector: self.scope.field_selector.clone(),
            ..Default::default()
        };
        let asked = self.cache.asked();
        let list = self.api.list_raw(&params).await?;
        let revision = revision(&list.metadata.unwrap_or_default().resource_version)?;
        let causes = list.trace_contexts.iter().map(|trace| Cause::listed(trace));
        let causes = causes.chain(std::iter::repeat(None));
        let items =
            list.items.into_iter().zip(causes).map(|(item, cause)| Ok((self.decoded.decode(item)?, cause)));
        let items = items.collect::<Result<_, ApiError>>()?;
        let deltas = diff::replace(&mut self.cache.write(), items);
        deltas.into_iter().for_each(&mut self.handler);
        if !self.cache.is_synced() {
            (self.handler)(Delta::Synced);
            self.cache.set_synced();
        }
        self.cache.set_listed(asked);
        Ok(revision)
    }

    async fn watch(&mut self, revision: u64) -> Result<Box<Messages<RawWatchEvent>>, ApiError> {
        let params = WatchParams {
            label_selector: self.scope.label_selector.clone(),
            field_selector: self.scope.field_selector.clone(),
            resource_version: revision.to_string(),
            bookmarks: true,
        };
        self.api.raw().watch(params.request(self.api.namespace())).await.map(Box::new)
    }

    /// Takes the next event of a watch.
    async fn follow(
        &mut self,
        mut seen: u64,
        mut watch: Box<Messages<RawWatchEvent>>,
        since: Instant,
    ) -> State {
        let event = tokio::select! {
            event = watch.next() => event,
            () = at(self.resync_at) => {
                self.resync();
                return State::Watching { revision: seen, watch, since };
            }
            () = self.cache.stale() => return State::Empty,
        };
        let decode = |event| WatchEvent::read(event, |object| self.decoded.decode(object));
        match event.map(|event| event.and_then(decode)) {
            Some(Ok(event)) => {
                self.backoff.reset();
                seen = seen.max(event.revision);
                self.apply(event);
                State::Watching { revision: seen, watch, since }
            }
            Some(Err(error)) => {
                self.calm(since);
                self.wait("watch", &error, Next::after(&error, seen))
            }
            None => {
                self.calm(since);
                State::Waiting { delay: self.backoff.next_delay(), then: Next::Watch(seen) }
            }
        }
    }

    fn apply(&mut self, event: WatchEvent<Arc<K>>) {
        if event.kind != WatchEventKind::Bookmark {
            let deltas = diff::apply(&mut self.cache.write(), event);
            deltas.into_iter().for_each(&mut self.handler);
        }
    }

    /// Hands over everything again.
    fn resync(&mut self) {
        self.resync_at = next_resync(self.scope.resync);
        for object in self.cache.list() {
            (self.handler)(Delta::Applied { old: Some(object.clone()), new: object, trace: None });
        }
    }

    /// A watch that held for long was no failure, even if it was quiet.
    fn calm(&mut self, since: Instant) {
        if since.elapsed() >= MAX_DELAY {
            self.backoff.reset();
        }
    }

    fn wait(&mut self, what: &str, error: &ApiError, then: Next) -> State {
        let (kind, delay) = (K::KIND.plural, self.backoff.next_delay());
        // That api is away is told once by whoever made the channel, not for each kind and attempt.
        match error.code() {
            503 => tracing::debug!(kind, %error, ?delay, ?then, "{what} failed"),
            _ => tracing::warn!(kind, %error, ?delay, ?then, "{what} failed"),
        }
        State::Waiting { delay, then }
    }
}

// === impl Next ===

impl Next {
    /// After a failed watch: where it was, unless that place is no more.
    fn after(error: &ApiError, revision: u64) -> Self {
        let causes = error.status().details.as_ref().map(|details| details.causes.as_slice());
        let lost = causes.is_some_and(|causes| causes.iter().any(|cause| cause.reason == FROM_THE_FUTURE));
        if error.is_expired() || lost { Self::List } else { Self::Watch(revision) }
    }
}

fn revision(resource_version: &str) -> Result<u64, ApiError> {
    let bad = |_| ApiError::internal(format!("a list came with the resourceVersion {resource_version:?}"));
    resource_version.parse().map_err(bad)
}

/// A tenth of chance, so that many informers do not hand over at once.
fn next_resync(resync: Option<Duration>) -> Option<Instant> {
    resync.map(|resync| Instant::now() + resync.mul_f64(1.0 + fastrand::f64() / 10.0))
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use keelson_base_model::status::Reason;
    use keelson_proto::meta::{Status, StatusCause, StatusDetails};

    use super::*;

    #[test]
    fn only_a_lost_revision_is_a_reason_to_list_again() {
        let cause = StatusCause { reason: FROM_THE_FUTURE.into(), ..Default::default() };
        let details = Some(StatusDetails { causes: vec![cause], ..Default::default() });
        let timeout = ApiError::new(Reason::Timeout, "Too large resource version").into_status();
        let table = [
            (ApiError::expired("old"), Next::List),
            (ApiError::gone("old"), Next::List),
            (ApiError::from_status(Status { details, ..timeout.clone() }), Next::List),
            (ApiError::from_status(timeout), Next::Watch(7)),
            (ApiError::service_unavailable("down"), Next::Watch(7)),
            (ApiError::unauthorized(""), Next::Watch(7)),
            (ApiError::internal("bug"), Next::Watch(7)),
        ];
        for (error, next) in table {
            assert_eq!(Next::after(&error, 7), next, "{error}");
        }
    }
}
