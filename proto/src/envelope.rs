//! The envelope that Kubernetes puts around an encoded object, in etcd and in protobuf bodies: the magic
//! bytes `k8s\0`, then a `runtime.Unknown` that names the type and holds the object.
//!
//! Keelson adds one field with a high number that other readers skip: the trace context of the request
//! that wrote the value.

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{
    WireType, decode_key, decode_varint, encode_key, encode_varint, encoded_len_varint, skip_field,
};

/// What an envelope begins with.
pub const MAGIC: &[u8; 4] = b"k8s\0";

/// The content type of enveloped bytes.
pub const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";

const TYPE_META: u32 = 1;
const RAW: u32 = 2;
const TRACE: u32 = 7001;

/// What an envelope holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The object's `apiVersion`.
    pub api_version: String,
    /// The object's `kind`.
    pub kind: String,
    /// The encoded object: a part of the enveloped bytes, not a copy.
    pub raw: Bytes,
    /// The trace context of the request that wrote it, or nothing.
    pub trace: Bytes,
}

/// Bytes that are no envelope.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// They do not begin with the magic bytes.
    #[error("the bytes do not begin with k8s\\0: not a Kubernetes protobuf object")]
    Magic,
    /// They cannot be read.
    #[error("cannot read the protobuf envelope")]
    Decode(#[from] prost::DecodeError),
    /// They end before a field does.
    #[error("the protobuf envelope is cut short")]
    Truncated,
}

/// Puts an encoded object into an envelope. `trace` may be empty.
pub fn wrap(api_version: &str, kind: &str, raw: &[u8], trace: &[u8]) -> Bytes {
    let type_meta = field_len(api_version.len()) + field_len(kind.len());
    let mut out = BytesMut::with_capacity(
        4 + field_len(type_meta) + 4 + field_len(raw.len()) + 4 + field_len(trace.len()),
    );
    out.put_slice(MAGIC);
    encode_key(TYPE_META, WireType::LengthDelimited, &mut out);
    encode_varint(type_meta as u64, &mut out);
    put(1, api_version.as_bytes(), &mut out);
    put(2, kind.as_bytes(), &mut out);
    put(RAW, raw, &mut out);
    if !trace.is_empty() {
        put(TRACE, trace, &mut out);
    }
    out.freeze()
}

/// Opens an envelope.
pub fn unwrap(bytes: &Bytes) -> Result<Envelope, EnvelopeError> {
    if !bytes.starts_with(MAGIC) {
        return Err(EnvelopeError::Magic);
    }
    let mut rest = bytes.slice(MAGIC.len()..);
    let mut envelope =
        Envelope { api_version: String::new(), kind: String::new(), raw: Bytes::new(), trace: Bytes::new() };
    while let Some((tag, field)) = next(&mut rest)? {
        match tag {
            TYPE_META => {
                let mut inner = field;
                while let Some((tag, text)) = next(&mut inner)? {
                    let text = String::from_utf8_lossy(&text).into_owned();
                    match tag {
                        1 => envelope.api_version = text,
                        2 => envelope.kind = text,
                        _ => {}
                    }
                }
            }
            RAW => envelope.raw = field,
            TRACE => envelope.trace = field,
            _ => {}
        }
    }
    Ok(envelope)
}

/// The next length-delimited field, others skipped.
fn next(rest: &mut Bytes) -> Result<Option<(u32, Bytes)>, EnvelopeError> {
    while !rest.is_empty() {
        let (tag, wire) = decode_key(rest)?;
        if wire == WireType::LengthDelimited {
            let len = decode_varint(rest)?;
            if len > rest.len() as u64 {
                return Err(EnvelopeError::Truncated);
            }
            return Ok(Some((tag, rest.split_to(len as usize))));
        }
        skip_field(wire, tag, rest, prost::encoding::DecodeContext::default())?;
    }
    Ok(None)
}

fn put(tag: u32, field: &[u8], out: &mut BytesMut) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(field.len() as u64, out);
    out.put_slice(field);
}

/// Length of a field with a tag below 16.
fn field_len(len: usize) -> usize {
    1 + encoded_len_varint(len as u64) + len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_is_what_unwraps() {
        let wrapped = wrap("v1", "Pod", b"object", b"trace");
        let envelope = unwrap(&wrapped).unwrap();
        assert_eq!((&*envelope.api_version, &*envelope.kind), ("v1", "Pod"));
        assert_eq!((&*envelope.raw, &*envelope.trace), (&b"object"[..], &b"trace"[..]));
    }

    #[test]
    fn others_read_it_as_runtime_unknown() {
        let wrapped = wrap("v1", "Pod", b"object", b"trace");
        let unknown = <crate::runtime::Unknown as prost::Message>::decode(&wrapped[4..]).unwrap();
        assert_eq!(unknown.type_meta.kind, "Pod");
        assert_eq!(unknown.raw, b"object");
    }

    #[test]
    fn torn_bytes_are_refused() {
        let wrapped = wrap("v1", "Pod", b"object", b"");
        for end in 5..wrapped.len() {
            assert!(unwrap(&wrapped.slice(..end)).map_or(true, |envelope| envelope.raw != b"object"[..]));
        }
        assert!(matches!(unwrap(&Bytes::from_static(b"k9s\0")), Err(EnvelopeError::Magic)));
    }
}
