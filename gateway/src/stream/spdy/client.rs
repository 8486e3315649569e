//! A client for tests: it writes and reads frames.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::frame::{Decoder, Encoder, Frame};

/// A client that writes and reads frames.
pub(crate) struct Client<I> {
    pub(super) io: I,
    encoder: Encoder,
    decoder: Decoder,
    arrived: BytesMut,
    /// What has come on each stream, and whether it has ended.
    received: BTreeMap<u32, (Vec<u8>, bool)>,
}

// === impl Client ===

impl<I: AsyncRead + AsyncWrite + Unpin> Client<I> {
    pub(crate) fn new(io: I) -> Self {
        Self {
            io,
            encoder: Encoder::new().unwrap(),
            decoder: Decoder::new(),
            arrived: BytesMut::new(),
            received: BTreeMap::new(),
        }
    }

    /// The connection itself.
    pub(crate) fn into_io(self) -> I {
        self.io
    }

    pub(super) async fn send(&mut self, frame: Frame) {
        let mut bytes = BytesMut::new();
        self.encoder.encode(frame, &mut bytes).unwrap();
        self.io.write_all(&bytes).await.unwrap();
    }

    /// The next frame; None at the end.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.arrived).unwrap() {
                return Some(frame);
            }
            if self.io.read_buf(&mut self.arrived).await.unwrap() == 0 {
                return None;
            }
        }
    }

    /// Begins a stream.
    pub(crate) async fn begin(&mut self, id: u32, headers: &[(&str, &str)]) {
        self.send(Frame::SynStream { id, fin: false, headers: headers.iter().copied().collect() }).await;
    }

    /// Sends bytes of a stream.
    pub(crate) async fn data(&mut self, id: u32, fin: bool, data: &[u8]) {
        self.send(Frame::Data { id, fin, data: Bytes::copy_from_slice(data) }).await;
    }

    /// Reads until these streams have ended in our direction; all that has come on each.
    pub(crate) async fn until_ended(&mut self, ids: &[u32]) -> Vec<String> {
        while !ids.iter().all(|id| self.received.get(id).is_some_and(|(_, ended)| *ended)) {
            match self.next().await.expect("the streams end before the connection does") {
                Frame::Data { id, fin, data } => {
                    let (text, ended) = self.received.entry(id).or_default();
                    text.extend_from_slice(&data);
                    *ended |= fin;
                }
                Frame::Reset { id, .. } => panic!("stream {id} was reset"),
                _ => {}
            }
        }
        let text = |id| String::from_utf8(self.received[id].0.clone()).unwrap();
        ids.iter().map(text).collect()
    }
}
