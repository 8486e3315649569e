//! TLS with nothing around it: the limit of everything that is delivered over TLS on this machine.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use keelson_base_daemon::tls::{ClientAuth, Identity, Pki, San, Subject, Usage};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::bench::Bench;
use crate::https::Https;

/// Bytes that a bulk transfer writes at once: the most that a TLS record holds.
const RECORD: usize = 16 << 10;

/// How long a certificate of this bench lasts.
const VALIDITY: Duration = Duration::from_secs(24 * 3600);

/// How long it takes to send so many bytes over one connection.
pub(crate) async fn transfer(bench: &Bench, bytes: usize) -> anyhow::Result<Duration> {
    fan_out(bench, 1, RECORD, bytes.div_ceil(RECORD)).await
}

/// How long it takes to send `count` frames of `size` bytes to each of `readers` connections, frame by frame.
pub(crate) async fn fan_out(
    bench: &Bench,
    readers: usize,
    size: usize,
    count: usize,
) -> anyhow::Result<Duration> {
    let identity = identity(bench)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let https = Https::new(listener.local_addr()?, Identity::anonymous_client_config(&identity.ca_pem)?);
    let server = identity.server_config(ClientAuth::None, &[])?;
    let accepting = tokio::spawn(accept(listener, server, readers));
    let mut ends = Vec::with_capacity(readers);
    for _ in 0..readers {
        ends.push(https.tls().await?);
    }
    let began = Instant::now();
    let mut running = JoinSet::new();
    for mut end in ends {
        running.spawn(async move {
            let mut buffer = vec![0; RECORD];
            let mut left = size * count;
            while left > 0 {
                let read = end.read(&mut buffer).await?;
                anyhow::ensure!(read > 0, "the connection ended early");
                left = left.saturating_sub(read);
            }
            Ok::<(), anyhow::Error>(())
        });
    }
    let frame = Bytes::from(vec![7; size]);
    for stream in accepting.await?? {
        running.spawn(write(stream, frame.clone(), count));
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(began.elapsed())
}

/// How long each of `rounds` messages of `size` bytes took to go to another task and back.
pub(crate) async fn round_trips(
    bench: &Bench,
    size: usize,
    rounds: usize,
    tls: bool,
) -> anyhow::Result<Vec<Duration>> {
    let identity = identity(bench)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    if tls {
        let https = Https::new(address, Identity::anonymous_client_config(&identity.ca_pem)?);
        let accepting = tokio::spawn(accept(listener, identity.server_config(ClientAuth::None, &[])?, 1));
        let end = https.tls().await?;
        let other = accepting.await??.pop().context("nobody connected")?;
        to_and_fro(end, other, size, rounds).await
    } else {
        let (end, other) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (end, (other, _)) = (end?, other?);
        end.set_nodelay(true)?;
        other.set_nodelay(true)?;
        to_and_fro(end, other, size, rounds).await
    }
}

async fn to_and_fro<A, B>(
    mut near: A,
    mut far: B,
    size: usize,
    rounds: usize,
) -> anyhow::Result<Vec<Duration>>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let mut buffer = vec![0; size];
        // It ends when the other end is dropped.
        while far.read_exact(&mut buffer).await.is_ok() {
            far.write_all(&buffer).await?;
            far.flush().await?;
        }
        Ok::<(), std::io::Error>(())
    });
    let mut buffer = vec![7; size];
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        near.write_all(&buffer).await?;
        near.flush().await?;
        near.read_exact(&mut buffer).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

async fn accept(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    count: usize,
) -> anyhow::Result<Vec<TlsStream<TcpStream>>> {
    let acceptor = TlsAcceptor::from(config);
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        streams.push(acceptor.accept(stream).await?);
    }
    Ok(streams)
}

async fn write(mut stream: TlsStream<TcpStream>, frame: Bytes, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        stream.write_all(&frame).await?;
    }
    stream.flush().await?;
    Ok(())
}

fn identity(bench: &Bench) -> anyhow::Result<Identity> {
    let address = [San::Ip(Ipv4Addr::LOCALHOST.into())];
    let pki = Pki::open_or_create(&bench.path("bare-pki"), &address)?;
    Ok(pki.issue("bare", Subject::new("bare"), Usage::Server, &[], VALIDITY)?)
}
