//! The scheduler as others call it: `Schedule` and `Explain`, which write nothing.

use std::sync::Arc;

use keelson_base_client::ApiError;
use keelson_base_client::status::to_grpc;
use keelson_base_daemon::tls::Peer;
use keelson_base_model::field::{ErrorList, Path};
use keelson_base_model::key::ObjectKey;
use keelson_base_model::{node, pod, resources};
use keelson_proto::core::{Node, Pod};
use keelson_proto::v1;
use keelson_proto::v1::scheduler_server::Scheduler;
use keelson_proto::{Kind, Object as _};
use tonic::{Request, Response, Status};

use crate::decision::{Amounts, Refusal, Score, Verdict};
use crate::driver::{Caches, Shared};
use crate::pod::PodInfo;

/// Answers for the scheduler's state.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) shared: Shared,
    pub(crate) caches: Caches,
}

// === impl Service ===

#[tonic::async_trait]
impl Scheduler for Service {
    async fn schedule(
        &self,
        request: Request<v1::ScheduleRequest>,
    ) -> Result<Response<v1::ScheduleResponse>, Status> {
        authenticate(&request)?;
        let v1::ScheduleRequest { pod, nodes } = request.into_inner();
        if nodes.is_empty() {
            self.expect_synced()?;
        }
        let pod = given_pod(pod)?;
        let machines = given_nodes(nodes)?;
        let choice = self.shared.state().choose(&pod, machines);
        let node = choice.map_err(|why| Status::failed_precondition(why.to_string()))?;
        Ok(Response::new(v1::ScheduleResponse { node }))
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        authenticate(&request)?;
        self.expect_synced()?;
        let v1::ExplainRequest { namespace, name, pod } = request.into_inner();
        let pod = if name.is_empty() { given_pod(pod)? } else { self.known_pod(&namespace, &name)? };
        let explained = self.shared.state().explain(&pod);
        let (node, message) = match explained.choice {
            Ok(node) => (node, String::new()),
            Err(unschedulable) => (String::new(), unschedulable.to_string()),
        };
        let nodes = explained.verdicts.into_iter().map(verdict).collect();
        Ok(Response::new(v1::ExplainResponse { node, nodes, message }))
    }
}

impl Service {
    fn expect_synced(&self) -> Result<(), Status> {
        match self.caches.are_synced() {
            true => Ok(()),
            false => {
                Err(Status::unavailable("the scheduler has not read the cluster's state yet; try again"))
            }
        }
    }

    /// The pod of this name, as if it had no node yet.
    fn known_pod(&self, namespace: &str, name: &str) -> Result<PodInfo, Status> {
        let namespace = if namespace.is_empty() { "default" } else { namespace };
        let known = self.caches.pods.get(&ObjectKey::new(namespace, name));
        let known = known.ok_or_else(|| to_grpc(ApiError::not_found(Pod::KIND, name)))?;
        let mut pod = (*known).clone();
        pod.spec.node_name.clear();
        Ok(PodInfo::new(Arc::new(pod)))
    }
}

/// Everybody with a certificate may ask.
fn authenticate<T>(request: &Request<T>) -> Result<(), Status> {
    match request.extensions().get::<Peer>() {
        Some(_) => Ok(()),
        None => Err(Status::unauthenticated("show a client certificate of the cluster's authority")),
    }
}

/// The pod of a request with what clients may leave out.
fn given_pod(pod: Option<Pod>) -> Result<PodInfo, Status> {
    let mut pod = pod.ok_or_else(|| Status::invalid_argument("pod: Required value"))?;
    if pod.metadata.namespace.is_empty() {
        pod.metadata.namespace = "default".to_owned();
    }
    pod::set_defaults(&mut pod);
    let mut errors = ErrorList::new();
    let lists = [("initContainers", &pod.spec.init_containers), ("containers", &pod.spec.containers)];
    for (list, containers) in lists {
        for (index, container) in containers.iter().enumerate() {
            let path = Path::new("spec").child(list).index(index).child("resources");
            errors.extend(resources::validate_requirements(&container.resources, &path));
        }
    }
    refuse(Pod::KIND, &pod.metadata.name, errors)?;
    Ok(PodInfo::new(Arc::new(pod)))
}

/// The machines of a request.
fn given_nodes(mut nodes: Vec<Node>) -> Result<Vec<Node>, Status> {
    for (index, node) in nodes.iter_mut().enumerate() {
        if node.metadata.name.is_empty() {
            return Err(Status::invalid_argument(format!("nodes[{index}].metadata.name: Required value")));
        }
        node::set_defaults(node);
        let mut errors = ErrorList::new();
        let path = Path::new("status").child("allocatable");
        for (resource, amount) in &node.status.allocatable {
            resources::validate_amount(resource, amount, &path.key(resource), &mut errors);
        }
        refuse(Node::KIND, &node.metadata.name, errors)?;
    }
    Ok(nodes)
}

fn refuse(kind: &'static Kind, name: &str, errors: ErrorList) -> Result<(), Status> {
    if errors.is_empty() { Ok(()) } else { Err(to_grpc(ApiError::invalid(kind, name, errors))) }
}

fn verdict(verdict: Verdict) -> v1::NodeVerdict {
    v1::NodeVerdict {
        total: verdict.total(),
        node: verdict.node,
        refusals: verdict.refusals.into_iter().map(refusal).collect(),
        scores: verdict.scores.into_iter().map(score).collect(),
    }
}

fn refusal(refusal: Refusal) -> v1::Refusal {
    let said = v1::Refusal {
        predicate: refusal.predicate.into_owned(),
        reason: refusal.reason.into_owned(),
        ..v1::Refusal::default()
    };
    match refusal.amounts {
        None => said,
        Some(Amounts { resource, requested, used, capacity }) => {
            v1::Refusal { resource: resource.into_owned(), requested, used, capacity, ..said }
        }
    }
}

fn score(score: Score) -> v1::Score {
    v1::Score { priority: score.priority.into_owned(), weight: score.weight, score: score.score }
}

#[cfg(test)]
mod tests;
