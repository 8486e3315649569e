//! Messages that pass through as they are: encoded by whoever made them, decoded by whoever needs them.
//!
//! A server that answers with stored bytes and a client of any kind of object share this one codec.

use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// How large the buffer of a message is at first, in bytes. Each call and each watch has one at either end, for as long as
/// it lasts: of tonic's 8 KiB most would lie idle.
const BUFFER: usize = 1 << 10;

/// So many bytes of waiting messages are sent on before more are encoded: tonic's default.
const SEND_AT: usize = 32 << 10;

/// A gRPC codec whose messages are bytes, in both directions. Decoded messages share the buffer they came in.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesCodec;

// === impl BytesCodec ===

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        dst.reserve(item.len());
        dst.put_slice(&item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, SEND_AT)
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let len = src.remaining();
        Ok(Some(src.copy_to_bytes(len)))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, SEND_AT)
    }
}
