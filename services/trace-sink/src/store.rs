//! The latest traces, in memory, bounded in number and in size.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::span::{PodName, Span, Summary, Trace};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most traces; of more the one that came first is forgotten.
    pub traces: usize,
    /// Most spans of a trace; further ones are counted only.
    pub spans: usize,
}

/// The latest traces. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    limits: Limits,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    traces: HashMap<String, Kept>,
    /// The traces' ids, in the order of their first spans' arrival.
    order: VecDeque<String>,
}

#[derive(Debug, Default)]
struct Kept {
    trace: Trace,
    /// The spans that are here: a sender that missed our answer sends again.
    ids: HashSet<String>,
    pods: HashSet<PodName>,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self { traces: 1000, spans: 10_000 }
    }
}

// === impl Store ===

impl Store {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self { limits, inner: Arc::default() }
    }

    /// Adds spans.
    pub fn add(&self, spans: impl IntoIterator<Item = Span>) {
        let mut inner = self.inner();
        for span in spans {
            inner.add(span, self.limits);
        }
    }

    /// One trace.
    pub fn get(&self, id: &str) -> Option<Trace> {
        self.inner().traces.get(id).map(|kept| kept.trace.clone())
    }

    /// All traces, or those of a pod; the one that began last comes first.
    pub fn list(&self, pod: Option<&PodName>) -> Vec<Summary> {
        let inner = self.inner();
        let wanted = inner.traces.values().filter(|kept| pod.is_none_or(|pod| kept.pods.contains(pod)));
        let mut found: Vec<_> = wanted.map(|kept| kept.trace.summary()).collect();
        drop(inner);
        found.sort_by(|a, b| b.start.cmp(&a.start).then_with(|| a.id.cmp(&b.id)));
        found
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

// === impl Inner ===

impl Inner {
    fn add(&mut self, span: Span, limits: Limits) {
        if !self.traces.contains_key(&span.trace_id) {
            self.order.push_back(span.trace_id.clone());
            while self.order.len() > limits.traces.max(1) {
                let Some(oldest) = self.order.pop_front() else { break };
                self.traces.remove(&oldest);
            }
        }
        let kept = self.traces.entry(span.trace_id.clone()).or_default();
        kept.trace.id.clone_from(&span.trace_id);
        if kept.ids.contains(&span.span_id) {
            return;
        }
        if kept.trace.spans.len() >= limits.spans {
            kept.trace.dropped += 1;
            return;
        }
        kept.ids.insert(span.span_id.clone());
        kept.pods.extend(span.pod());
        kept.trace.spans.push(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_span(trace: &str, id: &str, start: u64, pod: &str) -> Span {
        let attributes = [("k8s.namespace.name", "default"), ("k8s.pod.name", pod)];
        Span {
            trace_id: trace.into(),
            span_id: id.into(),
            start,
            attributes: attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            ..Span::default()
        }
    }

    fn ids(summaries: &[Summary]) -> Vec<&str> {
        summaries.iter().map(|summary| summary.id.as_str()).collect()
    }

    #[test]
    fn the_oldest_traces_are_forgotten_and_long_ones_are_cut() {
        let store = Store::new(Limits { traces: 2, spans: 2 });
        store.add([mk_span("a", "1", 1, ""), mk_span("b", "1", 2, ""), mk_span("a", "2", 3, "")]);
        store.add([mk_span("a", "3", 4, ""), mk_span("a", "2", 3, "")]);
        let a = store.get("a").unwrap();
        assert_eq!((a.spans.len(), a.dropped), (2, 1), "a span that is sent again is no other");
        store.add([mk_span("c", "1", 5, "")]);
        assert_eq!(ids(&store.list(None)), ["c", "b"]);
        assert_eq!(store.get("a"), None);
    }

    #[test]
    fn a_pods_traces_are_found_latest_first() {
        let store = Store::default();
        store.add([
            mk_span("old", "1", 1, "web"),
            mk_span("new", "1", 9, "web"),
            mk_span("else", "1", 10, "db"),
        ]);
        let pod = |name: &str| PodName { namespace: "default".into(), name: name.into() };
        assert_eq!(ids(&store.list(Some(&pod("web")))), ["new", "old"]);
        assert_eq!(ids(&store.list(Some(&pod("db")))), ["else"]);
        assert!(store.list(Some(&pod("nobody"))).is_empty());
    }

    #[test]
    fn a_summary_counts_what_went_wrong_and_what_is_missing() {
        let mut failed = mk_span("a", "2", 5, "web");
        failed.error = Some("no".into());
        failed.parent_span_id = Some("1".into());
        failed.end = 20;
        let mut orphan = mk_span("a", "3", 1, "web");
        orphan.parent_span_id = Some("gone".into());
        let root = Span { name: "root".into(), ..mk_span("a", "1", 2, "") };
        let trace = Trace { id: "a".into(), spans: vec![failed, orphan, root], dropped: 0 };
        let summary = trace.summary();
        assert_eq!((summary.name.as_str(), summary.start, summary.end), ("root", 1, 20));
        assert_eq!((summary.spans, summary.errors, summary.orphans), (3, 1, 1));
        assert_eq!(summary.pods.iter().map(ToString::to_string).collect::<Vec<_>>(), ["default/web"]);
    }
}
