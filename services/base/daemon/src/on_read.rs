//! A stream with somebody who looks at each of its reads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What came of a read: how many bytes (0 is the end of the stream), or that there is nothing yet.
pub type Read = Poll<io::Result<usize>>;

/// Shows every read of `io` to `look`, which may fail it: nothing yet, or bytes that came, become its error.
#[derive(Debug)]
pub struct OnRead<I, F> {
    io: I,
    look: F,
}

// === impl OnRead ===

impl<I, F> OnRead<I, F>
where
    F: FnMut(&mut Context<'_>, Read) -> Poll<io::Result<()>> + Unpin,
{
    /// `io`, with `look` at its reads. `look` passes on what it has nothing to say about.
    pub fn new(io: I, look: F) -> Self {
        Self { io, look }
    }
}

impl<I, F> AsyncRead for OnRead<I, F>
where
    I: AsyncRead + Unpin,
    F: FnMut(&mut Context<'_>, Read) -> Poll<io::Result<()>> + Unpin,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        let read = polled.map_ok(|()| buf.filled().len() - before);
        (self.look)(cx, read)
    }
}

impl<I: AsyncWrite + Unpin, F: Unpin> AsyncWrite for OnRead<I, F> {
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
