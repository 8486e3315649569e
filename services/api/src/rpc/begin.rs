//! Which calls begin a trace.

use axum::extract::Request;
use keelson_base_daemon::trace::{self, Span, SpanKind, rpc};
use keelson_proto::Kind;

use crate::auth::Caller;

/// Methods that change nothing.
const READS: &[&str] = &["Get", "List", "ListStream", "Watch", "Log", "GetScale", "Contains"];

/// What is written all the time, and would drown everything else.
const CHATTER: &[&str] = &["leases", "events"];

/// The span that a call runs in: none of ours if it came with a trace (whoever took the connection has made its span);
/// the first of a trace if somebody writes who is no part of Keelson.
pub(super) fn span(caller: &Caller, kind: &Kind, method: &str, request: &Request) -> Span {
    if trace::current().is_some() {
        return Span::none();
    }
    let tracer = trace::tracer();
    match trace::extract(request.headers()) {
        Some(context) => tracer.child_of("request", context).kind(SpanKind::Server),
        None if tracer.is_on() && begins(caller, kind.plural, method) => {
            rpc::root(&tracer, kind.service, method)
        }
        None => Span::none(),
    }
}

/// Whether a call that came without a trace begins one. What Keelson's own parts write, they write because of a trace,
/// which they say, or because time has passed, which is worth none.
fn begins(caller: &Caller, resource: &str, method: &str) -> bool {
    !READS.contains(&method) && !CHATTER.contains(&resource) && !caller.is_component()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_begins_where_a_user_writes() {
        let table = [
            ("ann", "pods", "Create", true),
            ("system:admin", "replicationcontrollers", "Scale", true),
            ("system:serviceaccount:default:builder", "pods", "Delete", true),
            ("ann", "pods", "Get", false),
            ("ann", "pods", "Watch", false),
            ("ann", "leases", "Update", false),
            ("ann", "events", "Create", false),
            ("system:kube-scheduler", "pods", "Bind", false),
            ("system:kube-controller-manager", "pods", "Create", false),
            ("system:node:node-1", "pods", "UpdateStatus", false),
            ("system:apiserver", "services", "Create", false),
        ];
        for (user, resource, method, expected) in table {
            let caller = Caller::new(user, Vec::new());
            assert_eq!(begins(&caller, resource, method), expected, "{user} {method} {resource}");
        }
    }
}
