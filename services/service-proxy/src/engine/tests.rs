use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use super::*;
use crate::table::ServicePort;
use crate::table::tests::{mk_port, mk_table};
use crate::testing::Net;
use crate::{kernel, localnet, proxy};

const CLUSTER: &str = "10.0.0.9:80";
const OUTSIDE: &str = "192.168.77.1:30080";
const LOCALHOST: &str = "127.0.0.1:30080";

/// A proxy of a test network.
struct Rig {
    net: Net,
    config: Config,
    engine: Engine,
    table: Table,
}

// === impl Rig ===

impl Rig {
    async fn new(mode: Mode) -> Option<Self> {
        let net = Net::new().await?;
        let config = net.config(mode);
        let engine = start(&config, &net).await;
        Some(Self { net, config, engine, table: Table::default() })
    }

    fn web(&self, pods: &[u8]) -> ServicePort {
        ServicePort { backends: self.net.backends(pods), ..mk_port("web", "10.0.0.9", 30080, &[]) }
    }

    async fn set(&mut self, ports: &[ServicePort]) {
        let new = mk_table(ports);
        let old = (!self.table.eq(&Table::default())).then_some(&self.table);
        self.engine.apply(old, &new).await.unwrap();
        if old.is_none() && self.config.mode != Mode::Userspace {
            let (host, instance) = (&self.net.host.host, Instance::new(&self.config.instance));
            localnet::switch_on(host, &self.net.links(), &instance, &self.config.pod_interfaces).await;
        }
        self.table = new;
    }

    async fn cleanup(&self) {
        let (host, instance) = (&self.net.host.host, Instance::new(&self.config.instance));
        proxy::remove(host, &instance).await.unwrap();
    }
}

async fn start(config: &Config, net: &Net) -> Engine {
    let choice = Choice::make(config, &net.host.host, &Instance::new(&config.instance)).await.unwrap();
    assert_eq!((choice.engine.mode(), choice.reason), (config.mode, None));
    choice.engine
}

async fn connections_take_turns_wherever_they_come_from(mode: Mode) {
    let Some(mut rig) = Rig::new(mode).await else {
        return;
    };
    let web = rig.web(&[1, 2, 3]);
    rig.set(&[web]).await;
    let net = &rig.net;
    let even = "pod1:10 pod2:10 pod3:10";
    assert_eq!(net.host.tally(CLUSTER, 30).await, even, "host to cluster address");
    assert_eq!(net.pods[0].tally(CLUSTER, 30).await, even, "pod to cluster address, itself included");
    assert_eq!(net.host.tally(OUTSIDE, 30).await, even, "host to node port");
    assert_eq!(net.host.tally(LOCALHOST, 30).await, even, "host to node port on loopback");
    assert_eq!(net.pods[1].tally(OUTSIDE, 30).await, even, "pod to node port");
    assert_eq!(net.outside.tally(OUTSIDE, 30).await, even, "outside to node port, past Docker's drop");
}

async fn a_client_with_affinity_stays_with_its_backend(mode: Mode) {
    let Some(mut rig) = Rig::new(mode).await else {
        return;
    };
    let sticky = |rig: &Rig, pods: &[u8]| ServicePort { affinity: NonZeroU32::new(60), ..rig.web(pods) };
    let web = sticky(&rig, &[1, 2, 3]);
    rig.set(&[web]).await;
    let first = rig.net.outside.ask(OUTSIDE).await.unwrap().pod;
    assert_eq!(rig.net.outside.tally(OUTSIDE, 10).await, format!("{first}:10"));
    let second = rig.net.pods[0].ask(CLUSTER).await.unwrap().pod;
    assert_ne!(first, second, "another client has another turn");
    assert_eq!(rig.net.pods[0].tally(OUTSIDE, 10).await, format!("{second}:10"), "at all its frontends");

    let number = first.trim_start_matches("pod").parse::<u8>().unwrap();
    let others: Vec<_> = (1..=3).filter(|pod| *pod != number).collect();
    let web = sticky(&rig, &others);
    rig.set(&[web]).await;
    assert_eq!(
        rig.net.pods[0].tally(CLUSTER, 10).await,
        format!("{second}:10"),
        "its backend is still there"
    );
    assert_ne!(rig.net.outside.ask(OUTSIDE).await.unwrap().pod, first);

    let web = rig.web(&[1, 2, 3]);
    rig.set(&[web]).await;
    assert_eq!(rig.net.outside.tally(OUTSIDE, 6).await, "pod1:2 pod2:2 pod3:2", "affinity is over");
}

async fn without_backends_connections_are_refused_at_once(mode: Mode) {
    let Some(mut rig) = Rig::new(mode).await else {
        return;
    };
    let (with, without) = (rig.web(&[1]), rig.web(&[]));
    for round in [vec![without.clone()], vec![with], vec![without], vec![]] {
        rig.set(&round).await;
        let served = round.first().is_some_and(|web| !web.backends.is_empty());
        for (who, from) in [("host", &rig.net.host), ("pod", &rig.net.pods[1]), ("outside", &rig.net.outside)]
        {
            for address in [CLUSTER, OUTSIDE] {
                if who == "outside" && address == CLUSTER {
                    continue;
                }
                let started = Instant::now();
                let answer = from.ask(address).await.map_err(|error| error.kind());
                let expected = if served { Ok("pod1") } else { Err(ErrorKind::ConnectionRefused) };
                assert_eq!(
                    answer.as_ref().map(|reply| reply.pod.as_str()).map_err(|kind| *kind),
                    expected,
                    "{who} to {address}"
                );
                assert!(started.elapsed() < Duration::from_millis(500), "{who} to {address}");
            }
        }
    }
    let nobody = rig.net.host.ask("10.0.0.77:80").await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::ConnectionRefused, "no service has this address");
}

async fn a_pod_reaches_itself_and_sees_true_clients_where_it_can(mode: Mode) {
    let Some(mut rig) = Rig::new(mode).await else {
        return;
    };
    let web = rig.web(&[1]);
    rig.set(&[web]).await;
    let itself = rig.net.pods[0].ask(CLUSTER).await.unwrap();
    assert_eq!((itself.pod.as_str(), itself.client.as_str()), ("pod1", "10.88.0.1"), "masqueraded");
    let looped = rig.net.host.ask(LOCALHOST).await.unwrap();
    assert_eq!(looped.client, "10.88.0.1", "loopback addresses do not leave the host");
    let outside = rig.net.outside.ask(CLUSTER).await.unwrap();
    assert_eq!(outside.client, "192.168.77.2", "a client that routes service addresses here is seen");
    let direct = rig.net.pods[1].ask("10.88.0.11:8080").await.unwrap();
    assert_eq!(direct.client, "10.88.0.12", "not our business");
}

async fn changes_take_effect_and_touch_nothing_else(mode: Mode) {
    let Some(mut rig) = Rig::new(mode).await else {
        return;
    };
    let other = ServicePort { backends: rig.net.backends(&[3]), ..mk_port("other", "10.0.0.8", 0, &[]) };
    let moved = |rig: &Rig| ServicePort { node_port: std::num::NonZeroU16::new(30081), ..rig.web(&[2, 3]) };
    let (one, two, moved) = (rig.web(&[1]), rig.web(&[2, 3]), moved(&rig));
    rig.set(&[one, other.clone()]).await;
    assert_eq!(rig.net.host.tally(CLUSTER, 4).await, "pod1:4");
    rig.set(&[two, other.clone()]).await;
    assert_eq!(rig.net.host.tally(CLUSTER, 4).await, "pod2:2 pod3:2");
    rig.set(&[moved, other.clone()]).await;
    assert_eq!(rig.net.outside.tally("192.168.77.1:30081", 4).await, "pod2:2 pod3:2");
    assert_eq!(rig.net.outside.ask(OUTSIDE).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    rig.set(&[other]).await;
    assert_eq!(rig.net.host.ask(CLUSTER).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(rig.net.host.tally("10.0.0.8:80", 4).await, "pod3:4");
}

async fn nobody_outside_gets_to_loopback(mode: Mode) {
    let Some(mut rig) = Rig::new(mode).await else {
        return;
    };
    rig.set(&[]).await;
    // A pod that sends to 127.0.0.1 by way of the host.
    let pod = &rig.net.pods[0].host;
    let route = "route del local 127.0.0.0/8 dev lo table local\nroute del local 127.0.0.1 dev lo table local\n\
                 route add 127.0.0.1/32 via 10.88.0.1 dev eth0 src 10.88.0.11\n";
    pod.run("ip", &["-batch", "-"], route).await.unwrap();
    let bind = |host: &Host, address: &'static str| {
        let socket = host.inside(|| std::net::UdpSocket::bind(address).unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        UdpSocket::from_std(socket).unwrap()
    };
    let (server, attacker) = (bind(&rig.net.host.host, "127.0.0.1:9"), bind(pod, "10.88.0.11:9"));
    let patience = Duration::from_millis(300);
    let mut buffer = [0; 16];
    attacker.send_to(b"first", "127.0.0.1:9").await.unwrap();
    let got = tokio::time::timeout(patience, server.recv(&mut buffer)).await;
    assert!(got.is_err(), "the rules keep it away");
    // Without them the way is open.
    kernel::remove_except(&rig.net.host.host, &Instance::new("test"), Mode::Userspace).await.unwrap();
    attacker.send_to(b"again!", "127.0.0.1:9").await.unwrap();
    let got = tokio::time::timeout(patience, server.recv(&mut buffer)).await;
    assert_eq!(got.unwrap().unwrap(), 6);
}

async fn the_next_proxy_takes_over_without_a_gap_or_leftovers(mode: Mode) {
    let Some(mut rig) = Rig::new(mode).await else {
        return;
    };
    let (web, gone) = (rig.web(&[1, 2]), mk_port("gone", "10.0.0.7", 30070, &["10.88.0.13:8080"]));
    let sticky = ServicePort {
        affinity: NonZeroU32::new(60),
        ..mk_port("sticky", "10.0.0.6", 0, &["10.88.0.13:8080"])
    };
    rig.set(std::slice::from_ref(&web)).await;
    let expected = rig.net.host.snapshot().await;
    rig.set(&[web.clone(), gone, sticky]).await;
    assert_ne!(rig.net.host.snapshot().await, expected);
    // The first proxy is killed: the next knows only the service that is left.
    let mut next = start(&rig.config, &rig.net).await;
    let table = mk_table(&[web]);
    let replace = async {
        for _ in 0..40 {
            next.apply(None, &table).await.unwrap();
        }
    };
    let ask = async {
        loop {
            rig.net.outside.ask(OUTSIDE).await.unwrap();
            rig.net.pods[2].ask(CLUSTER).await.unwrap();
        }
    };
    tokio::select! {
        () = replace => {}
        () = ask => {}
    }
    assert_same(&rig.net.host.snapshot().await, &expected);
}

async fn cleanup_leaves_nothing(mode: Mode) {
    let Some(net) = Net::new().await else { return };
    let before = net.host.snapshot().await;
    let config = net.config(mode);
    let engine = start(&config, &net).await;
    let mut rig = Rig { net, config, engine, table: Table::default() };
    let web = ServicePort { affinity: NonZeroU32::new(60), ..rig.web(&[1, 2]) };
    rig.set(&[web, mk_port("empty", "10.0.0.8", 30070, &[])]).await;
    rig.net.outside.ask(OUTSIDE).await.unwrap();
    assert_ne!(rig.net.host.snapshot().await, before);
    // Another proxy of the same instance adopts it all, and it is that one which ends cleanly.
    rig.engine = start(&rig.config, &rig.net).await;
    rig.cleanup().await;
    assert_same(&rig.net.host.snapshot().await, &before);
    rig.cleanup().await;
}

async fn rules_of_the_other_mode_are_taken_over(mode: Mode, other: Mode) {
    let Some(mut rig) = Rig::new(mode).await else {
        return;
    };
    let web = rig.web(&[1]);
    rig.set(std::slice::from_ref(&web)).await;
    let expected = rig.net.host.snapshot().await;
    let config = Config { mode: other, ..rig.config.clone() };
    let mut engine = start(&config, &rig.net).await;
    engine.apply(None, &mk_table(&[rig.web(&[2])])).await.unwrap();
    kernel::remove_except(&rig.net.host.host, &Instance::new("test"), other).await.unwrap();
    assert_eq!(rig.net.outside.tally(OUTSIDE, 3).await, "pod2:3");
    assert_eq!(rig.net.host.tally(LOCALHOST, 3).await, "pod2:3");
    let mut back = start(&rig.config, &rig.net).await;
    back.apply(None, &mk_table(&[web])).await.unwrap();
    kernel::remove_except(&rig.net.host.host, &Instance::new("test"), mode).await.unwrap();
    assert_eq!(rig.net.outside.tally(OUTSIDE, 3).await, "pod1:3");
    let strip = |text: String| {
        let order: std::collections::BTreeSet<_> = text.lines().map(str::to_owned).collect();
        order.into_iter().collect::<Vec<_>>().join("\n")
    };
    assert_same(&strip(rig.net.host.snapshot().await), &strip(expected));
}

/// Compares what is on the host by lines, so that a failure shows those that differ.
fn assert_same(found: &str, expected: &str) {
    let (found_lines, expected_lines): (Vec<_>, Vec<_>) =
        (found.lines().collect(), expected.lines().collect());
    let more: Vec<_> = found_lines.iter().filter(|line| !expected_lines.contains(line)).collect();
    let less: Vec<_> = expected_lines.iter().filter(|line| !found_lines.contains(line)).collect();
    assert!(found == expected, "too much: {more:#?}\nmissing: {less:#?}");
}

/// Each of these for each kind of rules.
macro_rules! in_both_modes {
    ($($test:ident)*) => {
        mod nftables {
            $(#[tokio::test] async fn $test() { super::$test(super::Mode::Nftables).await; })*
        }
        mod iptables {
            $(#[tokio::test] async fn $test() { super::$test(super::Mode::Iptables).await; })*
        }
    };
}

in_both_modes! {
    connections_take_turns_wherever_they_come_from
    a_client_with_affinity_stays_with_its_backend
    without_backends_connections_are_refused_at_once
    a_pod_reaches_itself_and_sees_true_clients_where_it_can
    changes_take_effect_and_touch_nothing_else
    nobody_outside_gets_to_loopback
    the_next_proxy_takes_over_without_a_gap_or_leftovers
    cleanup_leaves_nothing
}

#[tokio::test]
async fn nftables_and_iptables_take_over_from_each_other() {
    rules_of_the_other_mode_are_taken_over(Mode::Nftables, Mode::Iptables).await;
    rules_of_the_other_mode_are_taken_over(Mode::Iptables, Mode::Nftables).await;
}

#[tokio::test]
async fn the_best_mode_is_chosen() {
    let Some(net) = Net::new().await else { return };
    let config = net.config(Mode::Auto);
    let choice = Choice::make(&config, &net.host.host, &Instance::new("test")).await.unwrap();
    assert_eq!((choice.engine.mode(), choice.reason), (Mode::Nftables, None));
}

#[tokio::test]
async fn with_privileges_the_forwarder_owns_the_cluster_addresses() {
    let Some(mut rig) = Rig::new(Mode::Userspace).await else {
        return;
    };
    let web = rig.web(&[1, 2, 3]);
    rig.set(&[web]).await;
    let net = &rig.net;
    for from in [&net.host, &net.pods[0], &net.outside] {
        assert_eq!(from.tally(CLUSTER, 6).await, "pod1:2 pod2:2 pod3:2");
        assert_eq!(from.tally(OUTSIDE, 3).await, "pod1:1 pod2:1 pod3:1");
    }
    assert_eq!(net.host.tally(LOCALHOST, 3).await, "pod1:1 pod2:1 pod3:1");
    assert_eq!(net.host.ask("10.0.0.77:80").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// Root runs this test again as somebody who may do nothing.
#[tokio::test]
async fn without_privileges_node_ports_are_served_and_the_reason_is_told() {
    let host = Host::new(None);
    if nix::unistd::Uid::effective().is_root() {
        let test = "engine::tests::without_privileges_node_ports_are_served_and_the_reason_is_told";
        let binary = std::env::current_exe().unwrap().display().to_string();
        let nobody =
            ["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];
        let args = [&nobody[..], &["--", &binary, "--exact", test]].concat();
        host.run("setpriv", &args, "").await.unwrap();
        return;
    }
    let config =
        Config { pod_interfaces: Vec::new(), ..Config::new("nobody", "10.255.0.0/24".parse().unwrap()) };
    let instance = Instance::new(&config.instance);
    let choice = Choice::make(&config, &host, &instance).await.unwrap();
    let reason = "rules of the kernel need root (CAP_NET_ADMIN), so services answer on node ports of this host only, \
                  through this process, TCP only";
    assert_eq!((choice.engine.mode(), choice.reason.as_deref()), (Mode::Userspace, Some(reason)));
    let forced = Choice::make(&Config { mode: Mode::Nftables, ..config }, &host, &instance).await;
    let error = forced.err().unwrap().to_string();
    assert!(
        error.starts_with("the service proxy cannot use nftables: nft needs root (CAP_NET_ADMIN)"),
        "{error}"
    );
}

#[test]
fn the_reason_is_one_plain_sentence() {
    let missing = || CommandError::Missing("nft".to_owned());
    let denied = || CommandError::Denied { program: "nft".to_owned(), message: "x".to_owned() };
    let refused = || CommandError::Refused { program: "iptables".to_owned(), message: "no nat".to_owned() };
    let table = [
        (missing(), missing(), "neither nft nor iptables is installed"),
        (denied(), missing(), "rules of the kernel need root (CAP_NET_ADMIN)"),
        (missing(), denied(), "rules of the kernel need root (CAP_NET_ADMIN)"),
        (missing(), refused(), "nft is not installed, and iptables failed: no nat"),
    ];
    for (nftables, iptables, expected) in table {
        assert_eq!(why_not(&nftables, &iptables), expected);
    }
}
