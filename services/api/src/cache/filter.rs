//! What a list or watch selects.

use std::sync::Arc;

use keelson_base_model::fields::FieldSelector;
use keelson_base_model::labels::Selector;
use keelson_proto::v1::WatchEventType;

use crate::cache::{Delivery, Entry, Event};

/// What a list or watch selects. The default selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Filter {
    /// `namespace/`, `namespace/name` (or a name outside namespaces), or "" for everything.
    prefix: String,
    /// Whether the prefix names one object.
    single: bool,
    labels: Selector,
    fields: FieldSelector,
}

/// Who could be interested in an event without looking at selectors: how watchers are found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Interest {
    /// Anybody.
    Any,
    /// Those who watch one namespace.
    Namespace(String),
    /// Those who watch one object.
    Object(String),
    /// Those who watch the pods of one node.
    Node(String),
}

/// The field by which kubelets select their pods.
const NODE_NAME: &str = "spec.nodeName";

// === impl Filter ===

impl Filter {
    /// What the selectors meet in a namespace, or in all of them if it is "".
    pub(crate) fn new(namespace: &str, labels: Selector, fields: FieldSelector) -> Self {
        let name = fields.exact("metadata.name").filter(|name| !name.is_empty());
        let namespace = match namespace {
            "" => fields.exact("metadata.namespace").unwrap_or_default(),
            namespace => namespace,
        };
        // Without a namespace a name alone is no path of a namespaced kind, and need not be one: the
        // selector is matched like any other.
        let (prefix, single) = match (namespace, name) {
            ("", _) => (String::new(), false),
            (namespace, Some(name)) => (format!("{namespace}/{name}"), true),
            (namespace, None) => (format!("{namespace}/"), false),
        };
        Self { prefix, single, labels, fields }
    }

    /// Where the paths begin of all that it can meet.
    pub(crate) fn path_prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether it selects by more than the namespace.
    pub(crate) fn selects(&self) -> bool {
        self.single || !self.labels.is_everything() || !self.fields.is_everything()
    }

    /// Whether it meets an object.
    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        let path =
            if self.single { *entry.path == self.prefix } else { entry.path.starts_with(&self.prefix) };
        path && self.labels.matches(&entry.labels) && self.fields.matches(|field| Some(entry.field(field)))
    }

    /// What an event is to a watcher with this filter, if it is anything.
    pub(crate) fn deliver(&self, event: &Arc<Event>) -> Option<Delivery> {
        let meets = |entry: &Option<Arc<Entry>>| entry.as_ref().is_some_and(|entry| self.matches(entry));
        let kind = match (meets(&event.old), meets(&event.new)) {
            (false, true) => WatchEventType::Added,
            (true, true) => WatchEventType::Modified,
            (true, false) => WatchEventType::Deleted,
            (false, false) => return None,
        };
        Some(Delivery { event: event.clone(), kind })
    }

    /// Under what the watcher is found.
    pub(crate) fn interest(&self) -> Interest {
        if self.single {
            return Interest::Object(self.prefix.clone());
        }
        match self.fields.exact(NODE_NAME) {
            Some(node) if !node.is_empty() => Interest::Node(node.to_owned()),
            _ if self.prefix.is_empty() => Interest::Any,
            _ => Interest::Namespace(self.prefix.trim_end_matches('/').to_owned()),
        }
    }
}

// === impl Interest ===

impl Interest {
    /// All interests that an event can meet.
    pub(crate) fn of(event: &Event) -> Vec<Self> {
        let Some(entry) = event.new.as_ref().or(event.old.as_ref()) else { return Vec::new() };
        let mut interests = vec![Self::Any, Self::Object(entry.path.to_string())];
        if !entry.namespace().is_empty() {
            interests.push(Self::Namespace(entry.namespace().to_owned()));
        }
        for entry in event.old.iter().chain(&event.new) {
            let node = entry.field(NODE_NAME);
            let interest = Self::Node(node.to_owned());
            if !node.is_empty() && !interests.contains(&interest) {
                interests.push(interest);
            }
        }
        interests
    }
}
