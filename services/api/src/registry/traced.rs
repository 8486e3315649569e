//! What a registry's work says of itself in traces.

use keelson_api_store::{Commit, CommitOutcome, Error, Store};
use keelson_base_daemon::trace::{self, SpanKind};
use keelson_proto::Kind;

/// Says in the span of the request which object it is about.
pub(super) fn name(kind: &Kind, namespace: &str, name: &str) {
    if !namespace.is_empty() {
        trace::annotate("k8s.namespace.name", namespace);
    }
    trace::annotate(name_key(kind.kind), name);
}

/// Commits to the store, in a span of its own.
pub(super) async fn commit(store: &dyn Store, kind: &Kind, commit: Commit) -> Result<CommitOutcome, Error> {
    let mut span = trace::span("store commit").kind(SpanKind::Client);
    if !span.is_recording() {
        return store.commit(commit).await;
    }
    span.attribute("db.system", if store.name().starts_with("etcd") { "etcd" } else { "redb" });
    span.attribute("db.operation.name", "commit");
    span.attribute("db.collection.name", kind.plural);
    let outcome = store.commit(commit).await;
    match &outcome {
        Ok(CommitOutcome::Committed { revision, .. }) => {
            span.attribute("keelson.revision", i64::try_from(*revision).unwrap_or(i64::MAX));
        }
        Ok(CommitOutcome::Conflict { .. }) => span.attribute("keelson.conflict", true),
        Err(error) => span.error(error),
    }
    outcome
}

/// OpenTelemetry's name for the name of an object, where it has one.
fn name_key(kind: &str) -> &'static str {
    match kind {
        "Pod" => "k8s.pod.name",
        "Node" => "k8s.node.name",
        "Namespace" => "k8s.namespace.name",
        "ReplicationController" => "k8s.replicationcontroller.name",
        "Service" | "Endpoints" => "k8s.service.name",
        _ => "k8s.object.name",
    }
}
