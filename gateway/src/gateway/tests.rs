//! Whole requests against an api that answers as the test says.

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use keelson_base_client::codec::BytesCodec;
use keelson_base_client::{Channel, REMOTE_GROUP, REMOTE_USER};
use keelson_base_daemon::trace::Tracer;
use keelson_proto::authorization::SelfSubjectAccessReview;
use keelson_proto::autoscaling::Scale;
use keelson_proto::core::{Pod, Service};
use keelson_proto::meta::{ListMeta, Status as ApiStatus};
use keelson_proto::v1::{
    BindPodRequest, DeleteRequest, LogChunk, RawCreateRequest, RawDeleteResponse, RawList, RawUpdateRequest,
    RawWatchEvent, ScaleRequest, WatchEventType,
};
use keelson_proto::{Message, Object, envelope, wire};
use serde_json::{Value, json};
use tonic::{Request as GrpcRequest, Response as GrpcResponse, Status};
use tower::ServiceExt as _;

use axum::body::Body;

use super::*;

type Answers = dyn Fn(&str, Bytes) -> Result<Vec<Bytes>, ApiError> + Send + Sync;

/// An api whose every method is `answers`, and what it was last told about the user.
struct Api {
    answers: Box<Answers>,
    user: Mutex<Vec<String>>,
}

async fn grpc(api: Arc<Api>, request: http::Request<tonic::body::Body>) -> http::Response<tonic::body::Body> {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let of = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned());
    *api.user.lock().unwrap() = of(REMOTE_USER).chain(of(REMOTE_GROUP)).chain(of("authorization")).collect();
    let streams = ["/Watch", "/ListStream", "/Log"].iter().any(|method| path.ends_with(method));
    let answer = move |request: GrpcRequest<Bytes>| {
        let message = request.into_inner();
        let answer = match path.strip_prefix("/keelson.v1.SelfSubject") {
            Some(review) => reviewed(review, message, &api.user.lock().unwrap()),
            None => (api.answers)(&path, message),
        };
        answer.map_err(keelson_base_client::status::to_grpc)
    };
    let mut grpc = tonic::server::Grpc::new(BytesCodec);
    if !streams {
        let unary =
            tower::service_fn(move |request| -> BoxFuture<'static, Result<GrpcResponse<Bytes>, Status>> {
                let answer = answer(request).map(|mut messages| GrpcResponse::new(messages.remove(0)));
                Box::pin(std::future::ready(answer))
            });
        return grpc.unary(unary, request).await;
    }
    type Frames = BoxStream<'static, Result<Bytes, Status>>;
    let streaming =
        tower::service_fn(move |request| -> BoxFuture<'static, Result<GrpcResponse<Frames>, Status>> {
            let answer =
                answer(request).map(|messages| GrpcResponse::new(stream::iter(messages).map(Ok).boxed()));
            Box::pin(std::future::ready(answer))
        });
    grpc.server_streaming(streaming, request).await
}

/// Who is somebody may do everything to paths, and nobody nothing.
fn reviewed(review: &str, message: Bytes, user: &[String]) -> Result<Vec<Bytes>, ApiError> {
    let create = RawCreateRequest::decode(message).unwrap();
    let known = user.first().is_some_and(|user| user != "system:anonymous");
    match review {
        "AccessReviews/Create" => {
            let mut review = SelfSubjectAccessReview::decode(create.object).unwrap();
            review.status.allowed = known;
            Ok(vec![review.encode_to_vec().into()])
        }
        _ => Err(ApiError::forbidden("selfsubjectreviews", "", "nobody asks")),
    }
}

/// A gateway before an api.
struct Harness {
    router: Router,
    api: Arc<Api>,
}

/// What came back.
struct Reply {
    code: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn harness(answers: impl Fn(&str, Bytes) -> Result<Vec<Bytes>, ApiError> + Send + Sync + 'static) -> Harness {
    harness_with(|_| {}, answers)
}

fn harness_with(
    change: impl FnOnce(&mut Config),
    answers: impl Fn(&str, Bytes) -> Result<Vec<Bytes>, ApiError> + Send + Sync + 'static,
) -> Harness {
    let api = Arc::new(Api { answers: Box::new(answers), user: Mutex::default() });
    let serving = api.clone();
    let service = tower::service_fn(move |request| {
        let api = serving.clone();
        async move { Ok::<_, Infallible>(grpc(api, request).await) }
    });
    let peer = Peer { common_name: "keelson:gateway".into(), organizations: vec![] };
    let client = Client::new(Channel::in_process(service, peer, Tracer::off()));
    let tasks = Tasks::new();
    let mut config = Config::new(tasks.clone(), Health::new(tasks.drain()), &Metrics::new());
    change(&mut config);
    Harness { router: Gateway::build(config, client.clone(), client), api }
}

impl Harness {
    async fn send(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer = Peer { common_name: "ann".into(), organizations: vec!["dev".into()] };
        let request = request.extension(peer).body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Reply { code: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    async fn get(&self, uri: &str) -> Reply {
        self.send(Method::GET, uri, &[], Body::empty()).await
    }
}

fn pod(name: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.metadata.uid = "u1".into();
    pod
}

fn encoded(object: &impl Message, revision: u64) -> Bytes {
    wire::with_resource_version(&object.encode_to_vec(), revision)
}

#[tokio::test]
async fn an_object_is_read_for_the_user_of_the_certificate() {
    let harness = harness(|path, _| {
        assert_eq!(path, "/keelson.v1.Pods/Get");
        Ok(vec![encoded(&pod("web"), 7)])
    });
    let reply = harness.get("/api/v1/namespaces/default/pods/web").await;
    assert_eq!(reply.code, 200);
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.json()["metadata"]["resourceVersion"], "7");
    assert_eq!(*harness.api.user.lock().unwrap(), ["ann", "dev", "system:authenticated"]);
}

#[tokio::test]
async fn strangers_are_passed_on_as_such_and_health_is_everybodys() {
    let harness = harness(|_, _| Err(ApiError::unauthorized("")));
    let ask = |path: &str, token: Option<&str>| {
        let mut request = http::Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        harness.router.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    let refused = ask("/api/v1/namespaces/a/pods/web", None).await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers().contains_key("www-authenticate"));
    assert_eq!(*harness.api.user.lock().unwrap(), ["system:anonymous", "system:unauthenticated"]);
    assert_eq!(ask("/api/v1/namespaces/a/pods/web", Some("Bearer hush")).await.unwrap().status(), 401);
    assert_eq!(*harness.api.user.lock().unwrap(), ["Bearer hush"]);
    assert_eq!(ask("/livez", None).await.unwrap().status(), 200);
    for path in ["/version", "/metrics", "/api", "/openapi/v2"] {
        let refused = ask(path, None).await.unwrap();
        assert_eq!(refused.status(), 403, "{path}");
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        let told: Value = serde_json::from_slice(&body).unwrap();
        let why = format!("forbidden: User \"system:anonymous\" cannot get path \"{path}\"");
        assert_eq!(told["message"], why);
    }
}

#[tokio::test]
async fn failures_of_api_keep_their_status() {
    let harness = harness(|_, _| Err(ApiError::not_found(Pod::KIND, "web")));
    let reply = harness.get("/api/v1/namespaces/default/pods/web").await;
    assert_eq!(reply.code, 404);
    let status = reply.json();
    assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!("NotFound")));
    assert_eq!(status["message"], "pods \"web\" not found");
    assert_eq!(status["details"], json!({"name": "web", "kind": "pods"}));
}

#[tokio::test]
async fn a_created_object_is_checked_and_answered_with_its_warnings() {
    let harness = harness(|path, request| {
        assert_eq!(path, "/keelson.v1.Pods/Create");
        let request = RawCreateRequest::decode(request).unwrap();
        assert_eq!(request.namespace, "default");
        Ok(vec![encoded(&Pod::decode(request.object).unwrap(), 3)])
    });
    let body = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web"},"spec":{"x":1}}"#;
    let uri = "/api/v1/namespaces/default/pods";
    let reply = harness.send(Method::POST, uri, &[("content-type", "application/json")], body).await;
    assert_eq!((reply.code.as_u16(), reply.json()["metadata"]["name"].as_str()), (201, Some("web")));
    assert_eq!(reply.headers["warning"], r#"299 - "unknown field \"spec.x\"""#);
    let strict = format!("{uri}?fieldValidation=Strict");
    assert_eq!(harness.send(Method::POST, &strict, &[], body).await.code, 400);
    assert_eq!(harness.send(Method::POST, uri, &[("content-type", "text/html")], body).await.code, 415);
    let elsewhere = r#"{"metadata":{"name":"web","namespace":"other"}}"#;
    assert_eq!(harness.send(Method::POST, uri, &[], elsewhere).await.code, 400);
    assert_eq!(harness.send(Method::POST, uri, &[], vec![b' '; 3 * 1024 * 1024 + 1]).await.code, 413);
    let wrapped = envelope::wrap("v1", "Pod", &pod("p").encode_to_vec(), b"");
    let media = [("content-type", envelope::CONTENT_TYPE), ("accept", envelope::CONTENT_TYPE)];
    let reply = harness.send(Method::POST, uri, &media, wrapped).await;
    assert_eq!(Pod::decode(envelope::unwrap(&reply.body).unwrap().raw).unwrap().metadata.name, "p");
}

#[tokio::test]
async fn subresources_reach_their_methods() {
    let harness = harness(|path, request| match path.rsplit('/').next().unwrap() {
        "UpdateStatus" | "Finalize" => {
            let request = RawUpdateRequest::decode(request).unwrap();
            Ok(vec![request.object])
        }
        "GetScale" => Ok(vec![scaled(3, "7")]),
        "Scale" => Ok(vec![ScaleRequest::decode(request).unwrap().scale.unwrap().encode_to_vec().into()]),
        "Bind" => {
            let bound = BindPodRequest::decode(request).unwrap().binding.unwrap();
            assert_eq!((bound.metadata.name.as_str(), bound.target.name.as_str()), ("web", "n1"));
            Ok(vec![ApiStatus::default().encode_to_vec().into()])
        }
        other => panic!("{other}"),
    });
    let status = r#"{"metadata":{"name":"web"},"status":{"phase":"Running"}}"#;
    let reply = harness.send(Method::PUT, "/api/v1/namespaces/a/pods/web/status", &[], status).await;
    assert_eq!(reply.json()["status"]["phase"], "Running");
    let reply =
        harness.send(Method::PUT, "/api/v1/namespaces/a/finalize", &[], r#"{"metadata":{"name":"a"}}"#).await;
    assert_eq!((reply.code.as_u16(), reply.json()["kind"].as_str()), (200, Some("Namespace")));
    let scale = "/api/v1/namespaces/a/replicationcontrollers/rc/scale";
    assert_eq!(harness.get(scale).await.json()["spec"]["replicas"], 3);
    let wanted =
        r#"{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"rc"},"spec":{"replicas":3}}"#;
    assert_eq!(harness.send(Method::PUT, scale, &[], wanted).await.json()["apiVersion"], "autoscaling/v1");
    let target = r#"{"metadata":{"name":"web"},"target":{"kind":"Node","name":"n1"}}"#;
    for uri in ["/api/v1/namespaces/a/bindings", "/api/v1/namespaces/a/pods/web/binding"] {
        let reply = harness.send(Method::POST, uri, &[], target).await;
        assert_eq!((reply.code.as_u16(), reply.json()["status"].as_str()), (201, Some("Success")));
    }
}

/// An encoded scale of the controller `rc`.
fn scaled(replicas: i32, version: &str) -> Bytes {
    let mut scale = Scale::default();
    scale.metadata.name = "rc".into();
    scale.metadata.resource_version = version.into();
    scale.spec.replicas = replicas;
    scale.encode_to_vec().into()
}

#[tokio::test]
async fn a_patch_of_a_scale_is_run_again_when_somebody_was_faster() {
    let reads = AtomicUsize::new(0);
    let harness = harness(move |path, request| {
        if path == "/keelson.v1.ReplicationControllers/GetScale" {
            let version = reads.fetch_add(1, Ordering::Relaxed).to_string();
            return Ok(vec![scaled(3, &version)]);
        }
        let wanted = ScaleRequest::decode(request).unwrap().scale.unwrap();
        assert_eq!(wanted.spec.replicas, 5);
        match wanted.metadata.resource_version.as_str() {
            "2" => Ok(vec![wanted.encode_to_vec().into()]),
            _ => Err(ApiError::conflict("replicationcontrollers", "rc")),
        }
    });
    let scale = "/api/v1/namespaces/a/replicationcontrollers/rc/scale";
    let merge = [("content-type", "application/merge-patch+json")];
    let reply = harness.send(Method::PATCH, scale, &merge, r#"{"spec":{"replicas":5}}"#).await;
    assert_eq!((reply.code.as_u16(), &reply.json()["spec"]["replicas"]), (200, &json!(5)));
    let outdated = r#"{"metadata":{"resourceVersion":"1"},"spec":{"replicas":5}}"#;
    assert_eq!(harness.send(Method::PATCH, scale, &merge, outdated).await.code, 409);
    assert_eq!(harness.send(Method::PATCH, scale, &merge, r#"{"spec":{"replicas":5}}"#).await.code, 409);
    assert_eq!(harness.send(Method::PATCH, scale, &[], "{}").await.code, 415);
}

#[tokio::test]
async fn a_deletion_answers_with_what_clients_expect() {
    let harness = harness(|path, request| {
        let request = DeleteRequest::decode(request).unwrap();
        let removed = request.options.unwrap().grace_period_seconds == Some(0);
        let object = if path.contains("Services") {
            Service::default().encode_to_vec()
        } else {
            pod(&request.name).encode_to_vec()
        };
        Ok(vec![RawDeleteResponse { object: object.into(), removed }.encode_to_vec().into()])
    });
    for (uri, kind) in [
        ("/api/v1/namespaces/a/pods/web", "Pod"),
        ("/api/v1/namespaces/a/pods/web?gracePeriodSeconds=0", "Pod"),
        ("/api/v1/namespaces/a/services/web?gracePeriodSeconds=0", "Service"),
        ("/api/v1/namespaces/a", "Namespace"),
        ("/api/v1/namespaces/a?gracePeriodSeconds=0", "Status"),
    ] {
        let reply = harness.send(Method::DELETE, uri, &[], Body::empty()).await;
        assert_eq!((reply.code.as_u16(), reply.json()["kind"].as_str()), (200, Some(kind)), "{uri}");
    }
    let body = r#"{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0}"#;
    let reply =
        harness.send(Method::DELETE, "/apis/coordination.k8s.io/v1/namespaces/a/leases/l", &[], body).await;
    let details = json!({"name": "l", "group": "coordination.k8s.io", "kind": "leases", "uid": "u1"});
    assert_eq!((&reply.json()["status"], &reply.json()["details"]), (&json!("Success"), &details));
}

#[tokio::test]
async fn a_list_is_streamed_or_paged() {
    let harness = harness(|path, _| {
        let list = |name: &str, more: &str| {
            let metadata =
                ListMeta { resource_version: "9".into(), r#continue: more.into(), ..Default::default() };
            RawList { metadata: Some(metadata), items: vec![encoded(&pod(name), 1)], ..RawList::default() }
                .encode_to_vec()
                .into()
        };
        match path {
            "/keelson.v1.Pods/ListStream" => Ok(vec![list("a", "token"), list("b", "")]),
            "/keelson.v1.Pods/List" => Ok(vec![list("a", "token")]),
            other => panic!("{other}"),
        }
    });
    let all = harness.get("/api/v1/pods").await.json();
    assert_eq!(
        (all["items"].as_array().unwrap().len(), &all["metadata"]),
        (2, &json!({"resourceVersion": "9"}))
    );
    let page = harness.get("/api/v1/pods?limit=1").await.json();
    assert_eq!(
        (page["items"].as_array().unwrap().len(), &page["metadata"]["continue"]),
        (1, &json!("token"))
    );
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let table = harness.send(Method::GET, "/api/v1/pods?limit=500", &table, Body::empty()).await.json();
    assert_eq!((&table["kind"], &table["rows"][0]["cells"][0]), (&json!("Table"), &json!("a")));
}

#[tokio::test]
async fn a_watch_is_lines_of_json() {
    let harness = harness(|path, _| {
        assert_eq!(path, "/keelson.v1.Pods/Watch");
        let event = |kind: WatchEventType, revision| {
            let object = encoded(&pod("web"), revision);
            let event = RawWatchEvent {
                r#type: kind.into(),
                object,
                name: "web".into(),
                revision,
                ..Default::default()
            };
            Bytes::from(event.encode_to_vec())
        };
        Ok(vec![event(WatchEventType::Added, 1), event(WatchEventType::Deleted, 2)])
    });
    let reply = harness.get("/api/v1/watch/namespaces/a/pods").await;
    let lines: Vec<Value> = reply
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let told: Vec<_> =
        lines.iter().map(|line| (&line["type"], &line["object"]["metadata"]["resourceVersion"])).collect();
    assert_eq!(told, [(&json!("ADDED"), &json!("1")), (&json!("DELETED"), &json!("2"))]);
    let yaml = harness
        .send(Method::GET, "/api/v1/pods?watch=1", &[("accept", "application/yaml")], Body::empty())
        .await;
    assert_eq!(yaml.code, 406);
}

#[tokio::test]
async fn a_watch_whose_history_is_gone_says_so_as_an_event() {
    let harness = harness(|_, _| Err(ApiError::expired("too old resource version: 1 (7)")));
    let reply = harness.get("/api/v1/pods?watch=1&resourceVersion=1").await;
    assert_eq!(reply.code, 200);
    let event = reply.json();
    assert_eq!(event["type"], "ERROR", "{event}");
    assert_eq!((&event["object"]["code"], &event["object"]["reason"]), (&json!(410), &json!("Expired")));

    let harness = self::harness(|_, _| Err(ApiError::bad_request("wrong")));
    assert_eq!(harness.get("/api/v1/pods?watch=1").await.code, 400, "other failures are answers");
}

#[tokio::test]
async fn a_log_is_plain_text() {
    let harness = harness(|_, _| {
        Ok(["one\n", "two\n"].map(|text| LogChunk { data: text.into() }.encode_to_vec().into()).to_vec())
    });
    // Old clients accept nothing but JSON, and read text all the same.
    let reply = harness
        .send(Method::GET, "/api/v1/namespaces/a/pods/web/log", &[("accept", "text/plain")], Body::empty())
        .await;
    assert_eq!(
        (&*reply.body, &reply.headers["content-type"]),
        (&b"one\ntwo\n"[..], &HeaderValue::from_static("text/plain"))
    );
}

#[tokio::test]
async fn requests_beyond_the_limit_wait_their_turn() {
    let harness = harness_with(|config| config.max_in_flight = 0, |_, _| Ok(vec![]));
    let reply = harness.get("/api/v1/pods").await;
    assert_eq!((reply.code.as_u16(), &reply.headers["retry-after"]), (429, &HeaderValue::from_static("1")));
    assert_eq!(harness.get("/api/v1/pods/x/y/z").await.code, 404);
}

#[tokio::test]
async fn the_server_tells_about_itself() {
    let harness = harness(|path, _| panic!("{path}"));
    assert_eq!(harness.get("/version").await.json()["minor"], "33");
    assert!(
        harness.get("/").await.json()["paths"]
            .as_array()
            .unwrap()
            .contains(&json!("/apis/coordination.k8s.io/v1"))
    );
    let host = [("host", "10.0.0.1:6443"), ("accept", "application/json, */*")];
    let versions = harness.send(Method::GET, "/api?timeout=32s", &host, Body::empty()).await.json();
    assert_eq!(versions["serverAddressByClientCIDRs"][0]["serverAddress"], "10.0.0.1:6443");
    assert_eq!(harness.get("/openapi/v3").await.code, 200);
    assert_eq!(harness.get("/readyz?verbose").await.code, 200);
    assert_eq!(harness.get("/nowhere").await.json()["reason"], "NotFound");
    let person = harness.send(Method::GET, "/version", &[("user-agent", "curl/8")], Body::empty()).await;
    assert!(person.body.starts_with(b"{\n  \"major\""));
}

#[tokio::test]
async fn requests_are_counted_and_those_who_are_known_may_read_it() {
    let harness = harness(|_, _| Err(ApiError::not_found(Pod::KIND, "web")));
    harness.get("/api/v1/namespaces/a/pods/web").await;
    harness.get("/nowhere").await;
    let text = String::from_utf8(harness.get("/metrics").await.body.to_vec()).unwrap();
    for line in [
        "gateway_request_total{verb=\"GET\",group=\"\",resource=\"pods\",subresource=\"\",code=\"404\"} 1",
        "gateway_request_total{verb=\"GET\",group=\"\",resource=\"\",subresource=\"\",code=\"404\"} 1",
        "gateway_current_inflight_requests{request_kind=\"readOnly\"} 0",
        "rest_client_requests_total{code=\"404\",method=\"GET\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    let stranger = http::Request::get("/metrics").body(Body::empty()).unwrap();
    assert_eq!(harness.router.clone().oneshot(stranger).await.unwrap().status(), 403);
}
