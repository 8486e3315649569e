//! A runtime that runs nothing: containers are entries in a table. For clusters of a thousand nodes, and for tests.
//!
//! Everything succeeds at once, and a container runs until it is stopped — unless its command, or else its image, says
//! otherwise in its first word or last path component:
//!
//! | word | what happens |
//! |---|---|
//! | `exit:3` | it ends at once with code 3 |
//! | `exit:3:20` | it ends after 20 seconds with code 3 |
//! | `stubborn` | it ends only when it is killed |
//! | `unstartable` | it cannot be started |
//! | `unpullable` (image) | it is not there, and cannot be pulled |

mod behavior;
mod holdings;
mod streams;
mod table;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::trace;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use self::behavior::Behavior;
use self::table::Table;
use crate::clock::Clock;
use crate::runtime::{
    ContainerSpec, ContainerState, Credentials, ImageError, ImageStatus, LogOptions, ObservedContainer,
    Runtime, RuntimeError, RuntimeEvent, RuntimeInfo,
};

/// Events that a slow subscriber may leave unread before it is told to list again.
const EVENTS: usize = 1024;

/// Exit codes after SIGTERM and SIGKILL.
const TERMINATED: i32 = 128 + 15;
const KILLED: i32 = 128 + 9;

/// A runtime that runs nothing. Clones are the same runtime.
#[derive(Clone)]
pub struct HollowRuntime {
    table: Arc<Mutex<Table>>,
    events: broadcast::Sender<RuntimeEvent>,
    clock: Clock,
    tasks: Tasks,
}

// === impl HollowRuntime ===

impl HollowRuntime {
    /// An empty runtime that gives pods the addresses after `first`, at most `addresses` of them at a time.
    pub fn new(first: Ipv4Addr, addresses: u32, clock: Clock, tasks: &Tasks) -> Self {
        let (events, _) = broadcast::channel(EVENTS);
        let table = Arc::new(Mutex::new(Table::new(first, addresses)));
        Self { table, events, clock, tasks: tasks.child("hollow") }
    }

    /// Ends a running container with this code, as if its program had ended.
    pub fn end(&self, id: &str, code: i32) {
        self.finish(id, code, false);
    }

    /// Ends a running container as the kernel does when memory is short.
    pub fn run_out_of_memory(&self, id: &str) {
        self.finish(id, KILLED, true);
    }

    /// All containers, those of other pods included.
    pub fn containers(&self) -> Vec<ObservedContainer> {
        self.table().list(None)
    }

    fn finish(&self, id: &str, code: i32, oom_killed: bool) {
        let now = self.clock.now();
        if let Some(pod_uid) = self.table().finish(id, code, oom_killed, now) {
            self.tell(RuntimeEvent::Died { id: id.to_owned(), pod_uid });
        }
    }

    fn finish_after(&self, id: String, code: i32, delay: Duration) {
        let (runtime, draining) = (self.clone(), self.tasks.draining());
        self.tasks.spawn("container", async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => runtime.finish(&id, code, false),
                () = draining => {}
            }
        });
    }

    fn create(&self, spec: ContainerSpec) -> Result<ObservedContainer, RuntimeError> {
        let behavior = Behavior::of(&spec);
        let now = self.clock.now();
        let container = self.table().create(spec, behavior, now)?;
        let id = container.id.clone();
        if behavior == Behavior::Unstartable {
            return Err(RuntimeError::Refused {
                operation: "start container",
                message: "the program is not to be found".to_owned(),
            });
        }
        let pod_uid = container.identity.pod.uid;
        self.tell(RuntimeEvent::Started { id: id.clone(), pod_uid });
        match behavior {
            Behavior::Exit { code, after: Duration::ZERO } => self.finish(&id, code, false),
            Behavior::Exit { code, after } => self.finish_after(id.clone(), code, after),
            _ => {}
        }
        self.table().get(&id).ok_or(RuntimeError::NotFound { id })
    }

    async fn end_within(&self, id: &str, grace: Duration) {
        let behavior = self.table().behavior(id);
        match behavior {
            Some(Behavior::Stubborn) => {
                tokio::time::sleep(grace).await;
                self.finish(id, KILLED, false);
            }
            Some(_) => self.finish(id, if grace.is_zero() { KILLED } else { TERMINATED }, false),
            None => {}
        }
    }

    /// Ends when a container does that runs at this moment.
    fn died(&self, id: &str) -> BoxFuture<'static, ()> {
        let id = id.to_owned();
        let ended = BroadcastStream::new(self.events.subscribe()).filter(move |event| {
            let died = matches!(event, Ok(RuntimeEvent::Died { id: died, .. }) if *died == id);
            std::future::ready(died || event.is_err())
        });
        ended.into_future().map(drop).boxed()
    }

    fn tell(&self, event: RuntimeEvent) {
        // Nobody listening is no fault.
        let _ = self.events.send(event);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime for HollowRuntime {
    fn info(&self) -> BoxFuture<'_, Result<RuntimeInfo, RuntimeError>> {
        let info = RuntimeInfo {
            name: "hollow".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            os_image: String::new(),
        };
        std::future::ready(Ok(info)).boxed()
    }

    fn list<'a>(
        &'a self,
        pod_uid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<ObservedContainer>, RuntimeError>> {
        std::future::ready(Ok(self.table().list(pod_uid))).boxed()
    }

    fn events(&self) -> BoxStream<'static, Result<RuntimeEvent, RuntimeError>> {
        let events = BroadcastStream::new(self.events.subscribe()).map(|event| {
            event.map_err(|lagged| RuntimeError::Unreachable {
                operation: "follow its events",
                message: lagged.to_string(),
            })
        });
        stream::iter([Ok(RuntimeEvent::Connected)]).chain(events).boxed()
    }

    fn image<'a>(
        &'a self,
        image: &'a str,
        pull: Option<&'a [Credentials]>,
    ) -> BoxFuture<'a, Result<ImageStatus, ImageError>> {
        let span = trace::span("hollow inspect image");
        span.instrument_result(std::future::ready(behavior::image(image, pull.is_some()))).boxed()
    }

    fn start(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<ObservedContainer, RuntimeError>> {
        trace::span("hollow start container").instrument_result(async { self.create(spec) }).boxed()
    }

    fn stop<'a>(&'a self, id: &'a str, grace: Duration) -> BoxFuture<'a, Result<(), RuntimeError>> {
        let stop = async move {
            self.end_within(id, grace).await;
            Ok(())
        };
        trace::span("hollow stop container").instrument_result(stop).boxed()
    }

    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        let removed = self.table().remove(id);
        if let Ok(Some(pod_uid)) = &removed {
            self.tell(RuntimeEvent::Removed { id: id.to_owned(), pod_uid: pod_uid.clone() });
        }
        std::future::ready(removed.map(drop)).boxed()
    }

    fn logs(&self, id: &str, options: LogOptions) -> BoxStream<'static, Result<Bytes, RuntimeError>> {
        let Some(container) = self.table().get(id) else {
            return stream::iter([Err(RuntimeError::NotFound { id: id.to_owned() })]).boxed();
        };
        let line = format!("{} attempt {}\n", container.identity.container, container.identity.attempt);
        let first = stream::iter([Ok(Bytes::from(line))]);
        let running = matches!(container.state, ContainerState::Running { .. });
        if !options.follow || !running {
            return first.boxed();
        }
        let ended = stream::once(self.died(id)).filter_map(|()| std::future::ready(None));
        first.chain(ended).boxed()
    }
}

#[cfg(test)]
mod tests;
