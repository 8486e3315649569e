//! Events: what a component tells users about their objects. Telling never holds up the work it is about.
//!
//! [`Recorder::event`] puts a note into a bounded queue; one task writes them to api. Repeats raise the count of the
//! Event that is there already; a component that says too much about one object is not heard for a while.

mod correlate;
mod write;

use std::fmt;
use std::sync::Arc;

use keelson_base_daemon::tasks::Tasks;
use keelson_proto::Object;
use keelson_proto::core::{Event, EventSource, ObjectReference};
use tokio::sync::mpsc;

use self::write::Writer;
use crate::Client;

/// Notes that may wait to be written; more are dropped and counted in a log line.
const WAITING: usize = 1000;

/// Tells of objects on behalf of one component. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    notes: Option<mpsc::Sender<Note>>,
    source: Arc<EventSource>,
}

/// Whether an event is bad news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// Things go as they should.
    Normal,
    /// Something needs attention.
    Warning,
}

/// One thing that was told.
#[derive(Clone, Debug, PartialEq)]
struct Note {
    object: ObjectReference,
    kind: EventType,
    reason: String,
    message: String,
}

// === impl Recorder ===

impl Recorder {
    /// Writes events of `component` (for instance `scheduler`) on `host` ("" if that does not matter) in a task of
    /// `tasks`.
    pub fn spawn(tasks: &Tasks, client: &Client, component: &str, host: &str) -> Self {
        let (notes, notes_rx) = mpsc::channel(WAITING);
        let source = Arc::new(EventSource { component: component.to_owned(), host: host.to_owned() });
        let writer = Writer::new(client.api::<Event>(), source.clone());
        let draining = tasks.draining();
        tasks.spawn("events", writer.run(notes_rx, draining));
        Self { notes: Some(notes), source }
    }

    /// Tells nobody: for tests and tools.
    pub fn off() -> Self {
        Self { notes: None, source: Arc::default() }
    }

    /// Tells of `object` that, for `reason` (one CamelCase word), `message`. Never waits.
    pub fn event(&self, object: &ObjectReference, kind: EventType, reason: &str, message: impl Into<String>) {
        let Some(notes) = &self.notes else {
            return;
        };
        let note = Note { object: object.clone(), kind, reason: reason.to_owned(), message: message.into() };
        if notes.try_send(note).is_err() {
            tracing::warn!(component = %self.source.component, reason, object = %object.name, "event dropped: too many wait");
        }
    }

    /// Tells of something that goes as it should.
    pub fn normal(&self, object: &ObjectReference, reason: &str, message: impl Into<String>) {
        self.event(object, EventType::Normal, reason, message);
    }

    /// Tells of something that needs attention.
    pub fn warning(&self, object: &ObjectReference, reason: &str, message: impl Into<String>) {
        self.event(object, EventType::Warning, reason, message);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("source", &self.source).finish_non_exhaustive()
    }
}

// === impl EventType ===

impl EventType {
    /// As it is written in an Event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an Event names its object.
pub fn reference<K: Object>(object: &K) -> ObjectReference {
    let metadata = object.metadata();
    ObjectReference {
        kind: K::KIND.kind.to_owned(),
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        api_version: K::KIND.api_version(),
        resource_version: metadata.resource_version.clone(),
        field_path: String::new(),
    }
}

#[cfg(test)]
mod tests;
