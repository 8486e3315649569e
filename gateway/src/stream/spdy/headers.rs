//! Header blocks: names and values, compressed with one state for the whole connection that begins with SPDY's dictionary.

use std::sync::LazyLock;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use super::Fault;

/// Most bytes that a header block may have once it is unpacked.
const MAX_BLOCK: usize = 64 * 1024;

/// Most headers of a block.
const MAX_HEADERS: u32 = 256;

/// Bytes unpacked or packed at a time.
const CHUNK: usize = 4096;

/// Names and values in their order. Names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, String)>);

/// Unpacks the header blocks of one direction of a connection.
#[derive(Debug)]
pub(super) struct Unpacker(Decompress);

/// Packs the header blocks of the other direction.
#[derive(Debug)]
pub(super) struct Packer(Compress);

/// What a header block begins with in the dictionary: words, each with its length before it.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
    accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
    content-length content-location content-md5 content-range content-type date etag expect expires from host if-match \
    if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
    proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
    user-agent vary via warning www-authenticate method get status";

/// More of them; one has a space.
const MORE_WORDS: [&str; 8] =
    ["200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"];

/// The dictionary's rest, without lengths.
const PHRASES: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
    203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden\
    404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable\
    Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT\
    chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,\
    publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// What both sides know before the first header: SPDY/3's, byte for byte.
static DICTIONARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut dictionary = Vec::with_capacity(1423);
    for word in WORDS.split(' ').chain(MORE_WORDS) {
        put_text(&mut dictionary, word);
    }
    dictionary.extend_from_slice(PHRASES.as_bytes());
    dictionary
});

// === impl Headers ===

impl Headers {
    /// The value of a header; names are compared without regard to case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn parse(mut block: Bytes) -> Result<Self, Fault> {
        let count = block.try_get_u32().map_err(|_| Fault::Headers)?;
        if count > MAX_HEADERS {
            return Err(Fault::Headers);
        }
        let headers = (0..count).map(|_| Ok((get_text(&mut block)?, get_text(&mut block)?)));
        headers.collect::<Result<_, Fault>>().map(Self)
    }

    fn write(&self) -> Vec<u8> {
        let mut block = Vec::new();
        block.put_u32(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        for (name, value) in &self.0 {
            put_text(&mut block, name);
            put_text(&mut block, value);
        }
        block
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(headers: I) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect())
    }
}

// === impl Unpacker ===

impl Unpacker {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// Unpacks one block. After a fault the connection is of no more use: the state is shared.
    pub(super) fn unpack(&mut self, packed: &[u8]) -> Result<Headers, Fault> {
        let mut block = Vec::new();
        let mut chunk = [0; CHUNK];
        let mut rest = packed;
        loop {
            let (read, written) = (self.0.total_in(), self.0.total_out());
            let inflated = self.0.decompress(rest, &mut chunk, FlushDecompress::Sync);
            let read = usize::try_from(self.0.total_in() - read).map_err(|_| Fault::Compression)?;
            let written = usize::try_from(self.0.total_out() - written).map_err(|_| Fault::Compression)?;
            rest = rest.get(read..).ok_or(Fault::Compression)?;
            block.extend_from_slice(chunk.get(..written).ok_or(Fault::Compression)?);
            match inflated {
                // The first block asks for the dictionary, once it has said which.
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(&DICTIONARY).map_err(|_| Fault::Compression)?;
                }
                Err(_) => return Err(Fault::Compression),
                Ok(_) if block.len() > MAX_BLOCK => return Err(Fault::Headers),
                Ok(_) if rest.is_empty() && written < CHUNK => return Headers::parse(block.into()),
                Ok(_) if read == 0 && written == 0 => return Err(Fault::Compression),
                Ok(_) => {}
            }
        }
    }
}

// === impl Packer ===

impl Packer {
    pub(super) fn new() -> Result<Self, Fault> {
        let mut deflate = Compress::new(Compression::best(), true);
        deflate.set_dictionary(&DICTIONARY).map_err(|_| Fault::Compression)?;
        Ok(Self(deflate))
    }

    /// Packs one block.
    pub(super) fn pack(&mut self, headers: &Headers) -> Result<Bytes, Fault> {
        let block = headers.write();
        let mut packed = BytesMut::new();
        let mut chunk = [0; CHUNK];
        let mut rest = block.as_slice();
        loop {
            let (read, written) = (self.0.total_in(), self.0.total_out());
            self.0.compress(rest, &mut chunk, FlushCompress::Sync).map_err(|_| Fault::Compression)?;
            let read = usize::try_from(self.0.total_in() - read).map_err(|_| Fault::Compression)?;
            let written = usize::try_from(self.0.total_out() - written).map_err(|_| Fault::Compression)?;
            rest = rest.get(read..).ok_or(Fault::Compression)?;
            packed.extend_from_slice(chunk.get(..written).ok_or(Fault::Compression)?);
            if rest.is_empty() && written < CHUNK {
                return Ok(packed.freeze());
            }
        }
    }
}

fn put_text(block: &mut Vec<u8>, text: &str) {
    block.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    block.extend_from_slice(text.as_bytes());
}

fn get_text(block: &mut Bytes) -> Result<String, Fault> {
    let length = block.try_get_u32().map_err(|_| Fault::Headers)? as usize;
    if block.remaining() < length {
        return Err(Fault::Headers);
    }
    String::from_utf8(block.split_to(length).into()).map_err(|_| Fault::Headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_the_one_that_clients_name() {
        let mut deflate = Compress::new(Compression::best(), true);
        assert_eq!((DICTIONARY.len(), deflate.set_dictionary(&DICTIONARY).unwrap()), (1423, 0xe3c6_a7c2));
    }

    #[test]
    fn blocks_come_back_as_they_were_packed_in_their_order() {
        let (mut packer, mut unpacker) = (Packer::new().unwrap(), Unpacker::new());
        let long = "x".repeat(20_000);
        let blocks: [&[(&str, &str)]; 5] = [
            &[("streamType", "error"), ("port", "80"), ("requestID", "0")],
            &[],
            &[("streamtype", "data"), ("port", "80"), ("requestid", "0")],
            &[("long", &long)],
            &[("streamtype", "stdin")],
        ];
        for block in blocks {
            let headers: Headers = block.iter().copied().collect();
            let packed = packer.pack(&headers).unwrap();
            assert_eq!(unpacker.unpack(&packed).unwrap(), headers);
        }
    }

    #[test]
    fn names_are_found_whatever_their_case() {
        let headers: Headers = [("streamType", "stdin")].into_iter().collect();
        assert_eq!((headers.get("StreamType"), headers.get("port")), (Some("stdin"), None));
    }

    #[test]
    fn blocks_that_lie_are_refused() {
        let bomb: Headers = [("a", "a".repeat(MAX_BLOCK + 1).as_str())].into_iter().collect();
        let bomb = Packer::new().unwrap().pack(&bomb).unwrap();
        assert_eq!(Unpacker::new().unpack(&bomb), Err(Fault::Headers));
        let good = Packer::new().unwrap().pack(&[("a", "b")].into_iter().collect()).unwrap();
        for (packed, fault) in [
            (&b""[..], Fault::Headers),
            (&b"nonsense"[..], Fault::Compression),
            (&good[..good.len() - 8], Fault::Headers),
            // The dictionary of somebody else.
            (&[0x78, 0xbb, 1, 2, 3, 4][..], Fault::Compression),
        ] {
            assert_eq!(Unpacker::new().unpack(packed), Err(fault), "{packed:?}");
        }
        for block in [&[0, 0, 0, 1][..], &[0xff; 4], &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff], &[0; 3]] {
            assert_eq!(Headers::parse(Bytes::copy_from_slice(block)), Err(Fault::Headers), "{block:?}");
        }
    }
}
