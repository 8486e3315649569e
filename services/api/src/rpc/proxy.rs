//! HTTP requests that are passed on to pods, services and nodes. Who may is decided here; the way leads through the
//! kubelet of a pod, so that pods need not be within api's reach.

mod http1;
mod kubelet;
mod port;
mod target;

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use futures::StreamExt as _;
use keelson_base_client::Channel;
use keelson_base_daemon::tasks::Drain;
use keelson_base_model::status::ApiError;
use keelson_proto::core::{Endpoints, Node, Pod, Service};
use keelson_proto::v1::proxy_input::Input;
use keelson_proto::v1::{ProxyInput, ProxyRequest};
use keelson_proto::{Kind, Object as _};

use self::target::Target;
use crate::admission::Connect;
use crate::auth::Caller;
use crate::kubelet::Kubelets;
use crate::registry::{EndpointsStrategy, NodeStrategy, Noun, PodStrategy, Registry, ServiceStrategy};
use crate::rpc::unary::{Incoming, Messages, duplex, first};
use crate::rpc::verbs::may;
use crate::rpc::{Extra, decoded, get};

/// What passes requests on.
pub(crate) struct Proxy {
    /// The registry of pods.
    pub(crate) pods: Arc<Registry<PodStrategy>>,
    /// The registry of services.
    pub(crate) services: Arc<Registry<ServiceStrategy>>,
    /// The registry of endpoints.
    pub(crate) endpoints: Arc<Registry<EndpointsStrategy>>,
    /// The registry of nodes.
    pub(crate) nodes: Arc<Registry<NodeStrategy>>,
    /// The way to kubelets.
    pub(crate) kubelets: Arc<Kubelets>,
    /// Ends what is under way when the process stops.
    pub(crate) drain: Drain,
}

/// The way to whoever answers a request.
enum Way {
    /// A port of a pod, through its kubelet.
    Pod { kubelet: Channel, namespace: String, name: String, port: u16 },
    /// An address.
    Address(std::net::SocketAddr),
    /// A kubelet itself.
    Kubelet(Channel),
}

/// What a noun has besides, with this verb added if requests are passed on to its objects.
pub(super) fn beside(proxy: &Arc<Proxy>, kind: &'static Kind, others: Extra) -> Extra {
    if ![Pod::KIND, Service::KIND, Node::KIND].contains(&kind) {
        return others;
    }
    let proxy = proxy.clone();
    Arc::new(move |caller, method, request| match method.as_str() {
        "Proxy" => {
            let proxy = proxy.clone();
            Some(Box::pin(async move { proxy.serve(kind, caller, request).await }))
        }
        _ => others(caller, method, request),
    })
}

// === impl Proxy ===

impl Proxy {
    async fn serve(&self, kind: &'static Kind, caller: Caller, request: Request) -> Response {
        let call = |mut incoming: Incoming| async move {
            let input: ProxyInput = first(&mut incoming).await?;
            let Some(Input::Request(asked)) = input.input else {
                return Err(ApiError::bad_request("the first message must be `request`"));
            };
            let way = self.way(kind, &caller, &asked).await?;
            let answers = self.pass_on(way, asked, incoming);
            Ok(answers.take_until(self.drain.signaled_owned()).boxed())
        };
        duplex(request, call).await
    }

    /// The way to whom a caller asks, if it may.
    async fn way(&self, kind: &'static Kind, caller: &Caller, asked: &ProxyRequest) -> Result<Way, ApiError> {
        let target = Target::parse(&asked.name).ok_or_else(|| {
            ApiError::bad_request(format!("invalid {} request {:?}", kind.singular, asked.name))
        })?;
        let noun: &dyn Noun = match kind.kind {
            "Pod" => &*self.pods,
            "Service" => &*self.services,
            _ => &*self.nodes,
        };
        let namespace = if kind.namespaced { asked.namespace.as_str() } else { "" };
        may(noun, caller, verb_of(&asked.method), "proxy", namespace, target.name)?;
        if target.is_secure && kind != Node::KIND {
            return Err(ApiError::unimplemented(
                "passing requests on over https is not served: name the http port of the target",
            ));
        }
        match kind.kind {
            "Pod" => self.to_pod(caller, namespace, &target).await,
            "Service" => self.to_service(caller, namespace, &target).await,
            _ => self.to_node(caller, &target).await,
        }
    }

    async fn to_pod(&self, caller: &Caller, namespace: &str, target: &Target<'_>) -> Result<Way, ApiError> {
        let pod: Pod = decoded(self.pods.get(&get(namespace, target.name)).await?)?;
        self.admit(caller, Pod::KIND, namespace, target.name, Some(&pod))?;
        let port = target.port_of_pod(&pod)?;
        self.through_kubelet(pod, port).await
    }

    async fn through_kubelet(&self, pod: Pod, port: u16) -> Result<Way, ApiError> {
        if pod.spec.node_name.is_empty() {
            let why = format!("pod {} does not have a host assigned", pod.metadata.name);
            return Err(ApiError::bad_request(why));
        }
        let kubelet = self.kubelets.of_node(&pod.spec.node_name).await?;
        Ok(Way::Pod { kubelet, namespace: pod.metadata.namespace, name: pod.metadata.name, port })
    }

    async fn to_service(
        &self,
        caller: &Caller,
        namespace: &str,
        target: &Target<'_>,
    ) -> Result<Way, ApiError> {
        let service: Service = decoded(self.services.get(&get(namespace, target.name)).await?)?;
        self.admit(caller, Service::KIND, namespace, target.name, None)?;
        let port = target.port_of_service(&service)?;
        let none =
            || ApiError::service_unavailable(format!("no endpoints available for service {:?}", target.name));
        let endpoints = match self.endpoints.get(&get(namespace, target.name)).await {
            Ok(endpoints) => decoded::<Endpoints>(endpoints)?,
            Err(error) if error.is_not_found() => return Err(none()),
            Err(error) => return Err(error),
        };
        let ready = target::ready(&endpoints, port);
        let (address, port) = fastrand::choice(&ready).ok_or_else(none)?;
        match address.target_ref.as_ref().filter(|referred| referred.kind == "Pod") {
            Some(referred) => {
                let pod = decoded(self.pods.get(&get(&referred.namespace, &referred.name)).await?)?;
                self.through_kubelet(pod, *port).await
            }
            None => target::dialable(&address.ip, *port).map(Way::Address),
        }
    }

    async fn to_node(&self, caller: &Caller, target: &Target<'_>) -> Result<Way, ApiError> {
        let node = self.kubelets.node(target.name).await?;
        self.admit(caller, Node::KIND, "", target.name, None)?;
        match target.port_of_node(&node)? {
            None => self.kubelets.dial(&node).map(Way::Kubelet),
            Some(_) if target.is_secure => Err(ApiError::unimplemented(
                "passing requests on over https is served for the kubelet's port only",
            )),
            Some((ip, port)) => target::dialable(ip, port).map(Way::Address),
        }
    }

    fn admit(
        &self,
        caller: &Caller,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        pod: Option<&Pod>,
    ) -> Result<(), ApiError> {
        self.pods.admission().connect(&Connect { caller, kind, namespace, name, subresource: "proxy", pod })
    }

    /// The answer to a request: its head, then its body, as they come.
    fn pass_on(&self, way: Way, asked: ProxyRequest, incoming: Incoming) -> Messages {
        let drain = self.drain.clone();
        match way {
            Way::Kubelet(channel) => kubelet::pass_on(channel, asked, incoming),
            Way::Address(address) => http1::pass_on(move || port::dial(address), asked, incoming),
            Way::Pod { kubelet, namespace, name, port } => {
                let wire = move || port::through(kubelet, namespace, name, port, drain);
                http1::pass_on(wire, asked, incoming)
            }
        }
    }
}

/// As what a request's method is authorised.
fn verb_of(method: &str) -> &'static str {
    match method {
        "GET" | "HEAD" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        // Only whoever may do everything.
        _ => "",
    }
}
