//! What is relayed to kubelets: a kubelet that follows a script answers.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use keelson_base_client::codec::BytesCodec;
use keelson_proto::core::{
    Binding, EndpointAddress, EndpointPort, EndpointSubset, Endpoints, ObjectReference, PodExecOptions,
};
use keelson_proto::v1::container_input::Input;
use keelson_proto::v1::container_output::Output;
use keelson_proto::v1::{
    BindPodRequest, ContainerInput, ContainerOutput, ExecStart, PortForwardInput, PortForwardOutput,
    PortForwardStart, ProxyInput, ProxyOutput, ProxyRequest, port_forward_input, proxy_input, proxy_output,
};
use keelson_proto::{Message, Object as _};
use tonic::{Request, Response, Status, Streaming};

use super::*;

type Answers = BoxStream<'static, Result<Bytes, Status>>;

/// Kubelets that echo what they are sent, and whose pods serve a page; and how often they were called.
#[derive(Clone, Default)]
struct Kubelets(Arc<AtomicUsize>);

impl KubeletDialer for Kubelets {
    fn dial(&self, _node: &Node) -> Result<Channel, ApiError> {
        let calls = self.0.clone();
        let service = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
            calls.fetch_add(1, Ordering::SeqCst);
            async move {
                if request.uri().path() == "/healthz" {
                    return Ok::<_, Infallible>(http::Response::new(tonic::body::Body::new("ok".to_owned())));
                }
                let forward = request.uri().path().ends_with("/PortForward");
                let answer = tower::service_fn(move |request: Request<Streaming<Bytes>>| async move {
                    let requests = request.into_inner();
                    let answers = if forward { page(requests).await } else { echo(requests).await };
                    Ok::<_, Status>(Response::new(answers))
                });
                Ok(tonic::server::Grpc::new(BytesCodec).streaming(answer, request).await)
            }
        });
        let peer = Peer { common_name: "system:apiserver".into(), organizations: vec![] };
        Ok(Channel::in_process(service, peer, Tracer::off()))
    }
}

/// Tells which container it is, then what it is sent.
async fn echo(mut requests: Streaming<Bytes>) -> Answers {
    let first = ContainerInput::decode(requests.message().await.unwrap().unwrap()).unwrap();
    let Some(Input::Exec(start)) = first.input else { panic!("no exec") };
    let out = |data| Ok(ContainerOutput { output: Some(Output::Stdout(data)) }.encode_to_vec().into());
    let container = Bytes::from(start.options.unwrap().container);
    let echoed = requests.filter_map(move |message| async move {
        match ContainerInput::decode(message.ok()?).unwrap().input? {
            Input::Stdin(data) => Some(out(data)),
            _ => None,
        }
    });
    stream::once(async move { out(container) }).chain(echoed).boxed()
}

/// Answers one request of HTTP with its first line.
async fn page(mut requests: Streaming<Bytes>) -> Answers {
    let first = PortForwardInput::decode(requests.message().await.unwrap().unwrap()).unwrap();
    let Some(port_forward_input::Input::Start(start)) = first.input else { panic!("no start") };
    let answer = async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match PortForwardInput::decode(requests.message().await.unwrap().unwrap()).unwrap().input {
                Some(port_forward_input::Input::Data(data)) => head.extend_from_slice(&data),
                other => panic!("{other:?}"),
            }
        }
        let line = String::from_utf8(head).unwrap().lines().next().unwrap().to_owned();
        let body = format!("{} {line}", start.port);
        let data = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into();
        Ok(PortForwardOutput { data }.encode_to_vec().into())
    };
    stream::once(answer).boxed()
}

/// An api with one node, on which the pod `web` is.
async fn fixture() -> (Fixture, Kubelets) {
    let kubelets = Kubelets::default();
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(Embedded::open(EmbeddedConfig::new(dir.path().join("store"))).unwrap());
    let (tasks, metrics) = (Tasks::new(), Metrics::new());
    let health = Health::new(tasks.drain());
    let config = Config { service_cluster_ip_range: "10.0.0.0/24".parse().unwrap(), ..Config::default() };
    let dialer = Arc::new(kubelets.clone());
    let api = Api::build(config, store.clone(), dialer, &tasks, &health, &metrics).await.unwrap();
    let fixture = Fixture { store, api, dir, tasks, metrics };
    let client = fixture.client();
    let mut node = Node::default();
    node.metadata.name = "n1".into();
    client.api::<Node>().create(&node).await.unwrap();
    for name in ["web", "unbound"] {
        client.api::<Pod>().namespaced("default").create(&mk_pod(name)).await.unwrap();
    }
    let mut binding = Binding::default();
    binding.metadata.name = "web".into();
    binding.target = ObjectReference { kind: "Node".into(), name: "n1".into(), ..ObjectReference::default() };
    let bind = BindPodRequest { namespace: "default".into(), binding: Some(binding) };
    client.raw(Pod::KIND.service).unary_bytes("Bind", &bind).await.unwrap();
    (fixture, kubelets)
}

fn exec(pod: &str) -> ContainerInput {
    let options = PodExecOptions { stdout: true, command: vec!["cat".into()], ..PodExecOptions::default() };
    let start = ExecStart { namespace: "default".into(), name: pod.into(), options: Some(options) };
    ContainerInput { input: Some(Input::Exec(start)) }
}

fn forward(port: u32) -> PortForwardInput {
    let start = PortForwardStart { namespace: "default".into(), name: "web".into(), port };
    PortForwardInput { input: Some(port_forward_input::Input::Start(start)) }
}

fn asked(name: &str, method: &str, path: &str) -> ProxyInput {
    let request = ProxyRequest {
        namespace: "default".into(),
        name: name.into(),
        method: method.into(),
        path: path.into(),
        headers: vec![],
    };
    ProxyInput { input: Some(proxy_input::Input::Request(request)) }
}

/// The code with which a call is refused, at once or later; 200 if it is not.
async fn code<Q: Message + 'static>(
    client: &Client,
    method: &'static str,
    requests: impl Stream<Item = Q> + Send + 'static,
) -> u16 {
    match client.raw(Pod::KIND.service).bidi_stream::<Q, ContainerOutput>(method, requests).await {
        Err(error) => error.code(),
        Ok(mut answers) => match answers.next().await {
            Some(Err(error)) => error.code(),
            _ => 200,
        },
    }
}

/// The code and body that a request is answered with.
async fn proxied(client: &Client, service: &str, request: ProxyInput) -> (u32, String) {
    let requests = stream::iter([request]);
    let answers = client.raw(service).bidi_stream::<_, ProxyOutput>("Proxy", requests).await;
    let mut answers = match answers {
        Ok(answers) => answers,
        Err(error) => return (error.code().into(), error.to_string()),
    };
    let (mut code, mut body) = (0, String::new());
    while let Some(answer) = answers.next().await {
        match answer.map(|answer| answer.output.unwrap()) {
            Ok(proxy_output::Output::Response(response)) => code = response.code,
            Ok(proxy_output::Output::Body(data)) => body.push_str(std::str::from_utf8(&data).unwrap()),
            Err(error) => return (error.code().into(), error.to_string()),
        }
    }
    (code, body)
}

#[tokio::test]
async fn a_command_is_relayed_both_ways_to_the_only_container() {
    let (fixture, _) = fixture().await;
    let stdin = |text: &'static str| ContainerInput {
        input: Some(Input::Stdin(Bytes::from_static(text.as_bytes()))),
    };
    let requests = stream::iter([exec("web"), stdin("some "), stdin("input")]);
    let pods = fixture.client().raw(Pod::KIND.service);
    let mut answers = pods.bidi_stream::<_, ContainerOutput>("Exec", requests).await.unwrap();
    let mut texts = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer.unwrap().output {
            Some(Output::Stdout(data)) => texts.push(data),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(texts, ["c", "some ", "input"]);
}

#[tokio::test]
async fn what_cannot_be_relayed_is_refused() {
    let (fixture, kubelets) = fixture().await;
    let admin = fixture.client();
    let nobody = fixture.client_of("ann", "dev");
    let mut silent = exec("web");
    if let Some(Input::Exec(start)) = &mut silent.input {
        start.options.as_mut().unwrap().stdout = false;
    }
    assert_eq!(code(&nobody, "Exec", stream::iter([exec("web")])).await, 403);
    assert_eq!(code(&nobody, "PortForward", stream::iter([forward(80)])).await, 403);
    assert_eq!(code(&admin, "Exec", stream::iter([exec("none")])).await, 404);
    assert_eq!(code(&admin, "Exec", stream::iter([exec("unbound")])).await, 400);
    assert_eq!(code(&admin, "Exec", stream::iter([silent])).await, 400);
    assert_eq!(code(&admin, "Attach", stream::iter([exec("web")])).await, 400, "not what attach begins with");
    assert_eq!(code(&admin, "Exec", stream::empty::<ContainerInput>()).await, 400);
    assert_eq!(code(&admin, "PortForward", stream::iter([forward(99_999)])).await, 400);
    assert_eq!(code(&admin, "PortForward", stream::iter([forward(0)])).await, 200, "only asked");
    assert_eq!(kubelets.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn requests_are_passed_on_through_the_pods_kubelet() {
    let (fixture, _) = fixture().await;
    let client = fixture.client();
    let pods = Pod::KIND.service;
    let answer = proxied(&client, pods, asked("web:8080", "GET", "/a?b")).await;
    assert_eq!(answer, (200, "8080 GET /a?b HTTP/1.1".to_owned()));
    assert_eq!(proxied(&client, pods, asked("web", "GET", "/")).await.0, 400, "it has no port");
    assert_eq!(proxied(&client, pods, asked("unbound:1", "GET", "/")).await.0, 400);
    assert_eq!(proxied(&client, pods, asked("a:b:c:d", "GET", "/")).await.0, 400);
    assert_eq!(proxied(&fixture.client_of("ann", "dev"), pods, asked("web:1", "GET", "/")).await.0, 403);
}

#[tokio::test]
async fn a_service_is_asked_by_one_of_its_ready_endpoints() {
    let (fixture, _) = fixture().await;
    let client = fixture.client();
    let mut service = mk_service("s");
    service.spec.selector.clear();
    client.api::<Service>().namespaced("default").create(&service).await.unwrap();
    let services = Service::KIND.service;
    let none = proxied(&client, services, asked("s", "GET", "/")).await;
    assert!(none.0 == 503 && none.1.contains("no endpoints available for service \"s\""), "{none:?}");
    let mut endpoints = Endpoints { metadata: mk_meta("s"), ..Endpoints::default() };
    let pod = ObjectReference {
        kind: "Pod".into(),
        namespace: "default".into(),
        name: "web".into(),
        ..ObjectReference::default()
    };
    let address =
        EndpointAddress { ip: "10.1.0.1".into(), target_ref: Some(pod), ..EndpointAddress::default() };
    endpoints.subsets = vec![EndpointSubset {
        addresses: vec![address],
        ports: vec![EndpointPort { port: 8080, ..EndpointPort::default() }],
        ..EndpointSubset::default()
    }];
    client.api::<Endpoints>().namespaced("default").create(&endpoints).await.unwrap();
    for name in ["s", "s:80"] {
        let answer = proxied(&client, services, asked(name, "GET", "/x")).await;
        assert_eq!(answer, (200, "8080 GET /x HTTP/1.1".to_owned()), "{name}");
    }
    assert_eq!(proxied(&client, services, asked("s:81", "GET", "/")).await.0, 503);
}

#[tokio::test]
async fn a_node_is_asked_by_its_kubelet() {
    let (fixture, _) = fixture().await;
    let client = fixture.client();
    let nodes = Node::KIND.service;
    assert_eq!(proxied(&client, nodes, asked("n1", "GET", "/healthz")).await, (200, "ok".to_owned()));
    assert_eq!(proxied(&client, nodes, asked("none", "GET", "/healthz")).await.0, 404);
    assert_eq!(proxied(&client, nodes, asked("n1:80", "GET", "/")).await.0, 503, "it has no address");
}
