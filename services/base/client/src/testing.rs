//! A server that does what a test says: every call waits until the test has looked at it and answered.

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use http::HeaderMap;
use keelson_base_daemon::tls::Peer;
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::core::Pod;
use keelson_proto::meta::ListMeta;
use keelson_proto::v1::{RawList, RawWatchEvent, WatchEventType};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tower::util::BoxCloneSyncService;

use crate::codec::BytesCodec;
use crate::{Channel, status};

/// The calls that arrive.
pub(crate) struct Server {
    calls: mpsc::UnboundedReceiver<Call>,
}

/// One call, waiting for its answer.
pub(crate) struct Call {
    /// `/service/method`.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<Peer>,
    body: Bytes,
    answer: oneshot::Sender<Answer>,
}

/// The sending half of a watch; dropped, it ends the watch.
pub(crate) struct Events(mpsc::Sender<Result<Bytes, Status>>);

type Answer = Result<Payload, Status>;

enum Payload {
    One(Bytes),
    Many(mpsc::Receiver<Result<Bytes, Status>>),
}

type Service = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, std::convert::Infallible>;

/// A server and an in-process channel to it.
pub(crate) fn server() -> (Channel, Server) {
    let (service, server) = service();
    let peer = Peer {
        common_name: "tester".into(),
        organizations: vec!["system:masters".into()],
    };
    (Channel::in_process(service, peer), server)
}

/// A server, and its service for a listener.
pub(crate) fn service() -> (Service, Server) {
    let (calls_tx, calls) = mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let calls_tx = calls_tx.clone();
        async move { Ok(serve(request, calls_tx).await) }
    });
    (BoxCloneSyncService::new(service), Server { calls })
}

async fn serve(request: http::Request<Body>, calls: mpsc::UnboundedSender<Call>) -> http::Response<Body> {
    let path = request.uri().path().to_owned();
    let mut grpc = tonic::server::Grpc::new(BytesCodec);
    if ["Watch", "ListStream", "Log"]
        .iter()
        .any(|method| path.ends_with(method))
    {
        let handler = tower::service_fn(
            move |request| -> BoxFuture<'static, Result<Response<Frames>, Status>> {
                let answer = ask(calls.clone(), path.clone(), request);
                Box::pin(async move {
                    match answer.await? {
                        Payload::Many(events) => {
                            Ok(Response::new(Box::pin(ReceiverStream::new(events)) as Frames))
                        }
                        Payload::One(_) => {
                            Err(Status::internal("the test answers a stream with one message"))
                        }
                    }
                })
            },
        );
        return grpc.server_streaming(handler, request).await;
    }
    let handler = tower::service_fn(
        move |request| -> BoxFuture<'static, Result<Response<Bytes>, Status>> {
            let answer = ask(calls.clone(), path.clone(), request);
            Box::pin(async move {
                match answer.await? {
                    Payload::One(bytes) => Ok(Response::new(bytes)),
                    Payload::Many(_) => Err(Status::internal("the test answers one message with a stream")),
                }
            })
        },
    );
    grpc.unary(handler, request).await
}

type Frames = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

async fn ask(calls: mpsc::UnboundedSender<Call>, path: String, request: Request<Bytes>) -> Answer {
    let (answer, answered) = oneshot::channel();
    let peer = request.extensions().get::<Peer>().cloned();
    let headers = request.metadata().clone().into_headers();
    let call = Call {
        path,
        headers,
        peer,
        body: request.into_inner(),
        answer,
    };
    if calls.send(call).is_err() {
        return Err(Status::unavailable("the test is over"));
    }
    answered
        .await
        .unwrap_or_else(|_| Err(Status::unavailable("the test gave no answer")))
}

impl Server {
    /// The next call, which must be of `method`.
    pub(crate) async fn expect(&mut self, method: &str) -> Call {
        let call = self.calls.recv().await.expect("the client is gone");
        assert_eq!(call.path.rsplit('/').next(), Some(method));
        call
    }

    /// Whether no call has arrived.
    pub(crate) fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }
}

impl Call {
    /// The request.
    pub(crate) fn request<Q: Message + Default>(&self) -> Q {
        Q::decode(self.body.clone()).unwrap()
    }

    pub(crate) fn answer(self, message: &impl Message) {
        self.send(Ok(Payload::One(message.encode_to_vec().into())));
    }

    pub(crate) fn fail(self, error: ApiError) {
        self.fail_with(status::to_grpc(error));
    }

    pub(crate) fn fail_with(self, status: Status) {
        self.send(Err(status));
    }

    /// Begins a stream.
    pub(crate) fn stream(self) -> Events {
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
    pub(crate) async fn send(&self, message: &impl Message) {
        self.0
            .send(Ok(message.encode_to_vec().into()))
            .await
            .expect("the client has closed the stream");
    }

    pub(crate) async fn pod(&self, kind: WatchEventType, pod: &Pod) {
        let revision = pod.metadata.resource_version.parse().unwrap();
        let object = pod.encode_to_vec().into();
        self.send(&RawWatchEvent {
            r#type: kind.into(),
            object,
            revision,
            ..Default::default()
        })
        .await;
    }

    pub(crate) async fn fail(self, status: Status) {
        self.0
            .send(Err(status))
            .await
            .expect("the client has closed the stream");
    }
}

/// A pod called `name`, in `default`, in its version of `revision`.
pub(crate) fn pod(name: &str, uid: &str, revision: u64) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.metadata.namespace = "default".into();
    pod.metadata.uid = uid.into();
    pod.metadata.resource_version = revision.to_string();
    pod
}

/// A page of a list at `revision`.
pub(crate) fn page(pods: &[Pod], revision: u64, token: &str) -> RawList {
    let metadata = ListMeta {
        resource_version: revision.to_string(),
        r#continue: token.to_owned(),
        ..Default::default()
    };
    RawList {
        metadata: Some(metadata),
        items: pods.iter().map(|pod| pod.encode_to_vec().into()).collect(),
    }
}
