//! A server that does what a test says: every call waits until the test has looked at it and answered.

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use http::HeaderMap;
use keelson_base_daemon::tls::Peer;
use keelson_base_daemon::trace::Tracer;
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::core::Pod;
use keelson_proto::v1::{RawWatchEvent, WatchEventType};
use tokio::sync::{mpsc, oneshot};
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tower::util::BoxCloneSyncService;

use crate::codec::BytesCodec;
use crate::{Channel, status};

/// The calls that arrive.
pub struct Server {
    calls: mpsc::UnboundedReceiver<Call>,
}

/// One call, waiting for its answer.
pub struct Call {
    /// `/service/method`.
    pub path: String,
    /// Its headers, the metadata of the call.
    pub headers: HeaderMap,
    /// Who calls.
    pub peer: Option<Peer>,
    body: Bytes,
    answer: oneshot::Sender<Answer>,
}

/// The sending half of a watch; dropped, it ends the watch.
pub struct Events(mpsc::Sender<Result<Bytes, Status>>);

type Answer = Result<Payload, Status>;
type Frames = BoxStream<'static, Result<Bytes, Status>>;

enum Payload {
    One(Bytes),
    Many(mpsc::Receiver<Result<Bytes, Status>>),
}

type Service = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, std::convert::Infallible>;

/// A server and an in-process channel to it.
pub fn server() -> (Channel, Server) {
    let (service, server) = service();
    let peer = Peer { common_name: "tester".into(), organizations: vec!["system:masters".into()] };
    (Channel::in_process(service, peer, Tracer::off()), server)
}

/// A server, and its service for a listener.
pub fn service() -> (Service, Server) {
    let (calls_tx, calls) = mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let calls_tx = calls_tx.clone();
        async move { Ok(serve(request, calls_tx).await) }
    });
    (BoxCloneSyncService::new(service), Server { calls })
}

async fn serve(request: http::Request<Body>, calls: mpsc::UnboundedSender<Call>) -> http::Response<Body> {
    let path = request.uri().path().to_owned();
    // Whoever has a choice of servers asks; no test answers.
    if path.starts_with("/grpc.health.v1.Health/") {
        return Status::unimplemented("a scripted server says nothing of itself").into_http();
    }
    let mut grpc = tonic::server::Grpc::new(BytesCodec);
    if ["Watch", "ListStream", "Log"].iter().any(|method| path.ends_with(method)) {
        let handler =
            tower::service_fn(move |request| -> BoxFuture<'static, Result<Response<Frames>, Status>> {
                let answer = ask(calls.clone(), path.clone(), request);
                Box::pin(async move {
                    match answer.await? {
                        Payload::Many(mut events) => {
                            Ok(Response::new(stream::poll_fn(move |cx| events.poll_recv(cx)).boxed()))
                        }
                        Payload::One(_) => {
                            Err(Status::internal("the test answers a stream with one message"))
                        }
                    }
                })
            });
        return grpc.server_streaming(handler, request).await;
    }
    let handler = tower::service_fn(move |request| -> BoxFuture<'static, Result<Response<Bytes>, Status>> {
        Box::pin(ask_one(calls.clone(), path.clone(), request))
    });
    grpc.unary(handler, request).await
}

/// Gives a call to the test and waits for its one answer.
pub(super) async fn ask_one(
    calls: mpsc::UnboundedSender<Call>,
    path: String,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Status> {
    match ask(calls, path, request).await? {
        Payload::One(bytes) => Ok(Response::new(bytes)),
        Payload::Many(_) => Err(Status::internal("the test answers one message with a stream")),
    }
}

async fn ask(calls: mpsc::UnboundedSender<Call>, path: String, request: Request<Bytes>) -> Answer {
    let (answer, answered) = oneshot::channel();
    let peer = request.extensions().get::<Peer>().cloned();
    let headers = request.metadata().clone().into_headers();
    let call = Call { path, headers, peer, body: request.into_inner(), answer };
    if calls.send(call).is_err() {
        return Err(Status::unavailable("the test is over"));
    }
    answered.await.unwrap_or_else(|_| Err(Status::unavailable("the test gave no answer")))
}

impl Server {
    /// The next call, which must be of `method`.
    pub async fn expect(&mut self, method: &str) -> Call {
        let call = self.calls.recv().await.expect("the client is gone");
        assert_eq!(call.path.rsplit('/').next(), Some(method));
        call
    }

    /// The next call, whatever it is; `None` once there can be none.
    pub async fn next(&mut self) -> Option<Call> {
        self.calls.recv().await
    }

    /// Whether no call has arrived.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }
}

impl Call {
    /// The request.
    pub fn request<Q: Message + Default>(&self) -> Q {
        Q::decode(self.body.clone()).unwrap()
    }

    /// Answers with this message.
    pub fn answer(self, message: &impl Message) {
        self.send(Ok(Payload::One(message.encode_to_vec().into())));
    }

    /// Refuses, as api does.
    pub fn fail(self, error: ApiError) {
        self.fail_with(status::to_grpc(error));
    }

    /// Refuses with a status that need not come from api.
    pub fn fail_with(self, status: Status) {
        self.send(Err(status));
    }

    /// Begins a stream.
    pub fn stream(self) -> Events {
        let (events, events_rx) = mpsc::channel(16);
        self.send(Ok(Payload::Many(events_rx)));
        Events(events)
    }

    fn send(self, answer: Answer) {
        // The client may have given up.
        let _ = self.answer.send(answer);
    }
}

impl Events {
    /// Sends one message.
    pub async fn send(&self, message: &impl Message) {
        self.0.send(Ok(message.encode_to_vec().into())).await.expect("the client has closed the stream");
    }

    /// Sends what happened to a pod, at its resourceVersion.
    pub async fn pod(&self, kind: WatchEventType, pod: &Pod) {
        let revision = pod.metadata.resource_version.parse().unwrap();
        let object = pod.encode_to_vec().into();
        self.send(&RawWatchEvent { r#type: kind.into(), object, revision, ..Default::default() }).await;
    }

    /// Ends the watch with an error.
    pub async fn fail(self, status: Status) {
        self.0.send(Err(status)).await.expect("the client has closed the stream");
    }
}
