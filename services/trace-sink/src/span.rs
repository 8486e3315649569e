//! A span and a trace, as they are kept and as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The attributes that say which pod a span is about.
const NAMESPACE: &str = "k8s.namespace.name";
const POD: &str = "k8s.pod.name";

/// A named stretch of work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The trace's id: 32 hex digits.
    pub trace_id: String,
    /// Its own id: 16 hex digits.
    pub span_id: String,
    /// The span it is part of; none for the first of a trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// What was done.
    pub name: String,
    /// Which side of a call it was.
    pub kind: Kind,
    /// Who did it: `service.name`.
    pub service: String,
    /// Which of several: `service.instance.id`.
    pub instance: String,
    /// When it began: nanoseconds since 1970.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// Details, spelled out.
    pub attributes: BTreeMap<String, String>,
    /// Other spans that have to do with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// What went wrong, if anything did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which side of a call a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Work inside a program.
    #[default]
    Internal,
    /// Serving a call.
    Server,
    /// Making a call.
    Client,
    /// Sending a message.
    Producer,
    /// Receiving a message.
    Consumer,
}

/// Another span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its trace.
    pub trace_id: String,
    /// Its id.
    pub span_id: String,
}

/// A pod's namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// All known spans of one trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Its id: 32 hex digits.
    pub id: String,
    /// Its spans, in the order in which they arrived.
    pub spans: Vec<Span>,
    /// Spans that were not kept because the trace has too many.
    pub dropped: usize,
}

/// A trace in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its id: 32 hex digits.
    pub id: String,
    /// The name of its first span.
    pub name: String,
    /// The service of its first span.
    pub service: String,
    /// When it began: nanoseconds since 1970.
    pub start: u64,
    /// When its last span ended.
    pub end: u64,
    /// How many spans it has.
    pub spans: usize,
    /// How many of them failed.
    pub errors: usize,
    /// How many of them have a parent that is not here.
    pub orphans: usize,
    /// The pods that its spans are about.
    pub pods: Vec<PodName>,
}

// === impl Span ===

impl Span {
    /// The pod that the span is about.
    pub fn pod(&self) -> Option<PodName> {
        let of = |key: &str| self.attributes.get(key).filter(|value| !value.is_empty()).cloned();
        Some(PodName { namespace: of(NAMESPACE)?, name: of(POD)? })
    }
}

// === impl Kind ===

impl Kind {
    /// Its name, in small letters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

// === impl Trace ===

impl Trace {
    /// The trace in few words.
    pub fn summary(&self) -> Summary {
        let ids: BTreeSet<&str> = self.spans.iter().map(|span| span.span_id.as_str()).collect();
        let is_orphan =
            |span: &&Span| span.parent_span_id.as_ref().is_some_and(|parent| !ids.contains(parent.as_str()));
        let first = self.spans.iter().min_by_key(|span| (span.parent_span_id.is_some(), span.start));
        let pods: BTreeSet<PodName> = self.spans.iter().filter_map(Span::pod).collect();
        Summary {
            id: self.id.clone(),
            name: first.map(|first| first.name.clone()).unwrap_or_default(),
            service: first.map(|first| first.service.clone()).unwrap_or_default(),
            start: self.spans.iter().map(|span| span.start).min().unwrap_or_default(),
            end: self.spans.iter().map(|span| span.end).max().unwrap_or_default(),
            spans: self.spans.len(),
            errors: self.spans.iter().filter(|span| span.error.is_some()).count(),
            orphans: self.spans.iter().filter(is_orphan).count(),
            pods: pods.into_iter().collect(),
        }
    }
}

impl std::fmt::Display for PodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
