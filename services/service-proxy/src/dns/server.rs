//! UDP and TCP, within bounds: so many questions passed on at a time, so many connections, so long for each.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::tasks::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;

use super::DnsConfig;
use super::message::{self, Reply, Transport};
use super::upstream::Upstream;
use super::zone::Zone;
use crate::host::Host;

/// The port of DNS.
const PORT: u16 = 53;

/// Questions by UDP that wait for the host's name servers at a time; further ones are dropped, and whoever asked asks again.
const FORWARDED: usize = 512;

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 256;

/// How long a connection may be silent, and how long an answer may take to be sent.
const IDLE: Duration = Duration::from_secs(10);

/// The longest question that is read by UDP, in bytes.
const LONGEST: usize = 4096;

/// A bound name server.
#[derive(Debug)]
pub(crate) struct Server {
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    upstream: Upstream,
}

/// What answering takes.
#[derive(Clone)]
struct Answering {
    zone: Zone,
    upstream: Upstream,
    forwarded: Arc<Semaphore>,
}

// === impl Server ===

impl Server {
    /// Takes the address, which must be one of this host.
    pub(crate) fn bind(config: &DnsConfig, host: &Host) -> io::Result<Self> {
        let address = SocketAddr::from((config.address, PORT));
        let own = IpAddr::V4(config.address);
        Ok(Self {
            udp: Arc::new(host.udp_at(address)?),
            tcp: host.listen(address)?,
            upstream: Upstream { host: host.clone(), resolv_conf: config.resolv_conf.clone(), own },
        })
    }

    /// Answers in tasks of `tasks`, until they drain.
    pub(crate) fn start(self, zone: Zone, tasks: &Tasks) {
        let forwarded = Arc::new(Semaphore::new(FORWARDED));
        let answering = Answering { zone, upstream: self.upstream, forwarded };
        let (udp, tcp) = (self.udp, self.tcp);
        let (by_udp, draining) = (answering.clone(), tasks.draining());
        tasks.spawn("dns-udp", async move {
            tokio::select! {
                () = serve_udp(&udp, &by_udp) => {}
                () = draining => {}
            }
        });
        let draining = tasks.draining();
        tasks.spawn("dns-tcp", async move {
            tokio::select! {
                () = serve_tcp(&tcp, &answering) => {}
                () = draining => {}
            }
        });
    }
}

/// Answers what is ours at once, one question after the other: it takes microseconds. The rest waits elsewhere.
async fn serve_udp(socket: &Arc<UdpSocket>, answering: &Answering) {
    let mut buffer = vec![0; LONGEST];
    loop {
        let (read, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // An earlier answer could not be delivered; that is its reader's matter.
                tracing::debug!(%error, "receiving a question");
                continue;
            }
        };
        let query = &buffer[..read];
        match message::reply(query, Transport::Udp, &answering.zone) {
            Reply::Silence => {}
            Reply::Send(answer) => send(socket, &answer, from).await,
            Reply::Forward => {
                let (socket, query, answering) = (socket.clone(), query.to_vec(), answering.clone());
                let Ok(place) = answering.forwarded.clone().try_acquire_owned() else {
                    continue;
                };
                tokio::spawn(async move {
                    let answer = answering.forward(&query, Transport::Udp).await;
                    if let Some(answer) = answer {
                        send(&socket, &answer, from).await;
                    }
                    drop(place);
                });
            }
        }
    }
}

async fn send(socket: &UdpSocket, answer: &[u8], to: SocketAddr) {
    if let Err(error) = socket.send_to(answer, to).await {
        tracing::debug!(%error, %to, "sending an answer");
    }
}

async fn serve_tcp(listener: &TcpListener, answering: &Answering) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = room.clone().acquire_owned().await {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "accepting a connection");
                // Out of file descriptors, for instance: others are to end first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let answering = answering.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(stream, &answering).await {
                tracing::debug!(%error, %from, "a connection ended");
            }
            drop(place);
        });
    }
}

/// Question after question on one connection, until its other end is silent for too long or has no more.
async fn converse(mut stream: TcpStream, answering: &Answering) -> io::Result<()> {
    loop {
        let query = async {
            let mut query = vec![0; stream.read_u16().await?.into()];
            stream.read_exact(&mut query).await?;
            io::Result::Ok(query)
        };
        let query = match tokio::time::timeout(IDLE, query).await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read??,
        };
        let answer = match message::reply(&query, Transport::Tcp, &answering.zone) {
            Reply::Silence => return Ok(()),
            Reply::Send(answer) => answer,
            Reply::Forward => match answering.forward(&query, Transport::Tcp).await {
                Some(answer) => answer,
                None => return Ok(()),
            },
        };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], &answer].concat();
        tokio::time::timeout(IDLE, stream.write_all(&framed)).await??;
    }
}

// === impl Answering ===

impl Answering {
    /// The answer of the host's name servers, or that there is none.
    async fn forward(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        match self.upstream.ask(query, transport).await {
            Some(answer) => Some(answer),
            None => message::failure(query),
        }
    }
}
