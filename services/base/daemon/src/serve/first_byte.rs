//! A stream whose peer must say something in time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Fails reading if the first byte does not come in time. hyper would wait for it for ever: it cannot tell HTTP/1.1
/// from HTTP/2, so the timeouts of neither apply.
pub(super) struct FirstByte<I> {
    io: I,
    /// `None` once something came.
    deadline: Option<Pin<Box<Sleep>>>,
}

// === impl FirstByte ===

impl<I> FirstByte<I> {
    pub(super) fn within(timeout: Duration, io: I) -> Self {
        Self { io, deadline: Some(Box::pin(tokio::time::sleep(timeout))) }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for FirstByte<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        let Some(deadline) = &mut self.deadline else {
            return polled;
        };
        if polled.is_ready() {
            self.deadline = None;
            return polled;
        }
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for FirstByte<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn silence_times_out() {
        let (_peer, io) = tokio::io::duplex(16);
        let error = FirstByte::within(TIMEOUT, io).read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_first_byte_is_hurried() {
        let (mut peer, io) = tokio::io::duplex(16);
        let mut io = FirstByte::within(TIMEOUT, io);
        peer.write_u8(1).await.unwrap();
        assert_eq!(io.read_u8().await.unwrap(), 1);
        let (read, ()) = tokio::join!(io.read_u8(), async {
            tokio::time::sleep(TIMEOUT * 10).await;
            peer.write_u8(2).await.unwrap();
        });
        assert_eq!(read.unwrap(), 2);
    }
}
