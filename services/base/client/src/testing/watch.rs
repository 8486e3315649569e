//! Watches: what happened, as somebody sees it who selects.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use keelson_base_model::fields::FieldSelector;
use keelson_base_model::labels::Selector;
use keelson_proto::Message as _;
use keelson_proto::v1::{RawWatchEvent, WatchEventType};
use serde_json::Value;
use tokio::sync::mpsc;
use tonic::Status;

use super::kinds::{Form, metadata};
use crate::ApiError;

pub(super) type Frames = BoxStream<'static, Result<Bytes, Status>>;

/// Which objects of a kind are meant.
pub(super) struct Selection {
    pub(super) form: Form,
    namespace: String,
    labels: Selector,
    fields: FieldSelector,
}

/// A write: the object before it, and the event that tells of it.
pub(super) struct Change {
    pub(super) service: &'static str,
    pub(super) before: Option<Bytes>,
    pub(super) event: RawWatchEvent,
}

/// All that happened, and who wants to know.
#[derive(Default)]
pub(super) struct Watches {
    history: Vec<Change>,
    open: Vec<(Selection, mpsc::UnboundedSender<Bytes>)>,
}

// === impl Selection ===

impl Selection {
    pub(super) fn new(form: Form, namespace: &str, labels: &str, fields: &str) -> Result<Self, ApiError> {
        Ok(Self {
            form,
            namespace: namespace.to_owned(),
            labels: Selector::parse(labels).map_err(|error| ApiError::bad_request(error.to_string()))?,
            fields: FieldSelector::parse(fields).map_err(|error| ApiError::bad_request(error.to_string()))?,
        })
    }

    pub(super) fn includes(&self, object: &[u8]) -> bool {
        if self.namespace.is_empty() && self.labels.is_everything() && self.fields.is_everything() {
            return true;
        }
        let metadata = metadata(object);
        (self.namespace.is_empty() || self.namespace == metadata.namespace)
            && self.labels.matches(&metadata.labels)
            && (self.fields.is_everything() || self.has_fields(object))
    }

    /// Fields are selected by their path in the object's JSON; only texts can be.
    fn has_fields(&self, object: &[u8]) -> bool {
        let value = (self.form.to_json)(object);
        let text =
            |path: &str| value.pointer(&format!("/{}", path.replace('.', "/"))).and_then(Value::as_str);
        self.fields.matches(text)
    }

    /// The event that tells of a change. An object that begins or ceases to be selected comes or goes.
    fn view(&self, change: &Change) -> Option<RawWatchEvent> {
        if change.service != self.form.kind.service {
            return None;
        }
        let was = change.before.as_ref().is_some_and(|before| self.includes(before));
        let is = change.event.r#type() != WatchEventType::Deleted && self.includes(&change.event.object);
        let kind = match (was, is) {
            (false, false) => return None,
            (false, true) => WatchEventType::Added,
            (true, true) => WatchEventType::Modified,
            (true, false) => WatchEventType::Deleted,
        };
        let mut event = change.event.clone();
        event.set_type(kind);
        Some(event)
    }
}

// === impl Watches ===

impl Watches {
    pub(super) fn tell(&mut self, change: Change) {
        self.open.retain(|(selection, frames)| {
            let event = selection.view(&change);
            event.is_none_or(|event| frames.send(event.encode_to_vec().into()).is_ok())
        });
        self.history.push(change);
    }

    /// First `present`, then what happened after this revision, then what happens.
    pub(super) fn open(&mut self, selection: Selection, present: Vec<RawWatchEvent>, after: u64) -> Frames {
        let missed = self.history.iter().filter(|change| change.event.revision > after);
        let missed = missed.filter_map(|change| selection.view(change));
        let first: Vec<_> = present.into_iter().chain(missed).collect();
        let (frames, mut frames_rx) = mpsc::unbounded_channel();
        self.open.push((selection, frames));
        let first = stream::iter(first).map(|event| Bytes::from(event.encode_to_vec()));
        first.chain(stream::poll_fn(move |cx| frames_rx.poll_recv(cx))).map(Ok).boxed()
    }
}
