//! A small network in namespaces of its own: a host with three pods on a bridge, and somebody outside.
//!
//! ```text
//! outside 192.168.77.2 ── 192.168.77.1 host 10.88.0.1 ── pods0 ── pods 10.88.0.11, .12, .13
//! ```
//! The namespaces have no names: they end with the test, and everything in them.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::bridge::Links;
use crate::config::{Config, Mode};
use crate::host::Host;

/// What the pods listen on.
pub(crate) const POD_PORT: u16 = 8080;

/// The rules that Docker makes for a bridge, as far as they forward.
const DOCKER: &str = "\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.88.0.0/24 ! -o pods0 -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o pods0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i pods0 ! -o pods0 -j ACCEPT
-A FORWARD -i pods0 -o pods0 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
";

/// A namespace, which lives while this does.
pub(crate) struct Namespace {
    file: File,
    pub(crate) host: Host,
}

/// The network.
pub(crate) struct Net {
    pub(crate) host: Namespace,
    pub(crate) outside: Namespace,
    pub(crate) pods: Vec<Namespace>,
}

/// Who answered a connection, and whom it saw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reply {
    pub(crate) pod: String,
    pub(crate) client: String,
}

// === impl Namespace ===

impl Namespace {
    fn new() -> Self {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces need CAP_SYS_ADMIN");
            File::open("/proc/thread-self/ns/net").unwrap()
        };
        let file = std::thread::spawn(make).join().unwrap();
        let host = Host::new(Some(path(&file)));
        Self { file, host }
    }

    pub(crate) fn path(&self) -> PathBuf {
        path(&self.file)
    }

    /// Runs lines of `ip` here.
    async fn ip(&self, lines: &str) {
        self.host.run("ip", &["-batch", "-"], lines).await.unwrap();
    }

    /// Connects to `address` from here, and reads who answers.
    pub(crate) async fn ask(&self, address: &str) -> io::Result<Reply> {
        let address: SocketAddrV4 = address.parse().unwrap();
        let asking = async {
            let mut stream = self.host.socket()?.connect(SocketAddr::V4(address)).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            let (pod, client) = text.split_once(' ').ok_or(io::ErrorKind::UnexpectedEof)?;
            Ok(Reply { pod: pod.to_owned(), client: client.to_owned() })
        };
        // A packet that is dropped is sent again after one second: such a connection has failed.
        tokio::time::timeout(Duration::from_millis(900), asking).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// How often each pod answers `count` connections, as `pod1:3 pod2:3`.
    pub(crate) async fn tally(&self, address: &str, count: usize) -> String {
        let mut tally = std::collections::BTreeMap::<String, usize>::new();
        for _ in 0..count {
            *tally.entry(self.ask(address).await.unwrap().pod).or_default() += 1;
        }
        tally.iter().map(|(pod, count)| format!("{pod}:{count}")).collect::<Vec<_>>().join(" ")
    }

    /// Answers connections here with `name` and the client's address, while the test runs.
    async fn serve(&self, name: String) {
        let listener = self.host.listen(SocketAddr::from(([0, 0, 0, 0], POD_PORT))).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, client)) = listener.accept().await {
                let _ = stream.write_all(format!("{name} {}", client.ip()).as_bytes()).await;
            }
        });
    }

    /// All rules, links, routes and switches that the proxy could leave behind.
    pub(crate) async fn snapshot(&self) -> String {
        let mut all = String::new();
        for (program, args) in [
            ("nft", &["list", "ruleset"][..]),
            ("iptables-save", &[]),
            ("ip", &["-4", "route", "show", "table", "all"]),
            ("cat", &["/proc/sys/net/ipv4/conf/pods0/route_localnet"]),
        ] {
            all += &self.host.run(program, args, "").await.unwrap();
        }
        // Not their states, which come and go on their own.
        let links = self.host.run("ip", &["-brief", "link"], "").await.unwrap();
        links.lines().for_each(|link| all += &format!("{}\n", link.split(['@', ' ']).next().unwrap()));
        // Times of saving, counters of packets, and the peers' numbers.
        let uncounted = all.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let counted = |index: usize| index > 0 && matches!(words[index - 1], "packets" | "bytes");
            let kept =
                words.iter().enumerate().filter(|(index, word)| !counted(*index) && !word.starts_with('['));
            kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
        });
        uncounted.collect::<Vec<_>>().join("\n")
    }
}

fn path(file: &File) -> PathBuf {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into()
}

// === impl Net ===

impl Net {
    /// `None`, and a word about it, for whoever may not make namespaces.
    pub(crate) async fn new() -> Option<Self> {
        if !Uid::effective().is_root() {
            eprintln!("skipped: network namespaces need root");
            return None;
        }
        let pods = (0..3).map(|_| Namespace::new()).collect();
        let net = Self { host: Namespace::new(), outside: Namespace::new(), pods };
        net.host.ip("link set lo up\nlink add pods0 type bridge\naddr add 10.88.0.1/24 dev pods0\nlink set pods0 up\n").await;
        net.host.host.set_switch("net/ipv4/ip_forward", "1").await.unwrap();
        net.plug(&net.outside, "out0", "192.168.77.2/24", "").await;
        net.host.ip("addr add 192.168.77.1/24 dev out0\n").await;
        net.outside.ip("route add default via 192.168.77.1\n").await;
        for (number, pod) in (1..).zip(&net.pods) {
            net.plug(pod, &format!("pod{number}"), &format!("10.88.0.1{number}/24"), "master pods0").await;
            pod.ip("route add default via 10.88.0.1\n").await;
            pod.serve(format!("pod{number}")).await;
        }
        net.host.host.run("iptables-restore", &[], DOCKER).await.unwrap();
        Some(net)
    }

    async fn plug(&self, other: &Namespace, link: &str, address: &str, master: &str) {
        let path = other.path();
        self.host.ip(&format!("link add {link} type veth peer name eth0 netns {}\n", path.display())).await;
        self.host.ip(&format!("link set {link} {master} up\n")).await;
        other.ip(&format!("link set lo up\naddr add {address} dev eth0\nlink set eth0 up\n")).await;
    }

    /// A proxy for the host of this network.
    pub(crate) fn config(&self, mode: Mode) -> Config {
        Config {
            mode,
            pod_interfaces: vec!["pods0".to_owned()],
            netns: Some(self.host.path()),
            ..Config::new("test", "10.0.0.0/24".parse().unwrap())
        }
    }

    /// The pods with these numbers as backends.
    pub(crate) fn backends(&self, pods: &[u8]) -> Vec<SocketAddrV4> {
        pods.iter().map(|pod| SocketAddrV4::new([10, 88, 0, 10 + pod].into(), POD_PORT)).collect()
    }

    /// The links of the host.
    pub(crate) fn links(&self) -> Links {
        Links::open(&self.host.host).unwrap()
    }
}
