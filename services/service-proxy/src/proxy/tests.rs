use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder, Rtype};
use domain::rdata::A;
use futures::Stream;
use futures::future::BoxFuture;
use keelson_base_client::Channel;
use keelson_base_client::codec::BytesCodec;
use keelson_base_daemon::tls::Peer;
use keelson_base_daemon::trace::Tracer;
use keelson_proto::core::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service, ServicePort};
use keelson_proto::v1::service_proxy_server::ServiceProxy as _;
use keelson_proto::v1::{RawList, RawWatchEvent, TableRequest, WatchEventType};
use keelson_proto::{Message as _, Object};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::{Request, Response, Status};

use super::*;
use crate::dns;
use crate::testing::{Net, POD_PORT};

const DNS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
const CLUSTER: &str = "10.0.0.9:80";

/// An api with one service and its endpoints, whose watches a test feeds.
#[derive(Clone)]
struct FakeApi {
    lists: Arc<BTreeMap<String, Bytes>>,
    watches: Arc<Mutex<BTreeMap<String, Watch>>>,
}

/// The frames of a watch.
type Watch = mpsc::Receiver<Result<Bytes, Status>>;

/// The feeding end.
struct Feed(BTreeMap<String, mpsc::Sender<Result<Bytes, Status>>>);

// === impl FakeApi ===

impl FakeApi {
    fn new(service: Service, endpoints: Endpoints) -> (Self, Feed) {
        let mut lists = BTreeMap::new();
        let (mut watches, mut feeds) = (BTreeMap::new(), BTreeMap::new());
        for (service, object) in [
            (Service::KIND.service, service.encode_to_vec()),
            (Endpoints::KIND.service, endpoints.encode_to_vec()),
        ] {
            let mut list = RawList { items: vec![object.into()], ..Default::default() };
            list.metadata.get_or_insert_default().resource_version = "1".to_owned();
            lists.insert(format!("/{service}/List"), list.encode_to_vec().into());
            let (feed, watch) = mpsc::channel(8);
            watches.insert(format!("/{service}/Watch"), watch);
            feeds.insert(service.to_owned(), feed);
        }
        let api = Self { lists: Arc::new(lists), watches: Arc::new(Mutex::new(watches)) };
        (api, Feed(feeds))
    }

    fn client(self) -> Client {
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let api = self.clone();
            async move { Ok::<_, Infallible>(api.serve(request).await) }
        });
        let peer = Peer { common_name: "system:kube-proxy".to_owned(), organizations: Vec::new() };
        Client::new(Channel::in_process(service, peer, Tracer::off()))
    }

    async fn serve(&self, request: http::Request<Body>) -> http::Response<Body> {
        type Frames = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
        let path = request.uri().path().to_owned();
        let mut grpc = tonic::server::Grpc::new(BytesCodec);
        if let Some(list) = self.lists.get(&path).cloned() {
            let answer = move |_: Request<Bytes>| -> BoxFuture<'static, Result<Response<Bytes>, Status>> {
                let list = list.clone();
                Box::pin(async move { Ok(Response::new(list)) })
            };
            return grpc.unary(tower::service_fn(answer), request).await;
        }
        let watch = self.watches.lock().unwrap().remove(&path);
        let mut watch = watch.ok_or_else(|| Status::unimplemented(path));
        let answer = move |_: Request<Bytes>| -> BoxFuture<'static, Result<Response<Frames>, Status>> {
            let watch = std::mem::replace(&mut watch, Err(Status::internal("asked twice")));
            Box::pin(async move { Ok(Response::new(Box::pin(ReceiverStream::new(watch?)) as Frames)) })
        };
        grpc.server_streaming(tower::service_fn(answer), request).await
    }
}

// === impl Feed ===

impl Feed {
    async fn send<K: Object>(&self, kind: WatchEventType, object: &K, revision: u64) {
        let metadata = object.metadata();
        let event = RawWatchEvent {
            r#type: kind.into(),
            object: object.encode_to_vec().into(),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
            uid: metadata.uid.clone(),
            revision,
            ..Default::default()
        };
        let frame = Ok(event.encode_to_vec().into());
        self.0[K::KIND.service].send(frame).await.unwrap();
    }
}

fn mk_service() -> Service {
    let mut service = Service::default();
    (service.metadata.namespace, service.metadata.name) = ("default".to_owned(), "web".to_owned());
    service.spec.cluster_ip = "10.0.0.9".to_owned();
    service.spec.ports = vec![ServicePort { port: 80, protocol: "TCP".to_owned(), ..Default::default() }];
    service
}

fn mk_endpoints(pods: &[u8], revision: u64) -> Endpoints {
    let mut endpoints = Endpoints::default();
    (endpoints.metadata.namespace, endpoints.metadata.name) = ("default".to_owned(), "web".to_owned());
    endpoints.metadata.resource_version = revision.to_string();
    let address = |pod: &u8| EndpointAddress { ip: format!("10.88.0.1{pod}"), ..Default::default() };
    let port = EndpointPort { port: POD_PORT.into(), protocol: "TCP".to_owned(), ..Default::default() };
    endpoints.subsets = vec![EndpointSubset {
        addresses: pods.iter().map(address).collect(),
        ports: vec![port],
        ..Default::default()
    }];
    endpoints
}

/// Asks the cluster DNS from a place of the network, by UDP and by TCP, which must agree.
async fn resolve(from: &Host, name: &str) -> Vec<String> {
    let (server, asked) = (SocketAddr::from((DNS, 53)), dns::query(name, Rtype::A, None));
    let by_udp = async {
        let socket = from.udp_to(server)?;
        socket.send(&asked).await?;
        let mut buffer = vec![0; 512];
        let read = socket.recv(&mut buffer).await?;
        buffer.truncate(read);
        io::Result::Ok(buffer)
    };
    let by_tcp = async {
        let mut stream = from.socket_to(server)?.connect(server).await?;
        stream.write_u16(asked.len().try_into().unwrap()).await?;
        stream.write_all(&asked).await?;
        let mut buffer = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut buffer).await?;
        io::Result::Ok(buffer)
    };
    let both = async { tokio::try_join!(by_udp, by_tcp) };
    let (by_udp, by_tcp) = tokio::time::timeout(Duration::from_secs(5), both).await.unwrap().unwrap();
    let [by_udp, by_tcp] = [by_udp, by_tcp].map(|bytes| dns::records(&Message::from_octets(bytes).unwrap()));
    assert_eq!(by_udp, by_tcp, "{name}");
    by_udp
}

/// A name server that says 192.0.2.7 to everything, at one pod.
async fn other_names(pod: &Host, address: SocketAddr) {
    let (udp, tcp) = (pod.udp_at(address).unwrap(), pod.listen(address).unwrap());
    fn answer(query: &[u8]) -> Vec<u8> {
        let query = Message::from_slice(query).unwrap();
        let mut answer = MessageBuilder::new_vec().start_answer(query, Rcode::NOERROR).unwrap();
        let name = query.sole_question().unwrap().into_qname();
        answer.push((name, 60, A::from_octets(192, 0, 2, 7))).unwrap();
        answer.finish()
    }
    tokio::spawn(async move {
        let mut buffer = vec![0; 512];
        while let Ok((read, from)) = udp.recv_from(&mut buffer).await {
            udp.send_to(&answer(&buffer[..read]), from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            let answer = answer(&query);
            stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
}

#[tokio::test]
async fn names_are_answered_on_every_host_and_change_with_their_endpoints() {
    for mode in [Mode::Nftables, Mode::Iptables] {
        let Some(net) = Net::new().await else { return };
        let before = net.host.snapshot().await;
        let resolv_conf = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(resolv_conf.path(), format!("nameserver {DNS}\nnameserver 10.88.0.12\n")).unwrap();
        other_names(&net.pods[1].host, "10.88.0.12:53".parse().unwrap()).await;
        let mut service = mk_service();
        service.spec.cluster_ip = "None".to_owned();
        let (api, feed) = FakeApi::new(service, mk_endpoints(&[1], 1));
        let tasks = Tasks::new();
        let health = Health::new(tasks.drain());
        let dns =
            DnsConfig { resolv_conf: resolv_conf.path().into(), ..DnsConfig::new(DNS, "cluster.local") };
        let config = Config { dns: Some(dns.clone()), ..net.config(mode) };
        let proxy =
            ServiceProxy::build(config, api.client(), &tasks, &health, &Metrics::new()).await.unwrap();
        assert_eq!(proxy.dns(), Some(&dns));
        let running = proxy.clone();
        tasks.spawn_critical("service-proxy", async move { running.run().await });
        tokio::time::timeout(Duration::from_secs(10), health.ready()).await.unwrap();

        for from in [&net.host.host, &net.pods[0].host] {
            assert_eq!(resolve(from, "web.default.svc.cluster.local").await, ["10.88.0.11"], "{mode}");
            assert_eq!(resolve(from, "other.default.svc.cluster.local").await, [""; 0]);
            assert_eq!(resolve(from, "example.org").await, ["192.0.2.7"], "another's name");
        }
        feed.send(WatchEventType::Modified, &mk_endpoints(&[1, 3], 2), 2).await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while resolve(&net.pods[0].host, "web.default.svc.cluster.local").await.len() < 2 {
            assert!(tokio::time::Instant::now() < deadline, "the second endpoint has no name");
        }
        tasks.join(Duration::from_secs(5)).await.unwrap();
        proxy.cleanup().await.unwrap();
        assert_eq!(net.host.snapshot().await, before);
    }
}

async fn eventually(mut table: watch::Receiver<Table>, holds: impl FnMut(&Table) -> bool) {
    let changed = table.wait_for(holds);
    tokio::time::timeout(Duration::from_secs(10), changed).await.unwrap().unwrap();
}

fn backends(table: &Table) -> usize {
    table.ports().map(|port| port.backends.len()).sum()
}

#[tokio::test]
async fn a_proxy_follows_the_api_from_its_first_list_to_its_cleanup() {
    let Some(net) = Net::new().await else { return };
    let before = net.host.snapshot().await;
    let (api, feed) = FakeApi::new(mk_service(), mk_endpoints(&[1], 1));
    let tasks = Tasks::new();
    let health = Health::new(tasks.drain());
    let metrics = Metrics::new();
    let proxy = ServiceProxy::build(net.config(Mode::Auto), api.client(), &tasks, &health, &metrics);
    let proxy = proxy.await.unwrap();
    assert_eq!((proxy.mode(), proxy.mode_reason()), (Mode::Nftables, None));
    assert!(!health.is_ready());
    let running = proxy.clone();
    tasks.spawn_critical("service-proxy", async move { running.run().await });

    tokio::time::timeout(Duration::from_secs(10), health.ready()).await.unwrap();
    assert_eq!(net.host.tally(CLUSTER, 2).await, "pod1:2");
    assert!(matches!(proxy.run().await, Err(ProxyError::Started)));

    feed.send(WatchEventType::Modified, &mk_endpoints(&[1, 2, 3], 2), 2).await;
    eventually(proxy.table(), |table| backends(table) == 3).await;
    assert_eq!(net.pods[0].tally(CLUSTER, 6).await, "pod1:2 pod2:2 pod3:2");

    let grpc = TableService { mode: proxy.mode(), table: proxy.table() };
    let asked = grpc.table(Request::new(TableRequest::default()));
    assert_eq!(asked.await.unwrap().into_inner().ports[0].backends.len(), 3);

    feed.send(WatchEventType::Deleted, &mk_service(), 3).await;
    eventually(proxy.table(), |table| table.ports().next().is_none()).await;
    assert_eq!(net.host.ask(CLUSTER).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);

    feed.send(WatchEventType::Added, &mk_service(), 4).await;
    eventually(proxy.table(), |table| backends(table) == 3).await;
    tasks.join(Duration::from_secs(5)).await.unwrap();
    assert_eq!(net.host.tally(CLUSTER, 3).await, "pod1:1 pod2:1 pod3:1", "rules outlive the proxy");
    proxy.cleanup().await.unwrap();
    assert_eq!(net.host.snapshot().await, before);
}
