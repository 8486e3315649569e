//! A runtime that fails or hesitates where a test says so, around one that works.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::watch;

use crate::runtime::{
    Connection, ContainerSpec, Credentials, Holdings, Image, ImageError, ImageStatus, LogOptions,
    Measurement, ObservedContainer, Runtime, RuntimeError, RuntimeEvent, RuntimeInfo, Session, Streams,
    Wanted,
};

/// The calls of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`Runtime::info`]
    Info,
    /// [`Runtime::list`]
    List,
    /// [`Runtime::events`]
    Events,
    /// [`Runtime::image`]
    Image,
    /// [`Runtime::start`]
    Start,
    /// [`Runtime::stop`]
    Stop,
    /// [`Runtime::remove`]
    Remove,
    /// [`Runtime::logs`]
    Logs,
    /// [`Streams::exec`]
    Exec,
    /// [`Streams::attach`]
    Attach,
    /// [`Streams::connect`]
    Connect,
    /// [`Holdings::measure`]
    Measure,
    /// [`Holdings::images`]
    Images,
    /// [`Holdings::remove_image`]
    RemoveImage,
}

/// A runtime that fails or hesitates on demand, around one that works. Clones are the same.
#[derive(Clone)]
pub struct ScriptedRuntime {
    inner: Arc<dyn Runtime>,
    script: Arc<Mutex<Script>>,
    /// Calls that wait until they are let go.
    held: watch::Sender<Vec<Call>>,
    /// Counts up when all event streams break.
    broken: watch::Sender<u64>,
}

#[derive(Default)]
struct Script {
    failures: BTreeMap<Call, VecDeque<RuntimeError>>,
    counts: BTreeMap<Call, usize>,
}

// === impl ScriptedRuntime ===

impl ScriptedRuntime {
    /// Does what `inner` does until told otherwise.
    pub fn new(inner: Arc<dyn Runtime>) -> Self {
        let script = Arc::default();
        Self { inner, script, held: watch::Sender::new(Vec::new()), broken: watch::Sender::new(0) }
    }

    /// Fails the next call of this kind; called again, the one after it.
    pub fn fail(&self, call: Call, error: RuntimeError) {
        self.script().failures.entry(call).or_default().push_back(error);
    }

    /// Lets calls of this kind wait until [released](Self::release).
    pub fn hold(&self, call: Call) {
        self.held.send_modify(|held| held.push(call));
    }

    /// Lets calls of this kind go on.
    pub fn release(&self, call: Call) {
        self.held.send_modify(|held| held.retain(|held| *held != call));
    }

    /// Breaks all event streams, as a restart of the runtime does.
    pub fn disconnect(&self) {
        self.broken.send_modify(|count| *count += 1);
    }

    /// How many calls of this kind there were.
    pub fn count(&self, call: Call) -> usize {
        self.script().counts.get(&call).copied().unwrap_or(0)
    }

    /// Notes a call; the failure that it is to have, after it has waited.
    async fn enter(&self, call: Call) -> Result<(), RuntimeError> {
        let failure = self.note(call);
        let mut held = self.held.subscribe();
        // The sender lives in `self`.
        let _ = held.wait_for(|held| !held.contains(&call)).await;
        failure.map_or(Ok(()), Err)
    }

    fn note(&self, call: Call) -> Option<RuntimeError> {
        let mut script = self.script();
        *script.counts.entry(call).or_default() += 1;
        script.failures.get_mut(&call).and_then(VecDeque::pop_front)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime for ScriptedRuntime {
    fn info(&self) -> BoxFuture<'_, Result<RuntimeInfo, RuntimeError>> {
        async {
            self.enter(Call::Info).await?;
            self.inner.info().await
        }
        .boxed()
    }

    fn list<'a>(
        &'a self,
        pod_uid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<ObservedContainer>, RuntimeError>> {
        async move {
            self.enter(Call::List).await?;
            self.inner.list(pod_uid).await
        }
        .boxed()
    }

    fn events(&self) -> BoxStream<'static, Result<RuntimeEvent, RuntimeError>> {
        if let Some(error) = self.note(Call::Events) {
            return stream::iter([Err(error)]).boxed();
        }
        let mut broken = self.broken.subscribe();
        let cut = async move {
            // A runtime that is dropped breaks its streams too.
            let _ = broken.changed().await;
        };
        let error =
            RuntimeError::Unreachable { operation: "follow its events", message: "disconnected".to_owned() };
        self.inner.events().take_until(cut).chain(stream::iter([Err(error)])).boxed()
    }

    fn image<'a>(
        &'a self,
        image: &'a str,
        pull: Option<&'a [Credentials]>,
    ) -> BoxFuture<'a, Result<ImageStatus, ImageError>> {
        async move {
            self.enter(Call::Image).await?;
            self.inner.image(image, pull).await
        }
        .boxed()
    }

    fn start(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<ObservedContainer, RuntimeError>> {
        async {
            self.enter(Call::Start).await?;
            self.inner.start(spec).await
        }
        .boxed()
    }

    fn stop<'a>(&'a self, id: &'a str, grace: Duration) -> BoxFuture<'a, Result<(), RuntimeError>> {
        async move {
            self.enter(Call::Stop).await?;
            self.inner.stop(id, grace).await
        }
        .boxed()
    }

    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        async move {
            self.enter(Call::Remove).await?;
            self.inner.remove(id).await
        }
        .boxed()
    }

    fn logs(&self, id: &str, options: LogOptions) -> BoxStream<'static, Result<Bytes, RuntimeError>> {
        match self.note(Call::Logs) {
            Some(error) => stream::iter([Err(error)]).boxed(),
            None => self.inner.logs(id, options),
        }
    }
}

impl Streams for ScriptedRuntime {
    fn exec<'a>(
        &'a self,
        id: &'a str,
        command: &'a [String],
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<Session, RuntimeError>> {
        async move {
            self.enter(Call::Exec).await?;
            self.inner.exec(id, command, wanted).await
        }
        .boxed()
    }

    fn attach<'a>(&'a self, id: &'a str, wanted: Wanted) -> BoxFuture<'a, Result<Session, RuntimeError>> {
        async move {
            self.enter(Call::Attach).await?;
            self.inner.attach(id, wanted).await
        }
        .boxed()
    }

    fn connect<'a>(
        &'a self,
        id: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, RuntimeError>> {
        async move {
            self.enter(Call::Connect).await?;
            self.inner.connect(id, port).await
        }
        .boxed()
    }
}

impl Holdings for ScriptedRuntime {
    fn measure<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Measurement, RuntimeError>> {
        async move {
            self.enter(Call::Measure).await?;
            self.inner.measure(id).await
        }
        .boxed()
    }

    fn images(&self) -> BoxFuture<'_, Result<Vec<Image>, RuntimeError>> {
        async {
            self.enter(Call::Images).await?;
            self.inner.images().await
        }
        .boxed()
    }

    fn remove_image<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>> {
        async move {
            self.enter(Call::RemoveImage).await?;
            self.inner.remove_image(id).await
        }
        .boxed()
    }
}
