//! Probes against real servers on the loopback.

mod grpc;
mod http;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::core::{ContainerPort, ExecAction, HttpGetAction, ProbeHandler, TcpSocketAction};
use tokio::net::TcpListener;

use super::*;
use crate::clock::Clock;
use crate::hollow::HollowRuntime;

/// A container of a pod on the loopback, which runs nothing.
fn mk_subject() -> Subject {
    let clock = Clock::tokio(Timestamp::UNIX_EPOCH);
    let port = ContainerPort { name: "web".to_owned(), container_port: 8080, ..ContainerPort::default() };
    Subject {
        runtime: Arc::new(HollowRuntime::new(Ipv4Addr::LOCALHOST, 1, clock, &Tasks::new())),
        id: "nobody".to_owned(),
        container: Container { ports: vec![port], ..Container::default() },
        address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    }
}

fn mk_probe(handler: ProbeHandler) -> Probe {
    Probe { handler, timeout_seconds: 1, ..Probe::default() }
}

fn get(port: u16, path: &str) -> HttpGetAction {
    HttpGetAction { path: path.to_owned(), port: i32::from(port).into(), ..HttpGetAction::default() }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A port at which nobody listens.
async fn closed() -> u16 {
    listen().await.1.port()
}

#[tokio::test]
async fn ports_have_numbers_and_names() {
    let subject = mk_subject();
    let port = |name: &str| port_of(&name.to_owned().into(), &subject.container);
    assert_eq!(port_of(&80.into(), &subject.container), Ok(80));
    assert_eq!(port("web"), Ok(8080));
    assert_eq!(port("81"), Ok(81));
    assert_eq!(port("other"), Err(TargetError::PortName("other".to_owned())));
    assert_eq!(port_of(&0.into(), &subject.container), Err(TargetError::Port("0".to_owned())));
    assert_eq!(port_of(&70000.into(), &subject.container), Err(TargetError::Port("70000".to_owned())));
}

#[tokio::test]
async fn an_address_that_is_missing_is_not_guessed() {
    let subject = Subject { address: None, ..mk_subject() };
    let probe = mk_probe(ProbeHandler { http_get: Some(get(80, "/")), ..ProbeHandler::default() });
    assert_eq!(check(&probe, &subject).await, Finding::Unknown("the pod has no address yet".to_owned()));
}

#[tokio::test]
async fn a_port_is_open_or_it_is_not() {
    let (listener, address) = listen().await;
    let tcp = |port: u16| {
        let action = TcpSocketAction { port: i32::from(port).into(), ..TcpSocketAction::default() };
        mk_probe(ProbeHandler { tcp_socket: Some(action), ..ProbeHandler::default() })
    };
    assert_eq!(check(&tcp(address.port()), &mk_subject()).await, Finding::Success);
    drop(listener);
    let words = format!("dial tcp {address}: connect: connection refused");
    assert_eq!(check(&tcp(address.port()), &mk_subject()).await, Finding::Failure(words));
}

#[tokio::test]
async fn a_command_in_a_container_that_is_gone_says_nothing() {
    let exec = ExecAction { command: vec!["true".to_owned()] };
    let probe = mk_probe(ProbeHandler { exec: Some(exec), ..ProbeHandler::default() });
    let finding = check(&probe, &mk_subject()).await;
    assert_eq!(finding.verdict(), None, "{finding:?}");
}

#[tokio::test]
async fn a_probe_without_an_action_says_nothing() {
    let finding = check(&mk_probe(ProbeHandler::default()), &mk_subject()).await;
    assert_eq!(finding, Finding::Unknown("missing probe handler".to_owned()));
}
