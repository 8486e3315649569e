//! A stream whose peer must say something in time.

use std::io;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::on_read::OnRead;

/// Fails reading if the first byte does not come in time. hyper would wait for it for ever: it cannot tell HTTP/1.1
/// from HTTP/2, so the timeouts of neither apply.
pub(super) fn first_byte_within<I>(timeout: Duration, io: I) -> impl AsyncRead + AsyncWrite + Unpin
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    // `None` once something came.
    let mut deadline = Some(Box::pin(tokio::time::sleep(timeout)));
    OnRead::new(io, move |cx, read| match (&mut deadline, read) {
        (Some(deadline), Poll::Pending) => {
            deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
        }
        (_, read) => {
            if read.is_ready() {
                deadline = None;
            }
            read.map_ok(|_| ())
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn silence_times_out() {
        let (_peer, io) = tokio::io::duplex(16);
        let error = first_byte_within(TIMEOUT, io).read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_first_byte_is_hurried() {
        let (mut peer, io) = tokio::io::duplex(16);
        let mut io = first_byte_within(TIMEOUT, io);
        peer.write_u8(1).await.unwrap();
        assert_eq!(io.read_u8().await.unwrap(), 1);
        let (read, ()) = tokio::join!(io.read_u8(), async {
            tokio::time::sleep(TIMEOUT * 10).await;
            peer.write_u8(2).await.unwrap();
        });
        assert_eq!(read.unwrap(), 2);
    }
}
