use std::num::NonZeroU16;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::table::ServicePort;
use crate::table::tests::{mk_port, mk_table};

/// A server that reads all a client says, then answers with its name and that, and closes.
async fn serve(name: &'static str) -> SocketAddrV4 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else { unreachable!() };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut said = String::new();
                stream.read_to_string(&mut said).await.unwrap();
                stream.write_all(format!("{name}:{said}").as_bytes()).await.unwrap();
            });
        }
    });
    address
}

/// An address where nobody listens.
async fn nobody() -> SocketAddrV4 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else { unreachable!() };
    address
}

fn mk_forwarder() -> Userspace {
    Userspace::new(Host::new(None), Ipv4Addr::LOCALHOST, false)
}

async fn mk_web(backends: &[SocketAddrV4]) -> ServicePort {
    let mut web = mk_port("web", "10.0.0.9", 0, &[]);
    (web.node_port, web.backends) = (NonZeroU16::new(nobody().await.port()), backends.to_vec());
    web
}

async fn ask(web: &ServicePort, say: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", web.node_port.map_or(0, u16::from))).await?;
    stream.write_all(say.as_bytes()).await?;
    stream.shutdown().await?;
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    Ok(said)
}

#[tokio::test]
async fn connections_take_turns_and_half_closed_ones_are_answered() {
    let mut forwarder = mk_forwarder();
    let web = mk_web(&[serve("a").await, serve("b").await]).await;
    forwarder.apply(&mk_table(std::slice::from_ref(&web))).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(ask(&web, "hello").await.unwrap());
    }
    assert_eq!(answers, ["a:hello", "b:hello", "a:hello", "b:hello"]);
    assert_eq!(forwarder.listeners.len(), 1, "the node port; not the cluster address, which is not ours");
}

#[tokio::test]
async fn a_backend_that_does_not_answer_is_passed_over() {
    let mut forwarder = mk_forwarder();
    let web = mk_web(&[nobody().await, serve("b").await]).await;
    forwarder.apply(&mk_table(std::slice::from_ref(&web))).await.unwrap();
    for _ in 0..4 {
        assert_eq!(ask(&web, "x").await.unwrap(), "b:x");
    }
}

#[tokio::test]
async fn without_backends_the_connection_is_closed_at_once() {
    let mut forwarder = mk_forwarder();
    let (mut web, server) = (mk_web(&[]).await, serve("a").await);
    forwarder.apply(&mk_table(std::slice::from_ref(&web))).await.unwrap();
    let answer = ask(&web, "").await;
    assert!(answer.as_deref().map_or(true, str::is_empty), "{answer:?}");
    web.backends = vec![server];
    forwarder.apply(&mk_table(std::slice::from_ref(&web))).await.unwrap();
    assert_eq!(ask(&web, "x").await.unwrap(), "a:x");
}

#[tokio::test]
async fn a_client_with_affinity_stays_with_its_backend() {
    let mut forwarder = mk_forwarder();
    let mut web = mk_web(&[serve("a").await, serve("b").await]).await;
    web.affinity = std::num::NonZeroU32::new(60);
    forwarder.apply(&mk_table(std::slice::from_ref(&web))).await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&web, "").await.unwrap(), "a:");
    }
    web.backends.remove(0);
    forwarder.apply(&mk_table(std::slice::from_ref(&web))).await.unwrap();
    assert_eq!(ask(&web, "").await.unwrap(), "b:");
}

#[tokio::test]
async fn connections_outlive_their_service_and_its_port_is_free_again() {
    let mut forwarder = mk_forwarder();
    let web = mk_web(&[serve("a").await]).await;
    forwarder.apply(&mk_table(std::slice::from_ref(&web))).await.unwrap();
    let port = web.node_port.map_or(0, u16::from);
    let mut open = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    open.write_all(b"still ").await.unwrap();
    // Once a second one is through, the first has been accepted.
    ask(&web, "").await.unwrap();
    forwarder.apply(&Table::default()).await.unwrap();
    assert_eq!(ask(&web, "").await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    open.write_all(b"here").await.unwrap();
    open.shutdown().await.unwrap();
    let mut said = String::new();
    open.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "a:still here");
    // Another service may have the port at once.
    let other = ServicePort { id: mk_port("other", "10.0.0.8", 0, &[]).id, ..web };
    forwarder.apply(&mk_table(&[other])).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_told_and_holds_back_no_other() {
    let mut forwarder = mk_forwarder();
    let (web, mut blocked) = (mk_web(&[serve("a").await]).await, mk_web(&[]).await);
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    blocked.node_port = NonZeroU16::new(taken.local_addr().unwrap().port());
    blocked.id.service.name = "blocked".to_owned();
    let table = mk_table(&[web.clone(), blocked]);
    let error = forwarder.apply(&table).await.unwrap_err();
    assert!(error.to_string().contains("default/blocked/tcp/80 at 127.0.0.1"), "{error}");
    assert_eq!(ask(&web, "x").await.unwrap(), "a:x");
    drop(taken);
    forwarder.apply(&table).await.unwrap();
}
