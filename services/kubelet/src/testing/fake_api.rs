//! As much of api as the kubelet talks to: any noun, in memory, with revisions and watches.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use keelson_base_client::codec::BytesCodec;
use keelson_base_client::status::to_grpc;
use keelson_base_client::{ApiError, Channel, Client};
use keelson_base_daemon::tls::Peer;
use keelson_base_daemon::trace::{self, TraceContext};
use keelson_proto::coordination::Lease;
use keelson_proto::core::{Event, Node, Pod, Service};
use keelson_proto::meta::{ListMeta, ObjectMeta, Time};
use keelson_proto::v1::{
    DeleteRequest, GetRequest, ListRequest, RawCreateRequest, RawDeleteResponse, RawList, RawUpdateRequest,
    RawWatchEvent, WatchEventType, WatchRequest,
};
use keelson_proto::{Message, Object, wire};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::{Request, Response, Status};

use crate::clock::Clock;

/// An api in memory. Clones are the same.
#[derive(Clone)]
pub(crate) struct FakeApi {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

#[derive(Default)]
struct State {
    revision: u64,
    objects: BTreeMap<Key, Bytes>,
    watches: Vec<Watch>,
    /// Answers of the next calls of a method: errors.
    failures: Vec<(String, ApiError)>,
    /// Path and trace of every call.
    calls: Vec<(String, Option<TraceContext>)>,
    /// Of the write that is being made.
    trace: Option<TraceContext>,
}

/// Noun, namespace, name.
type Key = (String, String, String);

struct Watch {
    noun: String,
    selector: String,
    events: mpsc::UnboundedSender<Result<Bytes, Status>>,
}

impl FakeApi {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { state: Arc::default(), clock }
    }

    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.serve(request).await) }
        });
        let peer = Peer { common_name: "system:node:n1".into(), organizations: vec!["system:nodes".into()] };
        Client::new(Channel::in_process(service, peer))
    }

    /// Fails the next call whose path ends with `method`, for instance `Pods/UpdateStatus`.
    pub(crate) fn fail(&self, method: &str, error: ApiError) {
        self.state().failures.push((method.to_owned(), error));
    }

    /// How many calls there were whose path ends with `method`.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.traces(method).len()
    }

    pub(crate) fn put<K: Object>(&self, object: &K) {
        let key = key::<K>(object.metadata());
        self.state().write(key, object.encode_to_vec().into());
    }

    /// Stores `object` in the course of the trace `context`.
    pub(crate) fn put_traced<K: Object>(&self, object: &K, context: TraceContext) {
        let mut state = self.state();
        state.trace = Some(context);
        state.write(key::<K>(object.metadata()), object.encode_to_vec().into());
        state.trace = None;
    }

    /// The traces of the calls whose path ends with `method`.
    pub(crate) fn traces(&self, method: &str) -> Vec<Option<TraceContext>> {
        self.state()
            .calls
            .iter()
            .filter(|(path, _)| path.ends_with(method))
            .map(|(_, trace)| *trace)
            .collect()
    }

    pub(crate) fn get<K: Object>(&self, namespace: &str, name: &str) -> Option<K> {
        let key = (noun(K::KIND.service), namespace.to_owned(), name.to_owned());
        self.state().objects.get(&key).map(|bytes| K::decode(bytes.clone()).unwrap())
    }

    pub(crate) fn list<K: Object>(&self) -> Vec<K> {
        let noun = noun(K::KIND.service);
        let state = self.state();
        let mine = state.objects.iter().filter(|((of, _, _), _)| *of == noun);
        mine.map(|(_, bytes)| K::decode(bytes.clone()).unwrap()).collect()
    }

    /// Deletes at once, whatever the grace.
    pub(crate) fn remove<K: Object>(&self, object: &K) {
        self.state().delete(&key::<K>(object.metadata()));
    }

    /// Begins a graceful deletion of a pod.
    pub(crate) fn delete_pod(&self, namespace: &str, name: &str, grace: i64) {
        let mut pod: Pod = self.get(namespace, name).unwrap();
        pod.metadata.deletion_timestamp =
            Some(Time { seconds: self.clock.now().as_second() + grace, nanos: 0 });
        pod.metadata.deletion_grace_period_seconds = Some(grace);
        self.put(&pod);
    }

    async fn serve(&self, request: http::Request<Body>) -> http::Response<Body> {
        let path = request.uri().path().to_owned();
        let trace = trace::extract(request.headers());
        let mut grpc = tonic::server::Grpc::new(BytesCodec);
        let api = self.clone();
        if path.ends_with("/Watch") {
            let watch = tower::service_fn(move |request: Request<Bytes>| -> BoxFuture<'static, _> {
                let answer = api.enter(&path, trace).map(|()| api.watch(&path, request.into_inner()));
                std::future::ready(answer.map(Response::new).map_err(to_grpc)).boxed()
            });
            return grpc.server_streaming(watch, request).await;
        }
        let unary = tower::service_fn(move |request: Request<Bytes>| -> BoxFuture<'static, _> {
            let answer = api.enter(&path, trace).and_then(|()| api.unary(&path, request.into_inner()));
            std::future::ready(answer.map(Response::new).map_err(to_grpc)).boxed()
        });
        grpc.unary(unary, request).await
    }

    fn enter(&self, path: &str, trace: Option<TraceContext>) -> Result<(), ApiError> {
        let mut state = self.state();
        state.calls.push((path.to_owned(), trace));
        let scripted = state.failures.iter().position(|(method, _)| path.ends_with(method.as_str()));
        match scripted {
            Some(index) => Err(state.failures.remove(index).1),
            None => Ok(()),
        }
    }

    fn unary(&self, path: &str, body: Bytes) -> Result<Bytes, ApiError> {
        let (service, method) = path[1..].split_once('/').unwrap();
        let noun = noun(service);
        let mut state = self.state();
        match method {
            "Get" => {
                let GetRequest { namespace, name, .. } = read(body);
                state.find(&(noun, namespace, name))
            }
            "List" => {
                let ListRequest { field_selector, .. } = read(body);
                let items = state.selected(&noun, &field_selector);
                let metadata =
                    ListMeta { resource_version: state.revision.to_string(), ..ListMeta::default() };
                Ok(RawList { metadata: Some(metadata), items }.encode_to_vec().into())
            }
            "Create" => {
                let RawCreateRequest { object, .. } = read(body);
                let metadata = wire::metadata(&object).unwrap();
                let key = (noun, metadata.namespace.clone(), metadata.name);
                if state.objects.contains_key(&key) {
                    return Err(ApiError::already_exists(key.0.as_str(), &key.2));
                }
                Ok(state.write(key, object))
            }
            "Update" | "UpdateStatus" => {
                let RawUpdateRequest { namespace, name, object, .. } = read(body);
                state.update((noun, namespace, name), object, method == "UpdateStatus")
            }
            "Delete" => {
                let DeleteRequest { namespace, name, options } = read(body);
                let key = (noun, namespace, name);
                let object = state.find(&key)?;
                let wanted = options.unwrap_or_default().preconditions.and_then(|wanted| wanted.uid);
                if wanted.is_some_and(|uid| uid != wire::metadata(&object).unwrap().uid) {
                    return Err(ApiError::conflict(key.0.as_str(), &key.2));
                }
                state.delete(&key);
                Ok(RawDeleteResponse { object, removed: true }.encode_to_vec().into())
            }
            _ => Err(ApiError::unimplemented(method)),
        }
    }

    fn watch(&self, path: &str, body: Bytes) -> BoxStream<'static, Result<Bytes, Status>> {
        let WatchRequest { field_selector, resource_version, .. } = read(body);
        let noun = noun(path[1..].split_once('/').unwrap().0);
        let mut state = self.state();
        let after: u64 = resource_version.parse().unwrap();
        // Between a list and its watch only additions happen in these tests.
        let missed = state.selected(&noun, &field_selector).into_iter().filter_map(|object| {
            let revision = wire::metadata(&object).unwrap().resource_version.parse::<u64>().unwrap();
            (revision > after).then(|| Ok(event(WatchEventType::Modified, object, revision, None)))
        });
        let missed: Vec<_> = missed.collect();
        let (events, events_rx) = mpsc::unbounded_channel();
        state.watches.push(Watch { noun, selector: field_selector, events });
        stream::iter(missed).chain(UnboundedReceiverStream::new(events_rx)).boxed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, key: &Key) -> Result<Bytes, ApiError> {
        self.objects.get(key).cloned().ok_or_else(|| ApiError::not_found(key.0.as_str(), &key.2))
    }

    fn selected(&self, noun: &str, selector: &str) -> Vec<Bytes> {
        let mine =
            self.objects.iter().filter(|((of, _, _), object)| of == noun && matches(noun, object, selector));
        mine.map(|(_, object)| object.clone()).collect()
    }

    fn update(&mut self, key: Key, object: Bytes, status: bool) -> Result<Bytes, ApiError> {
        let old = self.find(&key)?;
        let (before, after) = (wire::metadata(&old).unwrap(), wire::metadata(&object).unwrap());
        let stale = !after.resource_version.is_empty() && after.resource_version != before.resource_version;
        let other = !after.uid.is_empty() && after.uid != before.uid;
        if stale || other {
            return Err(ApiError::conflict(key.0.as_str(), &key.2));
        }
        let object = match (status, key.0.as_str()) {
            (true, "Pods") => {
                let new = Pod::decode(object).unwrap();
                let old = Pod::decode(old).unwrap();
                Pod { status: new.status, ..old }.encode_to_vec().into()
            }
            (true, "Nodes") => {
                let new = Node::decode(object).unwrap();
                let old = Node::decode(old).unwrap();
                Node { status: new.status, ..old }.encode_to_vec().into()
            }
            _ => object,
        };
        Ok(self.write(key, object))
    }

    fn write(&mut self, key: Key, object: Bytes) -> Bytes {
        self.revision += 1;
        let object = stored(&key.0, &object, self.revision);
        let kind = match self.objects.insert(key.clone(), object.clone()) {
            Some(_) => WatchEventType::Modified,
            None => WatchEventType::Added,
        };
        self.tell(&key, kind, &object);
        object
    }

    fn delete(&mut self, key: &Key) {
        let Some(object) = self.objects.remove(key) else { return };
        self.revision += 1;
        self.tell(key, WatchEventType::Deleted, &object);
    }

    fn tell(&mut self, key: &Key, kind: WatchEventType, object: &Bytes) {
        let frame = event(kind, object.clone(), self.revision, self.trace);
        self.watches.retain(|watch| {
            let wanted = watch.noun == key.0 && matches(&key.0, object, &watch.selector);
            !wanted || watch.events.send(Ok(frame.clone())).is_ok()
        });
    }
}

fn read<M: Message + Default>(body: Bytes) -> M {
    M::decode(body).unwrap()
}

fn event(kind: WatchEventType, object: Bytes, revision: u64, trace: Option<TraceContext>) -> Bytes {
    let trace_context = trace.map(|trace| Bytes::copy_from_slice(&trace.to_bytes())).unwrap_or_default();
    let event =
        RawWatchEvent { r#type: kind.into(), object, revision, trace_context, ..RawWatchEvent::default() };
    event.encode_to_vec().into()
}

fn noun(service: &str) -> String {
    service.rsplit('.').next().unwrap().to_owned()
}

fn key<K: Object>(metadata: &ObjectMeta) -> Key {
    (noun(K::KIND.service), metadata.namespace.clone(), metadata.name.clone())
}

/// The object with its revision, and with a uid.
fn stored(noun: &str, object: &Bytes, revision: u64) -> Bytes {
    fn with<K: Object>(object: &Bytes, revision: u64) -> Bytes {
        let mut object = K::decode(object.clone()).unwrap();
        let metadata = object.metadata_mut();
        metadata.resource_version = revision.to_string();
        if metadata.uid.is_empty() {
            metadata.uid = format!("uid-{revision}");
        }
        object.encode_to_vec().into()
    }
    match noun {
        "Pods" => with::<Pod>(object, revision),
        "Nodes" => with::<Node>(object, revision),
        "Leases" => with::<Lease>(object, revision),
        "Services" => with::<Service>(object, revision),
        "Events" => with::<Event>(object, revision),
        other => panic!("the kubelet has no business with {other}"),
    }
}

fn matches(noun: &str, object: &Bytes, selector: &str) -> bool {
    match selector.split_once('=') {
        None => true,
        Some(("spec.nodeName", node)) if noun == "Pods" => {
            Pod::decode(object.clone()).unwrap().spec.node_name == node
        }
        Some(("metadata.name", name)) => wire::metadata(object).unwrap().name == name,
        Some(_) => panic!("unknown selector {selector}"),
    }
}
