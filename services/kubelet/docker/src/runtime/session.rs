//! From a hijacked connection to a program's streams.
//!
//! Without a terminal Docker puts each piece of output into a frame: which output, three zeros, the length in four bytes.
//! With one there are no frames.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use keelson_kubelet::runtime::{Control, Output, RuntimeError, Session, Wanted};
use tokio_util::codec::{Decoder, FramedRead};

use crate::hijack::Hijacked;

/// What is read from Docker at once.
const BUFFER: usize = 32 << 10;

/// Reads output, in frames or without. A frame is passed on as it comes, so that its length costs no memory.
#[derive(Debug, Default)]
struct Frames {
    raw: bool,
    /// Which output the present frame is of, and what is left of it.
    frame: Option<(u8, usize)>,
}

/// The streams of a program behind `connection`.
pub(super) fn of(connection: Hijacked, wanted: Wanted, control: Box<dyn Control>) -> Session {
    let (read, write) = tokio::io::split(connection);
    let frames = Frames { raw: wanted.tty, frame: None };
    let broken =
        |error: io::Error| RuntimeError::Unreachable { operation: "read output", message: error.to_string() };
    let output = FramedRead::with_capacity(read, frames, BUFFER).map_err(broken).boxed();
    let stdin = wanted.stdin.then(|| Box::pin(write) as _);
    Session { stdin, output, control }
}

// === impl Frames ===

impl Frames {
    /// The next piece of a frame; an empty frame is passed over.
    fn header(&mut self, buffer: &mut BytesMut) -> io::Result<bool> {
        while self.frame.is_none() {
            let Some((header, _)) = buffer.split_first_chunk::<8>() else { return Ok(false) };
            let [output @ 0..=2, 0, 0, 0, length @ ..] = *header else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "Docker sent output without a frame"));
            };
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            self.frame = (length > 0).then_some((output, length));
            buffer.advance(8);
        }
        Ok(true)
    }
}

impl Decoder for Frames {
    type Item = Output;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Output>> {
        if self.raw {
            return Ok((!buffer.is_empty()).then(|| Output::Stdout(buffer.split().freeze())));
        }
        if !self.header(buffer)? || buffer.is_empty() {
            return Ok(None);
        }
        let Some((output, left)) = self.frame.take() else { return Ok(None) };
        let piece: Bytes = buffer.split_to(left.min(buffer.len())).freeze();
        self.frame = (piece.len() < left).then_some((output, left - piece.len()));
        Ok(Some(if output == 2 { Output::Stderr(piece) } else { Output::Stdout(piece) }))
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Output>> {
        let piece = self.decode(buffer)?;
        if piece.is_none() && (self.frame.is_some() || !buffer.is_empty()) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "Docker's output ends within a frame"));
        }
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(output: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [[output, 0, 0, 0].as_slice(), &length, bytes].concat()
    }

    fn out(text: &str) -> Output {
        Output::Stdout(Bytes::from(text.to_owned()))
    }

    fn err(text: &str) -> Output {
        Output::Stderr(Bytes::from(text.to_owned()))
    }

    /// What comes out if so many bytes arrive at a time.
    fn decoded(frames: &mut Frames, bytes: &[u8], at_once: usize) -> io::Result<Vec<Output>> {
        let (mut buffer, mut pieces) = (BytesMut::new(), Vec::new());
        for chunk in bytes.chunks(at_once) {
            buffer.extend_from_slice(chunk);
            while let Some(piece) = frames.decode(&mut buffer)? {
                pieces.push(piece);
            }
        }
        while let Some(piece) = frames.decode_eof(&mut buffer)? {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    #[test]
    fn frames_are_taken_apart_however_they_arrive() {
        let bytes = [frame(1, b"ab"), frame(2, b"no"), frame(1, b""), frame(1, b"c")].concat();
        let whole = decoded(&mut Frames::default(), &bytes, 1000).unwrap();
        assert_eq!(whole, [out("ab"), err("no"), out("c")]);
        let apart = decoded(&mut Frames::default(), &bytes, 1).unwrap();
        assert_eq!(apart, [out("a"), out("b"), err("n"), err("o"), out("c")]);
    }

    #[test]
    fn a_terminals_bytes_are_never_frames() {
        let bytes = frame(1, b"\x01\x02");
        let pieces = decoded(&mut Frames { raw: true, frame: None }, &bytes, 1000).unwrap();
        assert_eq!(pieces, [Output::Stdout(Bytes::from(bytes))]);
    }

    #[test]
    fn what_is_no_frame_or_half_a_frame_is_an_error() {
        assert!(decoded(&mut Frames::default(), b"hello, world", 1000).is_err());
        assert!(decoded(&mut Frames::default(), &frame(1, b"ab")[..9], 1000).is_err());
        assert!(decoded(&mut Frames::default(), &frame(1, b"ab")[..5], 1000).is_err());
    }
}
