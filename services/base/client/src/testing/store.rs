//! The objects, their revision, and the watches that hear of every write.

use std::collections::BTreeMap;

use bytes::Bytes;
use keelson_base_daemon::trace::TraceContext;
use keelson_proto::meta::{ListMeta, ObjectMeta};
use keelson_proto::v1::{ListRequest, RawList, RawWatchEvent, WatchEventType, WatchRequest};
use keelson_proto::wire;

use super::kinds::{Form, metadata};
use super::watch::{Change, Frames, Selection, Watches};
use crate::ApiError;

/// All objects, encoded as they were stored.
#[derive(Default)]
pub(super) struct Store {
    pub(super) revision: u64,
    objects: BTreeMap<Key, Bytes>,
    watches: Watches,
}

/// Service, namespace, name.
type Key = (&'static str, String, String);

// === impl Store ===

impl Store {
    pub(super) fn find(&self, form: Form, namespace: &str, name: &str) -> Result<Bytes, ApiError> {
        let found = self.objects.get(&key(form, namespace, name)).cloned();
        found.ok_or_else(|| ApiError::not_found(form.kind, name))
    }

    /// The objects of a kind with namespace and name, in that order.
    pub(super) fn all(&self, form: Form) -> impl Iterator<Item = ((&str, &str), &Bytes)> {
        let all = self.objects.range(key(form, "", "")..);
        all.take_while(move |((service, ..), _)| *service == form.kind.service)
            .map(|((_, namespace, name), object)| ((namespace.as_str(), name.as_str()), object))
    }

    /// Stores an object; one without a uid keeps the old one or gets one.
    pub(super) fn put(&mut self, form: Form, object: &[u8], trace: Option<TraceContext>) -> Bytes {
        self.revision += 1;
        let mut new = metadata(object);
        let key = key(form, &new.namespace, &new.name);
        let before = self.objects.get(&key).cloned();
        if new.uid.is_empty() {
            let old = before.as_ref().map(|before| metadata(before).uid);
            new.uid = old.unwrap_or_else(|| format!("uid-{}", self.revision));
        }
        new.resource_version = self.revision.to_string();
        let object = (form.with_metadata)(object, new.clone());
        self.objects.insert(key, object.clone());
        self.tell(form, WatchEventType::Modified, before, (new, object.clone()), trace);
        object
    }

    /// Removes an object that is there; `object` is its last state.
    pub(super) fn remove(&mut self, form: Form, object: &[u8]) -> Bytes {
        self.revision += 1;
        let last = metadata(object);
        let object = wire::with_resource_version(object, self.revision);
        let before = self.objects.remove(&key(form, &last.namespace, &last.name));
        self.tell(form, WatchEventType::Deleted, before, (last, object.clone()), None);
        object
    }

    /// One page. The token of the next one is the list's revision, and the last object's namespace and name.
    pub(super) fn list(&self, form: Form, request: &ListRequest) -> Result<RawList, ApiError> {
        let ListRequest { namespace, label_selector, field_selector, .. } = request;
        let selection = Selection::new(form, namespace, label_selector, field_selector)?;
        let mut token = request.r#continue.splitn(3, '/');
        let started = token.next().filter(|revision| !revision.is_empty());
        let revision = started.map_or_else(|| self.revision.to_string(), str::to_owned);
        let after = token.next().zip(token.next());
        let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0);
        let mut wanted = self
            .all(form)
            .filter(|(place, object)| after.is_none_or(|after| *place > after) && selection.includes(object));
        let page: Vec<_> = wanted.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
        let last = page.last().filter(|_| wanted.next().is_some());
        let next = last.map(|((namespace, name), _)| format!("{revision}/{namespace}/{name}"));
        let metadata = ListMeta {
            resource_version: revision,
            r#continue: next.unwrap_or_default(),
            ..ListMeta::default()
        };
        let items = page.into_iter().map(|(_, object)| object.clone()).collect();
        Ok(RawList { metadata: Some(metadata), items, ..RawList::default() })
    }

    /// Changes after a revision; without one, what there is comes first, as added.
    pub(super) fn watch(&mut self, form: Form, request: &WatchRequest) -> Result<Frames, ApiError> {
        let WatchRequest { namespace, label_selector, field_selector, resource_version, .. } = request;
        let selection = Selection::new(form, namespace, label_selector, field_selector)?;
        let from_now = matches!(resource_version.as_str(), "" | "0");
        if !from_now {
            let after = resource_version.parse();
            let after = after.map_err(|_| ApiError::bad_request("a resourceVersion is a number"))?;
            return Ok(self.watches.open(selection, Vec::new(), after));
        }
        let present = self.all(form).filter(|(_, object)| selection.includes(object));
        let present = present.map(|(_, object)| {
            let metadata = metadata(object);
            let revision = metadata.resource_version.parse().unwrap();
            event(WatchEventType::Added, metadata, object.clone(), revision)
        });
        let present = present.collect();
        Ok(self.watches.open(selection, present, self.revision))
    }

    fn tell(
        &mut self,
        form: Form,
        kind: WatchEventType,
        before: Option<Bytes>,
        (metadata, object): (ObjectMeta, Bytes),
        trace: Option<TraceContext>,
    ) {
        let mut event = event(kind, metadata, object, self.revision);
        if let Some(trace) = trace {
            event.trace_context = Bytes::copy_from_slice(&trace.to_bytes());
        }
        self.watches.tell(Change { service: form.kind.service, before, event });
    }
}

fn event(kind: WatchEventType, metadata: ObjectMeta, object: Bytes, revision: u64) -> RawWatchEvent {
    let ObjectMeta { namespace, name, uid, .. } = metadata;
    RawWatchEvent { r#type: kind.into(), object, namespace, name, uid, revision, ..RawWatchEvent::default() }
}

fn key(form: Form, namespace: &str, name: &str) -> Key {
    (form.kind.service, namespace.to_owned(), name.to_owned())
}
