//! An api in memory: the verbs of all kinds, revisions, conflicts, finalizers, watches; nothing that costs time.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use keelson_base_daemon::tls::Peer;
use keelson_base_daemon::trace::{self, TraceContext, Tracer};
use keelson_proto::v1::WatchRequest;
use keelson_proto::{Message as _, Object};
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tower::ServiceExt as _;

use super::journal::{Course, Held, Journal};
use super::kinds::{self, form};
use super::script;
use super::store::Store;
use super::watch::Frames;
use crate::codec::BytesCodec;
use crate::status::to_grpc;
use crate::{ApiError, Channel, Client};

/// An api in memory. Clones are the same api.
///
/// It keeps what it is given: names, versions and deletions have api's rules, contents have none. Methods are named
/// as in `Pods/UpdateStatus`.
#[derive(Clone, Default)]
pub struct FakeApi {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    store: Store,
    journal: Journal,
}

// === impl FakeApi ===

impl FakeApi {
    /// A client of this api.
    pub fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.serve(request).await) }
        });
        let peer = Peer { common_name: "tester".to_owned(), organizations: Vec::new() };
        Client::new(Channel::in_process(service, peer, Tracer::off()))
    }

    /// A client of this api that cannot reach it while `cut` is set; streams that are open go on.
    pub fn client_unless(&self, cut: &Arc<AtomicBool>) -> Client {
        let (api, cut) = (self.client().channel(), cut.clone());
        let service = tower::service_fn(move |request| {
            let (api, cut) = (api.clone(), cut.clone());
            async move {
                match cut.load(Ordering::Relaxed) {
                    true => Err(Status::unavailable("cut off")),
                    false => api.oneshot(request).await,
                }
            }
        });
        let peer = Peer { common_name: "tester".to_owned(), organizations: Vec::new() };
        Client::new(Channel::in_process(service, peer, Tracer::off()))
    }

    /// Stores an object as it is, whatever was there.
    pub fn put<K: Object>(&self, object: &K) {
        self.shared().store.put(form::<K>(), &object.encode_to_vec(), None);
    }

    /// The same, in the course of a trace.
    pub fn put_traced<K: Object>(&self, object: &K, trace: TraceContext) {
        self.shared().store.put(form::<K>(), &object.encode_to_vec(), Some(trace));
    }

    /// Removes an object at once, whatever its grace and its finalizers; does nothing if it is not there.
    pub fn remove<K: Object>(&self, object: &K) {
        let metadata = object.metadata();
        if self.get::<K>(&metadata.namespace, &metadata.name).is_some() {
            self.shared().store.remove(form::<K>(), &object.encode_to_vec());
        }
    }

    /// The object of this name, if there is one.
    pub fn get<K: Object>(&self, namespace: &str, name: &str) -> Option<K> {
        let found = self.shared().store.find(form::<K>(), namespace, name);
        found.ok().map(|object| K::decode(object).unwrap())
    }

    /// All objects of a kind, by namespace and name.
    pub fn list<K: Object>(&self) -> Vec<K> {
        let shared = self.shared();
        let all = shared.store.all(form::<K>());
        all.map(|(_, object)| K::decode(object.clone()).unwrap()).collect()
    }

    /// Fails the next call of a method.
    pub fn fail(&self, method: &str, error: ApiError) {
        self.shared().journal.fail(method, error);
    }

    /// Holds all further calls of these methods, other than `Watch`, until the test answers them itself.
    pub fn hold(&self, methods: &[&str]) -> Held {
        self.shared().journal.hold(methods)
    }

    /// How many calls of a method there were.
    pub fn count(&self, method: &str) -> usize {
        self.traces(method).len()
    }

    /// The traces of the calls of a method, one for each call.
    pub fn traces(&self, method: &str) -> Vec<Option<TraceContext>> {
        self.shared().journal.traces(method)
    }

    async fn serve(&self, request: http::Request<Body>) -> http::Response<Body> {
        let path = request.uri().path().to_owned();
        let trace = trace::extract(request.headers());
        let mut grpc = tonic::server::Grpc::new(BytesCodec);
        let api = self.clone();
        if path.ends_with("/Watch") {
            let watch = tower::service_fn(move |request: Request<Bytes>| -> BoxFuture<'static, _> {
                let frames = api.watch(&path, trace, request.into_inner());
                std::future::ready(frames.map(Response::new).map_err(to_grpc)).boxed()
            });
            return grpc.server_streaming(watch, request).await;
        }
        let unary = tower::service_fn(move |request: Request<Bytes>| {
            api.clone().unary(path.clone(), trace, request).boxed()
        });
        grpc.unary(unary, request).await
    }

    fn watch(&self, path: &str, trace: Option<TraceContext>, body: Bytes) -> Result<Frames, ApiError> {
        let mut shared = self.shared();
        shared.journal.enter(path, trace)?;
        let (form, _) = target(path)?;
        let request = WatchRequest::decode(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
        shared.store.watch(form, &request)
    }

    async fn unary(
        self,
        path: String,
        trace: Option<TraceContext>,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Status> {
        // As if it were far away: the caller may not count on being answered at once.
        tokio::task::yield_now().await;
        let course = self.shared().journal.enter(&path, trace);
        match course.map_err(to_grpc)? {
            Course::Hold(calls) => script::ask_one(calls, path, request).await,
            Course::Serve => {
                let answer = target(&path)
                    .and_then(|(form, method)| self.shared().store.call(form, method, request.into_inner()));
                answer.map(Response::new).map_err(to_grpc)
            }
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kind and the method that a path names.
fn target(path: &str) -> Result<(kinds::Form, &str), ApiError> {
    let named = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    let found = named.and_then(|(service, method)| Some((kinds::kept_by(service)?, method)));
    found.ok_or_else(|| ApiError::unimplemented(path))
}
