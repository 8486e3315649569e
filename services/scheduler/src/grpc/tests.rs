//! Who may ask, what is refused, what is told.

use super::*;
use crate::decision::{Best, Chance, Filter, Priority};
use crate::state::State;
use crate::testing::{MkPod, mk_node, mk_pod};

/// Node `n1` with pod `there` on it, which takes 3 of its 4 cores.
fn mk_service() -> Service {
    let best = Best { filter: Filter::new(), priorities: Priority::defaults().into() };
    let mut state = State::new("default-scheduler".to_owned(), Box::new(best), Chance::seeded(1));
    state.apply_node(mk_node("n1").node());
    let there = mk_pod("there").container(&[("cpu", "3")]).on("n1").pod();
    state.apply_pod(there.clone(), None);
    let caches = Caches {
        pods: std::iter::once((*there).clone()).collect(),
        nodes: std::iter::empty().collect(),
        services: std::iter::empty().collect(),
        controllers: std::iter::empty().collect(),
    };
    Service { shared: Shared::new(state), caches }
}

fn asked<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let peer = Peer { common_name: "somebody".to_owned(), organizations: Vec::new() };
    request.extensions_mut().insert(peer);
    request
}

fn given(pod: MkPod) -> Option<Pod> {
    Some((*pod.pod()).clone())
}

#[tokio::test]
async fn strangers_are_not_answered() {
    let service = mk_service();
    let schedule = service.schedule(Request::new(v1::ScheduleRequest::default())).await;
    assert_eq!(schedule.unwrap_err().code(), tonic::Code::Unauthenticated);
    let explain = service.explain(Request::new(v1::ExplainRequest::default())).await;
    assert_eq!(explain.unwrap_err().code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn schedule_chooses_among_the_clusters_nodes_or_the_machines_given() {
    let service = mk_service();
    let schedule = async |pod: MkPod, nodes: Vec<Node>| {
        let request = v1::ScheduleRequest { pod: given(pod), nodes };
        service.schedule(asked(request)).await.map(|answer| answer.into_inner().node)
    };
    assert_eq!(schedule(mk_pod("p"), vec![]).await.unwrap(), "n1");
    let refused = schedule(mk_pod("p").container(&[("cpu", "2")]), vec![]).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    assert_eq!(refused.message(), "0/1 nodes are available: 1 Insufficient cpu.");
    let mut bare = Node::default();
    bare.metadata.name = "m".to_owned();
    assert_eq!(schedule(mk_pod("p"), vec![bare]).await.unwrap(), "m");
}

#[tokio::test]
async fn bad_requests_are_refused_with_the_field() {
    let service = mk_service();
    let negative = mk_pod("p").container(&[("cpu", "-1")]);
    let nonsense = mk_pod("p").container(&[("cpu", "much")]);
    let lost = (*mk_node("m").has("cpu", "much").node()).clone();
    let table = [
        (None, vec![], "pod: Required value"),
        (given(negative), vec![], "spec.containers[0].resources.requests"),
        (given(nonsense), vec![], "spec.containers[0].resources.requests"),
        (given(mk_pod("p")), vec![Node::default()], "nodes[0].metadata.name: Required value"),
        (given(mk_pod("p")), vec![lost], "status.allocatable"),
    ];
    for (pod, nodes, expected) in table {
        let status = service.schedule(asked(v1::ScheduleRequest { pod, nodes })).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status}");
        assert!(status.message().contains(expected), "{status}");
    }
}

#[tokio::test]
async fn explain_shows_numbers_and_scores() {
    let service = mk_service();
    let explain = async |name: &str, pod: Option<Pod>| {
        let request = v1::ExplainRequest { namespace: String::new(), name: name.to_owned(), pod };
        service.explain(asked(request)).await.map(Response::into_inner)
    };
    let refused = explain("", given(mk_pod("p").container(&[("cpu", "2")]))).await.unwrap();
    assert_eq!(refused.node, "");
    assert_eq!(refused.message, "0/1 nodes are available: 1 Insufficient cpu.");
    let refusal = &refused.nodes[0].refusals[0];
    assert_eq!((refusal.predicate.as_str(), refusal.resource.as_str()), ("PodFitsResources", "cpu"));
    assert_eq!((refusal.requested, refusal.used, refusal.capacity), (2000, 3000, 4000));

    let known = explain("there", None).await.unwrap();
    assert_eq!((known.node.as_str(), known.message.as_str()), ("n1", ""));
    assert_eq!(known.nodes[0].scores.len(), 3);
    assert_eq!(known.nodes[0].total, known.nodes[0].scores.iter().map(|one| one.score).sum::<i64>());

    let missing = explain("nobody", None).await.unwrap_err();
    assert_eq!(missing.code(), tonic::Code::NotFound);
    assert_eq!(missing.message(), "pods \"nobody\" not found");
}
