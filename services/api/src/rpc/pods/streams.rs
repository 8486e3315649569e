//! Exec, attach and port-forward: two streams, relayed to the pod's kubelet and back as they come. Only the first message
//! is looked at.

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use http::uri::PathAndQuery;
use keelson_base_client::Channel;
use keelson_base_client::codec::BytesCodec;
use keelson_base_client::status::from_grpc;
use keelson_base_daemon::tasks::Drain;
use keelson_base_daemon::trace;
use keelson_base_model::status::ApiError;
use keelson_proto::core::Pod;
use keelson_proto::v1::{
    ContainerInput, PortForwardInput, PortForwardStart, container_input, port_forward_input,
};
use keelson_proto::{Message as _, Object as _};
use tonic::client::Grpc;

use super::PodVerbs;
use super::container::container;
use crate::admission::Connect;
use crate::auth::Caller;
use crate::rpc::MAX_MESSAGE;
use crate::rpc::unary::{Incoming, Messages, duplex, first};
use crate::rpc::verbs::may;

/// What is relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relayed {
    Exec,
    Attach,
    PortForward,
}

/// What a call begins with: the pod, and the first message as the kubelet gets it.
struct Begun {
    pod: Pod,
    /// None if the caller only asks whether it may.
    first: Option<Bytes>,
}

// === impl PodVerbs ===

impl PodVerbs {
    /// Relays one call.
    pub(super) async fn relay(&self, caller: Caller, request: Request, what: Relayed) -> Response {
        let call = |mut incoming: Incoming| async move {
            let begun = match what {
                Relayed::PortForward => {
                    let input: PortForwardInput = first(&mut incoming).await?;
                    self.begin_forward(&caller, input).await?
                }
                what => {
                    let input: ContainerInput = first(&mut incoming).await?;
                    self.begin_container(&caller, what, input).await?
                }
            };
            let Some(first) = begun.first else { return Ok(stream::empty().boxed()) };
            let channel = self.kubelets.of_node(&begun.pod.spec.node_name).await?;
            relayed(channel, what.path(), first, incoming, &self.drain).await
        };
        duplex(request, call).await
    }

    async fn begin_container(
        &self,
        caller: &Caller,
        what: Relayed,
        mut input: ContainerInput,
    ) -> Result<Begun, ApiError> {
        use container_input::Input;

        let (namespace, name, wanted, streams) = match (what, &mut input.input) {
            (Relayed::Exec, Some(Input::Exec(start))) => {
                let options = start.options.get_or_insert_default();
                let streams = options.stdin || options.stdout || options.stderr;
                if options.command.is_empty() {
                    return Err(ApiError::bad_request("options.command must name the command to run"));
                }
                (&start.namespace, &start.name, &mut options.container, streams)
            }
            (Relayed::Attach, Some(Input::Attach(start))) => {
                let options = start.options.get_or_insert_default();
                let streams = options.stdin || options.stdout || options.stderr;
                (&start.namespace, &start.name, &mut options.container, streams)
            }
            _ => return Err(what.misbegun()),
        };
        if !streams {
            return Err(ApiError::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
        }
        let pod = self.admitted(caller, what, namespace, name).await?;
        *wanted = container(&pod, wanted)?;
        Ok(Begun { pod, first: Some(input.encode_to_vec().into()) })
    }

    async fn begin_forward(&self, caller: &Caller, input: PortForwardInput) -> Result<Begun, ApiError> {
        let Some(port_forward_input::Input::Start(start)) = &input.input else {
            return Err(Relayed::PortForward.misbegun());
        };
        let PortForwardStart { namespace, name, port } = start;
        let pod = self.admitted(caller, Relayed::PortForward, namespace, name).await?;
        if u16::try_from(*port).is_err() {
            return Err(ApiError::bad_request(format!("{port} is no port: choose one from 1 to 65535")));
        }
        let first = (*port != 0).then(|| input.encode_to_vec().into());
        Ok(Begun { pod, first })
    }

    /// The pod, if the caller may do this to it. As in Kubernetes since 1.35, whoever may only "get" may not: what is done
    /// here is more than reading.
    async fn admitted(
        &self,
        caller: &Caller,
        what: Relayed,
        namespace: &str,
        name: &str,
    ) -> Result<Pod, ApiError> {
        let subresource = what.subresource();
        may(&*self.pods, caller, "create", subresource, namespace, name)?;
        let pod = self.bound(namespace, name).await?;
        let connect = Connect { caller, kind: Pod::KIND, namespace, name, subresource, pod: Some(&pod) };
        self.pods.admission().connect(&connect)?;
        Ok(pod)
    }
}

// === impl Relayed ===

impl Relayed {
    fn subresource(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::PortForward => "portforward",
        }
    }

    /// The kubelet's method.
    fn path(self) -> PathAndQuery {
        PathAndQuery::from_static(match self {
            Self::Exec => "/keelson.v1.Kubelet/Exec",
            Self::Attach => "/keelson.v1.Kubelet/Attach",
            Self::PortForward => "/keelson.v1.Kubelet/PortForward",
        })
    }

    fn misbegun(self) -> ApiError {
        let first = match self {
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::PortForward => "start",
        };
        ApiError::bad_request(format!("the first message must be `{first}`"))
    }
}

/// The answers of a kubelet's method to the first message and what follows it.
///
/// # Errors
/// If the kubelet refuses, or cannot be reached.
pub(in crate::rpc) async fn relayed<S>(
    channel: Channel,
    path: PathAndQuery,
    first: Bytes,
    rest: S,
    drain: &Drain,
) -> Result<Messages, ApiError>
where
    S: futures::Stream<Item = Result<Bytes, tonic::Status>> + Send + 'static,
{
    // A caller that is gone takes the whole call with it.
    let rest = rest.scan((), |(), message| std::future::ready(message.ok()));
    let mut request = tonic::Request::new(stream::once(std::future::ready(first)).chain(rest));
    trace::inject(request.metadata_mut().as_mut());
    let mut grpc = Grpc::new(channel).max_decoding_message_size(MAX_MESSAGE);
    grpc.ready().await.map_err(from_grpc)?;
    let answers = grpc.streaming(request, path, BytesCodec).await.map_err(from_grpc)?.into_inner();
    let answers = answers.map(|answer| answer.map_err(from_grpc));
    Ok(answers.take_until(drain.signaled_owned()).boxed())
}
