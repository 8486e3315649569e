//! An api in memory: the verbs of all kinds, revisions, watches and finalizers, and nothing that costs time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::Stream;
use futures::future::BoxFuture;
use keelson_base_client::codec::BytesCodec;
use keelson_base_client::{ApiError, Channel, Client, status};
use keelson_base_daemon::tls::Peer;
use keelson_proto::coordination::Lease;
use keelson_proto::core::{Endpoints, Event, Namespace, Node, Pod, ReplicationController, Service};
use keelson_proto::meta::{DeleteOptions, ListMeta, ObjectMeta, Time};
use keelson_proto::v1::{
    DeleteCollectionRequest, DeleteRequest, GetRequest, ListRequest, NodesContainsRequest,
    NodesContainsResponse, PatchRequest, RawCreateRequest, RawDeleteResponse, RawList, RawUpdateRequest,
    RawWatchEvent, WatchEventType, WatchRequest,
};
use keelson_proto::{Bytes, Message, Object};
use serde_json::Value;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::{Request, Response, Status};

type Frames = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
type Answer = Result<Bytes, ApiError>;

/// An api in memory. Clones are the same api.
#[derive(Clone, Default)]
pub(crate) struct FakeApi {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    revision: u64,
    /// By service, namespace and name.
    objects: BTreeMap<(String, String, String), Value>,
    history: Vec<(String, RawWatchEvent)>,
    watches: Vec<(String, WatchRequest, mpsc::UnboundedSender<Bytes>)>,
    /// Creations that are refused from now on.
    refusals: usize,
    /// `service/method` of every call that was answered.
    calls: Vec<String>,
}

/// Calls a function with the kind that a service keeps.
macro_rules! of_kind {
    ($service:expr, $function:ident($($argument:expr),*)) => {
        match $service.trim_start_matches("keelson.v1.") {
            "Pods" => $function::<Pod>($($argument),*),
            "ReplicationControllers" => $function::<ReplicationController>($($argument),*),
            "Services" => $function::<Service>($($argument),*),
            "Endpoints" | "EndpointsRegistry" => $function::<Endpoints>($($argument),*),
            "Nodes" => $function::<Node>($($argument),*),
            "Namespaces" => $function::<Namespace>($($argument),*),
            "Leases" => $function::<Lease>($($argument),*),
            "Events" => $function::<Event>($($argument),*),
            other => panic!("the test api has no {other}"),
        }
    };
}

// === impl FakeApi ===

impl FakeApi {
    /// A client of this api.
    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, std::convert::Infallible>(api.serve(request).await) }
        });
        let peer = Peer { common_name: "tester".to_owned(), organizations: Vec::new() };
        Client::new(Channel::in_process(service, peer))
    }

    /// Refuses this many creations of pods.
    pub(crate) fn refuse(&self, creations: usize) {
        self.state().refusals = creations;
    }

    /// How many calls of `service/method` (without the package) were answered.
    pub(crate) fn calls(&self, method: &str) -> usize {
        self.state().calls.iter().filter(|call| *call == method).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn serve(&self, request: http::Request<Body>) -> http::Response<Body> {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let (service, method) = path.split_once('/').unwrap();
        let (service, method, api) = (service.to_owned(), method.to_owned(), self.clone());
        let mut grpc = tonic::server::Grpc::new(BytesCodec);
        if method == "Watch" {
            let handler = tower::service_fn(move |request: Request<Bytes>| -> BoxFuture<'static, _> {
                let frames = api.state().watch(&service, WatchRequest::decode(request.into_inner()).unwrap());
                Box::pin(async move { Ok::<Response<Frames>, Status>(Response::new(frames)) })
            });
            return grpc.server_streaming(handler, request).await;
        }
        let handler = tower::service_fn(move |request: Request<Bytes>| -> BoxFuture<'static, _> {
            let (api, service, method) = (api.clone(), service.clone(), method.clone());
            Box::pin(async move {
                // As if it were far away: the caller may not count on being answered at once.
                tokio::task::yield_now().await;
                let answer = api.state().answer(&service, &method, request.into_inner());
                answer.map(Response::new).map_err(status::to_grpc)
            })
        });
        grpc.unary(handler, request).await
    }
}

// === impl State ===

impl State {
    fn answer(&mut self, service: &str, method: &str, body: Bytes) -> Answer {
        self.calls.push(format!("{}/{method}", service.trim_start_matches("keelson.v1.")));
        match method {
            "Get" => of_kind!(service, get(self, service, &decode(body))),
            "List" => of_kind!(service, list(self, service, &decode(body))),
            "Create" => of_kind!(service, create(self, service, decode(body))),
            "Update" | "UpdateStatus" | "Finalize" => {
                of_kind!(service, update(self, service, method, decode(body)))
            }
            "Patch" => of_kind!(service, patch(self, service, decode(body))),
            "Delete" => of_kind!(service, delete(self, service, decode(body))),
            "DeleteCollection" => of_kind!(service, delete_collection(self, service, decode(body))),
            "Contains" => {
                let request: NodesContainsRequest = decode(body);
                let contains = self.objects.contains_key(&place(service, "", &request.name));
                Ok(NodesContainsResponse { contains }.encode_to_vec().into())
            }
            other => panic!("the test api has no {service}/{other}"),
        }
    }

    fn watch(&mut self, service: &str, request: WatchRequest) -> Frames {
        let (frames, frames_rx) = mpsc::unbounded_channel();
        let after: u64 = request.resource_version.parse().unwrap();
        let missed = self.history.iter().filter(|(of, event)| of == service && event.revision > after);
        for (_, event) in missed.filter(|(_, event)| in_namespace(&request.namespace, &event.namespace)) {
            frames.send(event.encode_to_vec().into()).unwrap();
        }
        self.watches.push((service.to_owned(), request, frames));
        Box::pin(futures::stream::unfold(frames_rx, |mut frames| async move {
            frames.recv().await.map(|frame| (Ok(frame), frames))
        }))
    }

    /// Stores an object (or the last state of one that goes) and tells the watches.
    fn commit<K: Object>(&mut self, service: &str, mut object: K, kind: WatchEventType) -> K {
        self.revision += 1;
        object.metadata_mut().resource_version = self.revision.to_string();
        let ObjectMeta { namespace, name, uid, .. } = object.metadata().clone();
        let place = place(service, &namespace, &name);
        match kind {
            WatchEventType::Deleted => drop(self.objects.remove(&place)),
            _ => drop(self.objects.insert(place, serde_json::to_value(&object).unwrap())),
        }
        let event = RawWatchEvent {
            r#type: kind.into(),
            object: object.encode_to_vec().into(),
            revision: self.revision,
            namespace,
            name,
            uid,
            ..RawWatchEvent::default()
        };
        for (of, request, frames) in &self.watches {
            if of == service && in_namespace(&request.namespace, &event.namespace) {
                let _ = frames.send(event.encode_to_vec().into());
            }
        }
        self.history.push((service.to_owned(), event));
        object
    }

    /// The same for an object that goes if nothing holds it.
    fn commit_held<K: Object>(&mut self, service: &str, object: K) -> (K, bool) {
        let metadata = object.metadata();
        let value = serde_json::to_value(&object).unwrap();
        let is_held = !metadata.finalizers.is_empty()
            || metadata.deletion_grace_period_seconds.is_some_and(|grace| grace > 0)
            || value.pointer("/spec/finalizers/0").is_some();
        let goes = metadata.deletion_timestamp.is_some() && !is_held;
        let kind = if goes { WatchEventType::Deleted } else { WatchEventType::Modified };
        (self.commit(service, object, kind), goes)
    }

    fn find<K: Object>(&self, service: &str, namespace: &str, name: &str) -> Result<K, ApiError> {
        let found = self.objects.get(&place(service, namespace, name));
        let found = found.ok_or_else(|| ApiError::not_found(K::KIND, name))?;
        Ok(serde_json::from_value(found.clone()).unwrap())
    }

    fn all<K: Object>(&self, service: &str, namespace: &str) -> Vec<K> {
        let all = self.objects.iter();
        let wanted = all.filter(|((of, in_ns, _), _)| of == service && in_namespace(namespace, in_ns));
        wanted.map(|(_, value)| serde_json::from_value(value.clone()).unwrap()).collect()
    }
}

fn get<K: Object>(state: &State, service: &str, request: &GetRequest) -> Answer {
    Ok(encode(&state.find::<K>(service, &request.namespace, &request.name)?))
}

fn list<K: Object>(state: &State, service: &str, request: &ListRequest) -> Answer {
    let limit = if request.limit == 1 { 1 } else { usize::MAX };
    let items = state.all::<K>(service, &request.namespace);
    let list = RawList {
        metadata: Some(ListMeta { resource_version: state.revision.to_string(), ..ListMeta::default() }),
        items: items.iter().take(limit).map(encode).collect(),
    };
    Ok(list.encode_to_vec().into())
}

fn create<K: Object>(state: &mut State, service: &str, request: RawCreateRequest) -> Answer {
    let mut object: K = decode(request.object);
    if K::KIND == Pod::KIND && state.refusals > 0 {
        state.refusals -= 1;
        return Err(ApiError::forbidden(K::KIND, "", "the quota is used up"));
    }
    let next = state.revision + 1;
    let meta = object.metadata_mut();
    if meta.name.is_empty() {
        meta.name = format!("{}{next}", meta.generate_name);
    }
    meta.uid = format!("uid-{next}");
    meta.creation_timestamp = Some(Time { seconds: 1, nanos: 0 });
    if state.objects.contains_key(&place(service, &meta.namespace, &meta.name)) {
        return Err(ApiError::already_exists(K::KIND, &meta.name));
    }
    Ok(encode(&state.commit(service, object, WatchEventType::Added)))
}

fn update<K: Object>(state: &mut State, service: &str, method: &str, request: RawUpdateRequest) -> Answer {
    let new: K = decode(request.object);
    let meta = new.metadata();
    let old = state.find::<K>(service, &meta.namespace, &meta.name)?;
    let version = &meta.resource_version;
    if meta.uid != old.metadata().uid || (!version.is_empty() && *version != old.metadata().resource_version)
    {
        return Err(ApiError::conflict(K::KIND, &meta.name));
    }
    let (new, old) = (serde_json::to_value(&new).unwrap(), serde_json::to_value(&old).unwrap());
    let (mut base, taken, part) = match method {
        "UpdateStatus" => (old, new, "status"),
        "Finalize" => (old, new, "spec"),
        _ => (new, old, "status"),
    };
    match taken.get(part) {
        Some(taken) => base[part] = taken.clone(),
        None => drop(base.as_object_mut().unwrap().remove(part)),
    }
    let object: K = serde_json::from_value(base).unwrap();
    Ok(encode(&state.commit_held(service, object).0))
}

fn patch<K: Object>(state: &mut State, service: &str, request: PatchRequest) -> Answer {
    let old = state.find::<K>(service, &request.namespace, &request.name)?;
    let patch: Value = serde_json::from_slice(&request.patch).unwrap();
    let current = serde_json::to_value(&old).unwrap();
    for precondition in ["/metadata/uid", "/metadata/resourceVersion"] {
        let wanted = patch.pointer(precondition);
        if wanted.is_some() && wanted != current.pointer(precondition) {
            return Err(ApiError::conflict(K::KIND, &request.name));
        }
    }
    let new: K = serde_json::from_value(merged(current, &patch)).unwrap();
    Ok(encode(&state.commit_held(service, new).0))
}

/// A merge patch: objects are merged, all else is replaced.
fn merged(mut value: Value, patch: &Value) -> Value {
    let Some(fields) = patch.as_object().filter(|_| value.is_object()) else {
        return patch.clone();
    };
    for (field, change) in fields {
        value[field] = merged(value[field].take(), change);
    }
    value
}

fn delete<K: Object>(state: &mut State, service: &str, request: DeleteRequest) -> Answer {
    let old = state.find::<K>(service, &request.namespace, &request.name)?;
    let (object, removed) = delete_one(state, service, old, &request.options.unwrap_or_default())?;
    let answer = RawDeleteResponse { object: encode(&object), removed };
    Ok(answer.encode_to_vec().into())
}

fn delete_collection<K: Object>(
    state: &mut State,
    service: &str,
    request: DeleteCollectionRequest,
) -> Answer {
    let all = state.all::<K>(service, &request.list.unwrap().namespace);
    let options = request.options.unwrap_or_default();
    let mut list = RawList::default();
    for object in all {
        list.items.push(encode(&delete_one(state, service, object, &options)?.0));
    }
    Ok(list.encode_to_vec().into())
}

fn delete_one<K: Object>(
    state: &mut State,
    service: &str,
    old: K,
    options: &DeleteOptions,
) -> Result<(K, bool), ApiError> {
    let meta = old.metadata();
    let wanted = options.preconditions.clone().unwrap_or_default();
    let differs = |wanted: &Option<String>, is: &str| wanted.as_deref().is_some_and(|wanted| wanted != is);
    if differs(&wanted.uid, &meta.uid) || differs(&wanted.resource_version, &meta.resource_version) {
        return Err(ApiError::conflict(K::KIND, &meta.name));
    }
    let mut value = serde_json::to_value(&old).unwrap();
    if K::KIND == Namespace::KIND {
        value["status"] = serde_json::json!({ "phase": "Terminating" });
    }
    // Pods with a node take their time.
    let graceful = value.pointer("/spec/nodeName").is_some() && options.grace_period_seconds != Some(0);
    let mut object: K = serde_json::from_value(value).unwrap();
    let meta = object.metadata_mut();
    meta.deletion_timestamp = Some(Time { seconds: 2, nanos: 0 });
    meta.deletion_grace_period_seconds = Some(if graceful { 30 } else { 0 });
    match options.propagation_policy.as_deref() {
        Some("Orphan") => meta.finalizers.push("orphan".to_owned()),
        Some("Foreground") => meta.finalizers.push("foregroundDeletion".to_owned()),
        _ => {}
    }
    Ok(state.commit_held(service, object))
}

fn place(service: &str, namespace: &str, name: &str) -> (String, String, String) {
    (service.to_owned(), namespace.to_owned(), name.to_owned())
}

fn in_namespace(wanted: &str, is: &str) -> bool {
    wanted.is_empty() || wanted == is
}

fn decode<M: Message + Default>(bytes: Bytes) -> M {
    M::decode(bytes).unwrap()
}

fn encode<M: Message>(message: &M) -> Bytes {
    message.encode_to_vec().into()
}
