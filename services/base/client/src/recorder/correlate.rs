//! Which notes become Events, which raise the count of one, and which are not heard.

mod recent;

use std::sync::Arc;
use std::time::Duration;

use keelson_proto::core::{Event, EventSource, ObjectReference};
use keelson_proto::meta::{ObjectMeta, Time};
use tokio::time::Instant;

use self::recent::Recent;
use super::{EventType, Note};

/// How many notes, and objects told of, are remembered. The least recent are forgotten: their next repeat is new.
const REMEMBERED: usize = 4096;

/// An object's allowance: this many notes at once, then one for each pause. Both as in Kubernetes.
const BURST: u32 = 25;
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// The longest name that leaves room for a suffix within the 253 bytes of a name.
const MAX_STEM: usize = 236;

/// Objects outside namespaces have their events here.
const DEFAULT_NAMESPACE: &str = "default";

/// Remembers what was told.
pub(super) struct Correlator {
    source: Arc<EventSource>,
    events: Recent<Told, Event>,
    allowances: Recent<About, Allowance>,
}

/// What is to be done about a note.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// A new event.
    Create(Event),
    /// An event with a higher count than it has in api.
    Repeat(Event),
    /// Nothing: too much has been said about this object.
    Unheard,
}

/// Notes that say the same.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Told {
    about: About,
    kind: EventType,
    reason: String,
    message: String,
}

/// The object (or part of it) that a note is about.
#[derive(Clone, PartialEq, Eq, Hash)]
struct About {
    kind: String,
    namespace: String,
    name: String,
    uid: String,
    field_path: String,
}

/// How much may still be said about an object: a token bucket.
struct Allowance {
    left: u32,
    since: Instant,
}

// === impl Correlator ===

impl Correlator {
    pub(super) fn new(source: Arc<EventSource>) -> Self {
        Self { source, events: Recent::new(REMEMBERED), allowances: Recent::new(REMEMBERED) }
    }

    /// Judges a note that was told now; `suffix` makes a new event's name unique.
    pub(super) fn judge(&mut self, note: Note, now: Instant, wall: Time, suffix: u64) -> Outcome {
        let about = About::from(&note.object);
        if !self.allowances.get(about.clone(), || Allowance { left: BURST, since: now }).take(now) {
            return Outcome::Unheard;
        }
        let (reason, message) = (note.reason.clone(), note.message.clone());
        let told = Told { about, kind: note.kind, reason, message };
        let source = &self.source;
        let event = self.events.get(told, || event(note, source, wall, suffix));
        event.count += 1;
        event.last_timestamp = Some(wall);
        match event.count {
            1 => Outcome::Create(event.clone()),
            _ => Outcome::Repeat(event.clone()),
        }
    }
}

/// An event that nobody has told yet.
fn event(note: Note, source: &EventSource, now: Time, suffix: u64) -> Event {
    let object = note.object;
    let namespace = if object.namespace.is_empty() { DEFAULT_NAMESPACE } else { &object.namespace };
    let stem = object.name.get(..MAX_STEM).unwrap_or(&object.name);
    let metadata = ObjectMeta {
        name: format!("{}.{suffix:x}", stem.trim_end_matches(['.', '-'])),
        namespace: namespace.to_owned(),
        ..Default::default()
    };
    Event {
        metadata,
        reason: note.reason,
        message: note.message,
        source: source.clone(),
        first_timestamp: Some(now),
        r#type: note.kind.as_str().to_owned(),
        reporting_component: source.component.clone(),
        reporting_instance: source.host.clone(),
        involved_object: object,
        ..Default::default()
    }
}

// === impl About ===

impl From<&ObjectReference> for About {
    fn from(object: &ObjectReference) -> Self {
        Self {
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            uid: object.uid.clone(),
            field_path: object.field_path.clone(),
        }
    }
}

// === impl Allowance ===

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let pauses = now.duration_since(self.since).as_secs() / PAUSE.as_secs();
        let pauses = u32::try_from(pauses).unwrap_or(u32::MAX);
        if pauses > 0 {
            self.left = self.left.saturating_add(pauses).min(BURST);
            self.since += PAUSE.saturating_mul(pauses);
        }
        let heard = self.left > 0;
        self.left = self.left.saturating_sub(1);
        heard
    }
}

#[cfg(test)]
mod tests;
