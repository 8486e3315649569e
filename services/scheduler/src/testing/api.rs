//! An api in this process: it keeps lists and watches by itself, every other call waits until the test has answered.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::HeaderMap;
use keelson_base_client::codec::BytesCodec;
use keelson_base_client::{ApiError, Channel, Client, status};
use keelson_base_daemon::tls::Peer;
use keelson_base_daemon::trace::TraceContext;
use keelson_proto::meta::ListMeta;
use keelson_proto::v1::{RawList, RawWatchEvent, WatchEventType, WatchRequest};
use keelson_proto::{Message, Object};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::{Request, Response, Status};

/// The api, and the calls that wait for the test, by `Noun/Method`.
pub(crate) struct FakeApi {
    shared: Arc<Mutex<Shared>>,
    calls: mpsc::UnboundedReceiver<Call>,
    early: Vec<Call>,
}

/// A call that waits for its answer.
pub(crate) struct Call {
    method: String,
    pub(crate) headers: HeaderMap,
    body: Bytes,
    answer: oneshot::Sender<Result<Bytes, Status>>,
}

#[derive(Default)]
struct Shared {
    revision: u64,
    /// By noun, then by namespace and name.
    objects: HashMap<String, BTreeMap<String, Bytes>>,
    events: Vec<(String, RawWatchEvent)>,
    watches: Vec<(String, mpsc::UnboundedSender<Result<Bytes, Status>>)>,
}

type Frames = Pin<Box<UnboundedReceiverStream<Result<Bytes, Status>>>>;

// === impl FakeApi ===

impl FakeApi {
    /// An empty cluster and a client of it.
    pub(crate) fn new() -> (Self, Client) {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (calls_tx, calls) = mpsc::unbounded_channel();
        let api = Self { shared: shared.clone(), calls, early: Vec::new() };
        let service = tower::service_fn(move |request| {
            let (shared, calls) = (shared.clone(), calls_tx.clone());
            async move { Ok::<_, Infallible>(serve(request, shared, calls).await) }
        });
        let peer = Peer { common_name: "system:kube-scheduler".into(), organizations: Vec::new() };
        (api, Client::new(Channel::in_process(service, peer)))
    }

    /// Stores an object, as a change of `trace`.
    pub(crate) fn apply_traced<K: Object>(&self, object: &K, trace: Option<TraceContext>) {
        self.change(object, trace, false);
    }

    pub(crate) fn apply<K: Object>(&self, object: &K) {
        self.change(object, None, false);
    }

    pub(crate) fn delete<K: Object>(&self, object: &K) {
        self.change(object, None, true);
    }

    fn change<K: Object>(&self, object: &K, trace: Option<TraceContext>, is_deleted: bool) {
        let mut shared = self.shared.lock().unwrap();
        shared.revision += 1;
        let mut object = object.clone();
        object.metadata_mut().resource_version = shared.revision.to_string();
        let (noun, key) = (K::KIND.service.to_owned(), path(&object));
        let bytes = Bytes::from(object.encode_to_vec());
        let objects = shared.objects.entry(noun.clone()).or_default();
        let (old, kind) = match is_deleted {
            true => (objects.remove(&key), WatchEventType::Deleted),
            false => (objects.insert(key, bytes.clone()), WatchEventType::Modified),
        };
        let event = RawWatchEvent {
            r#type: if old.is_some() { kind } else { WatchEventType::Added }.into(),
            object: bytes,
            revision: shared.revision,
            trace_context: trace.map(|trace| Bytes::copy_from_slice(&trace.to_bytes())).unwrap_or_default(),
            ..Default::default()
        };
        let frame = Bytes::from(event.encode_to_vec());
        shared.watches.retain(|(of, frames)| *of != noun || frames.send(Ok(frame.clone())).is_ok());
        shared.events.push((noun, event));
    }

    /// The next call of this method, for instance `Pods/Bind`; calls of other methods wait.
    pub(crate) async fn expect(&mut self, method: &str) -> Call {
        if let Some(at) = self.early.iter().position(|call| call.method.ends_with(method)) {
            return self.early.remove(at);
        }
        loop {
            let call = self.calls.recv().await.expect("the scheduler is gone");
            if call.method.ends_with(method) {
                return call;
            }
            self.early.push(call);
        }
    }

    /// How many calls of this method have come, after everybody has done what there is to do now.
    pub(crate) async fn count(&mut self, method: &str) -> usize {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        while let Ok(call) = self.calls.try_recv() {
            self.early.push(call);
        }
        self.early.iter().filter(|call| call.method.ends_with(method)).count()
    }
}

fn path<K: Object>(object: &K) -> String {
    format!("{}/{}", object.metadata().namespace, object.metadata().name)
}

// === impl Call ===

impl Call {
    pub(crate) fn request<Q: Message + Default>(&self) -> Q {
        Q::decode(self.body.clone()).unwrap()
    }

    pub(crate) fn answer(self, message: &impl Message) {
        let _ = self.answer.send(Ok(message.encode_to_vec().into()));
    }

    pub(crate) fn fail(self, error: ApiError) {
        let _ = self.answer.send(Err(status::to_grpc(error)));
    }
}

// === impl Shared ===

impl Shared {
    fn list(&self, noun: &str) -> RawList {
        let resource_version = self.revision.to_string();
        RawList {
            metadata: Some(ListMeta { resource_version, ..Default::default() }),
            items: self.objects.get(noun).into_iter().flat_map(BTreeMap::values).cloned().collect(),
        }
    }

    fn watch(&mut self, noun: &str, request: &WatchRequest) -> Frames {
        let since: u64 = request.resource_version.parse().unwrap();
        let (frames_tx, frames) = mpsc::unbounded_channel();
        for (_, event) in self.events.iter().filter(|(of, event)| of == noun && event.revision > since) {
            frames_tx.send(Ok(event.encode_to_vec().into())).unwrap();
        }
        self.watches.push((noun.to_owned(), frames_tx));
        Box::pin(UnboundedReceiverStream::new(frames))
    }
}

async fn serve(
    request: http::Request<Body>,
    shared: Arc<Mutex<Shared>>,
    calls: mpsc::UnboundedSender<Call>,
) -> http::Response<Body> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let (noun, verb) = path.split_once('/').map(|(noun, verb)| (noun.to_owned(), verb.to_owned())).unwrap();
    let mut grpc = tonic::server::Grpc::new(BytesCodec);
    if verb == "Watch" {
        let watch = tower::service_fn(move |request: Request<Bytes>| {
            let request = WatchRequest::decode(request.into_inner()).unwrap();
            let frames = shared.lock().unwrap().watch(&noun, &request);
            async move { Ok::<_, Status>(Response::new(frames)) }
        });
        return grpc.server_streaming(watch, request).await;
    }
    let unary = tower::service_fn(move |request: Request<Bytes>| {
        let (shared, calls, noun, path) = (shared.clone(), calls.clone(), noun.clone(), path.clone());
        let is_list = verb == "List";
        async move {
            if is_list {
                let list = shared.lock().unwrap().list(&noun);
                return Ok(Response::new(list.encode_to_vec().into()));
            }
            ask(path, request, calls).await.map(Response::new)
        }
    });
    grpc.unary(unary, request).await
}

async fn ask(
    method: String,
    request: Request<Bytes>,
    calls: mpsc::UnboundedSender<Call>,
) -> Result<Bytes, Status> {
    let (answer, answered) = oneshot::channel();
    let headers = request.metadata().clone().into_headers();
    let call = Call { method, headers, body: request.into_inner(), answer };
    calls.send(call).map_err(|_| Status::unavailable("the test is over"))?;
    answered.await.unwrap_or_else(|_| Err(Status::unavailable("the test gave no answer")))
}
