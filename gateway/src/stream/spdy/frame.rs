//! Frames and their bytes.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::headers::{Headers, Packer, Unpacker};

/// The version that control frames name.
const VERSION: u16 = 3;

/// Most bytes of a control frame, its header block packed.
const MAX_CONTROL: usize = 64 * 1024;

/// Bytes before every frame's content.
const HEAD: usize = 8;

/// The flag of a frame that is the last of its direction.
const FIN: u8 = 1;

/// Every stream's id, and every delta, has this many bits.
const BITS_31: u32 = 0x7fff_ffff;

mod kind {
    pub(super) const SYN_STREAM: u16 = 1;
    pub(super) const SYN_REPLY: u16 = 2;
    pub(super) const RST_STREAM: u16 = 3;
    pub(super) const SETTINGS: u16 = 4;
    pub(super) const PING: u16 = 6;
    pub(super) const GOAWAY: u16 = 7;
    pub(super) const HEADERS: u16 = 8;
    pub(super) const WINDOW_UPDATE: u16 = 9;
}

/// A frame. Data comes in pieces, as its bytes arrive: only the last piece of a frame has its `fin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A stream begins.
    SynStream { id: u32, fin: bool, headers: Headers },
    /// A stream is accepted.
    SynReply { id: u32, fin: bool, headers: Headers },
    /// More headers of a stream.
    Headers { id: u32, fin: bool },
    /// Bytes of a stream.
    Data { id: u32, fin: bool, data: Bytes },
    /// A stream ends at once, in both directions.
    Reset { id: u32, status: u32 },
    /// Asks for an answer, or is one.
    Ping { id: u32 },
    /// No streams begin after this one.
    GoAway { last: u32 },
    /// So many more bytes of a stream may come.
    WindowUpdate { id: u32, delta: u32 },
    /// A frame that says nothing of use here.
    Other,
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// A control frame of another version.
    #[error("a SPDY frame of version {0}, not 3")]
    Version(u16),
    /// A control frame that is too long.
    #[error("a SPDY control frame of {0} bytes")]
    TooLong(usize),
    /// A control frame that is shorter than its kind.
    #[error("a SPDY control frame that is too short")]
    TooShort,
    /// Headers that cannot be unpacked.
    #[error("SPDY headers whose compression is broken")]
    Compression,
    /// Headers that are malformed or too long.
    #[error("SPDY headers that are malformed or too long")]
    Headers,
    /// A stream that must not begin.
    #[error("a SPDY stream with the id {0}, which is not for a client to choose now")]
    Stream(u32),
}

/// Reads the frames of one direction of a connection.
#[derive(Debug)]
pub(super) struct Decoder {
    unpacker: Unpacker,
    /// The data frame whose bytes are coming: stream, whether it is the last, bytes to come.
    data: Option<(u32, bool, usize)>,
}

/// Writes the frames of the other direction.
#[derive(Debug)]
pub(super) struct Encoder {
    packer: Packer,
}

// === impl Decoder ===

impl Decoder {
    pub(super) fn new() -> Self {
        Self { unpacker: Unpacker::new(), data: None }
    }

    /// The next frame, or piece of one, of what has arrived; None if more must come.
    pub(super) fn decode(&mut self, arrived: &mut BytesMut) -> Result<Option<Frame>, Fault> {
        if let Some((id, fin, left)) = self.data {
            return Ok(self.data(arrived, id, fin, left));
        }
        let Some((head, content)) = arrived.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let [a, b, c, d, flags, lengths @ ..] = *head;
        let (first, length) = (u32::from_be_bytes([a, b, c, d]), length_of(lengths));
        let fin = flags & FIN != 0;
        if first & !BITS_31 == 0 {
            arrived.advance(HEAD);
            return Ok(self.data(arrived, first, fin, length));
        }
        let version = u16::from_be_bytes([a & 0x7f, b]);
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        if length > MAX_CONTROL {
            return Err(Fault::TooLong(length));
        }
        if content.len() < length {
            return Ok(None);
        }
        arrived.advance(HEAD);
        let content = arrived.split_to(length).freeze();
        self.control(u16::from_be_bytes([c, d]), fin, content).map(Some)
    }

    /// What has arrived of a data frame; None if nothing has.
    fn data(&mut self, arrived: &mut BytesMut, id: u32, fin: bool, left: usize) -> Option<Frame> {
        let data = arrived.split_to(left.min(arrived.len())).freeze();
        let left = left - data.len();
        self.data = (left > 0).then_some((id, fin, left));
        (left == 0 || !data.is_empty()).then_some(Frame::Data { id, fin: fin && left == 0, data })
    }

    fn control(&mut self, kind: u16, fin: bool, mut content: Bytes) -> Result<Frame, Fault> {
        let word = |content: &mut Bytes| content.try_get_u32().map_err(|_| Fault::TooShort);
        let id = |content: &mut Bytes| word(content).map(|id| id & BITS_31);
        Ok(match kind {
            kind::SYN_STREAM => {
                let id = id(&mut content)?;
                // The stream it belongs to; its priority.
                word(&mut content)?;
                content.try_get_u16().map_err(|_| Fault::TooShort)?;
                Frame::SynStream { id, fin, headers: self.unpacker.unpack(&content)? }
            }
            kind::SYN_REPLY => {
                let id = id(&mut content)?;
                Frame::SynReply { id, fin, headers: self.unpacker.unpack(&content)? }
            }
            kind::HEADERS => {
                let id = id(&mut content)?;
                // Read in any case: the blocks share their compression's state.
                self.unpacker.unpack(&content)?;
                Frame::Headers { id, fin }
            }
            kind::RST_STREAM => Frame::Reset { id: id(&mut content)?, status: word(&mut content)? },
            kind::PING => Frame::Ping { id: word(&mut content)? },
            kind::GOAWAY => Frame::GoAway { last: id(&mut content)? },
            kind::WINDOW_UPDATE => Frame::WindowUpdate { id: id(&mut content)?, delta: id(&mut content)? },
            kind::SETTINGS => Frame::Other,
            _ => Frame::Other,
        })
    }
}

// === impl Encoder ===

impl Encoder {
    pub(super) fn new() -> Result<Self, Fault> {
        Ok(Self { packer: Packer::new()? })
    }

    /// Appends a frame. Data is expected in pieces that fit a frame's 24 bits of length.
    pub(super) fn encode(&mut self, frame: Frame, out: &mut BytesMut) -> Result<(), Fault> {
        match frame {
            Frame::Data { id, fin, data } => {
                out.put_u32(id & BITS_31);
                put_flags_and_length(out, fin, data.len());
                out.extend_from_slice(&data);
            }
            Frame::SynStream { id, fin, headers } => {
                let block = self.packer.pack(&headers)?;
                control(out, kind::SYN_STREAM, fin, 10 + block.len());
                out.put_u32(id);
                out.put_u32(0);
                out.put_u16(0);
                out.extend_from_slice(&block);
            }
            Frame::SynReply { id, fin, headers } => {
                let block = self.packer.pack(&headers)?;
                control(out, kind::SYN_REPLY, fin, 4 + block.len());
                out.put_u32(id);
                out.extend_from_slice(&block);
            }
            Frame::Headers { id, fin } => {
                let block = self.packer.pack(&Headers::default())?;
                control(out, kind::HEADERS, fin, 4 + block.len());
                out.put_u32(id);
                out.extend_from_slice(&block);
            }
            Frame::Reset { id, status } => {
                control(out, kind::RST_STREAM, false, 8);
                out.put_u32(id);
                out.put_u32(status);
            }
            Frame::Ping { id } => {
                control(out, kind::PING, false, 4);
                out.put_u32(id);
            }
            Frame::GoAway { last } => {
                control(out, kind::GOAWAY, false, 8);
                out.put_u32(last);
                out.put_u32(0);
            }
            Frame::WindowUpdate { id, delta } => {
                control(out, kind::WINDOW_UPDATE, false, 8);
                out.put_u32(id);
                out.put_u32(delta & BITS_31);
            }
            Frame::Other => {}
        }
        Ok(())
    }
}

fn control(out: &mut BytesMut, kind: u16, fin: bool, length: usize) {
    out.put_u16(0x8000 | VERSION);
    out.put_u16(kind);
    put_flags_and_length(out, fin, length);
}

fn put_flags_and_length(out: &mut BytesMut, fin: bool, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX) & 0x00ff_ffff;
    out.put_u32(length | (u32::from(fin) * u32::from(FIN)) << 24);
}

fn length_of([a, b, c]: [u8; 3]) -> usize {
    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let headers: Headers = [("streamtype", "stdin")].into_iter().collect();
        vec![
            Frame::SynStream { id: 1, fin: false, headers: headers.clone() },
            Frame::SynReply { id: 1, fin: true, headers },
            Frame::Headers { id: 1, fin: true },
            Frame::Data { id: 1, fin: false, data: Bytes::from_static(b"some") },
            Frame::Data { id: BITS_31, fin: true, data: Bytes::new() },
            Frame::Reset { id: 3, status: 5 },
            Frame::Ping { id: 7 },
            Frame::GoAway { last: 9 },
            Frame::WindowUpdate { id: 1, delta: BITS_31 },
        ]
    }

    fn encoded(frames: &[Frame]) -> BytesMut {
        let (mut encoder, mut out) = (Encoder::new().unwrap(), BytesMut::new());
        for frame in frames {
            encoder.encode(frame.clone(), &mut out).unwrap();
        }
        out
    }

    fn decoded(mut bytes: BytesMut) -> Result<Vec<Frame>, Fault> {
        let (mut decoder, mut frames) = (Decoder::new(), Vec::new());
        while let Some(frame) = decoder.decode(&mut bytes)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn frames_come_back_as_they_were_sent() {
        assert_eq!(decoded(encoded(&frames())).unwrap(), frames());
    }

    #[test]
    fn frames_may_arrive_in_any_pieces() {
        let bytes = encoded(&frames());
        let (mut decoder, mut arrived, mut seen) = (Decoder::new(), BytesMut::new(), Vec::new());
        for byte in bytes {
            arrived.put_u8(byte);
            while let Some(frame) = decoder.decode(&mut arrived).unwrap() {
                seen.push(frame);
            }
        }
        let text: Vec<u8> = seen
            .iter()
            .filter_map(
                |frame| if let Frame::Data { id: 1, data, .. } = frame { Some(data.to_vec()) } else { None },
            )
            .flatten()
            .collect();
        assert_eq!(text, b"some");
        let others = |frames: &[Frame]| {
            frames
                .iter()
                .filter(|frame| !matches!(frame, Frame::Data { id: 1, .. }))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(others(&seen), others(&frames()));
    }

    #[test]
    fn only_the_last_piece_of_a_frame_ends_its_stream() {
        let mut bytes = encoded(&[Frame::Data { id: 1, fin: true, data: Bytes::from_static(b"abcd") }]);
        let rest = bytes.split_off(HEAD + 1);
        let mut decoder = Decoder::new();
        let piece = |data, fin| Some(Frame::Data { id: 1, fin, data: Bytes::from_static(data) });
        assert_eq!(decoder.decode(&mut bytes).unwrap(), piece(b"a", false));
        assert_eq!(decoder.decode(&mut bytes).unwrap(), None);
        bytes.unsplit(rest);
        assert_eq!(decoder.decode(&mut bytes).unwrap(), piece(b"bcd", true));
    }

    #[test]
    fn what_is_no_spdy_is_refused() {
        for (bytes, fault) in [
            (&b"\x80\x02\0\x01\0\0\0\0"[..], Fault::Version(2)),
            (&b"\x80\x03\0\x01\0\xff\xff\xff"[..], Fault::TooLong(0x00ff_ffff)),
            (&b"\x80\x03\0\x01\0\0\0\x04\0\0\0\x01"[..], Fault::TooShort),
            (&b"\x80\x03\0\x03\0\0\0\x04\0\0\0\x01"[..], Fault::TooShort),
            (&b"\x80\x03\0\x06\0\0\0\0"[..], Fault::TooShort),
            (&b"\x80\x03\0\x01\0\0\0\x0e\0\0\0\x01\0\0\0\0\0\0ABCD"[..], Fault::Compression),
        ] {
            assert_eq!(decoded(bytes.into()), Err(fault), "{bytes:?}");
        }
    }

    #[test]
    fn unknown_frames_are_skipped() {
        let bytes = &b"\x80\x03\0\x04\0\0\0\x04\0\0\0\0\x80\x03\0\x63\0\0\0\x01x"[..];
        assert_eq!(decoded(bytes.into()).unwrap(), [Frame::Other, Frame::Other]);
    }

    #[test]
    fn no_input_makes_the_decoder_panic() {
        let mut random = fastrand::Rng::with_seed(7);
        let whole = encoded(&frames());
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..random.usize(1..8) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(..=whole.len()));
            let _ = decoded(bytes);
        }
    }
}
