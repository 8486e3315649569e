//! What one change looks like on the wire of a watch.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use keelson_base_model::status::ApiError;
use keelson_proto::meta::WatchEvent;
use keelson_proto::runtime::RawExtension;
use keelson_proto::v1::{RawWatchEvent, WatchEventType};
use keelson_proto::{Message as _, envelope, wire};

use super::ring::{Key, Ring};
use crate::kinds::{Codec, Place, to_json};
use crate::negotiate::{Form, Media, MetaVersion, Shape};
use crate::response::{enveloped, table_of};

/// Spells the changes of one watch in the form that its client wants.
pub(crate) struct Speller {
    codec: &'static Codec,
    form: Form,
    ring: Arc<Ring>,
    /// A table's columns are sent with its first row only.
    columns_sent: bool,
}

// === impl Speller ===

impl Speller {
    /// For a watch of objects of the codec's kind.
    pub(crate) fn new(codec: &'static Codec, form: Form, ring: Arc<Ring>) -> Self {
        Self { codec, form, ring, columns_sent: false }
    }

    /// The type of the answer.
    pub(crate) fn content_type(&self) -> &'static str {
        match self.form.media {
            Media::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
            _ => "application/json",
        }
    }

    /// The frame of a change.
    pub(crate) fn frame(&mut self, event: &RawWatchEvent) -> Result<Bytes, ApiError> {
        let word = word(event.r#type())?;
        match (self.form.media, self.form.shape) {
            (Media::Protobuf, shape) => Ok(framed(word, enveloped(self.codec, shape, &event.object)?)),
            (_, Shape::Object) => {
                let key = Key {
                    kind: self.codec.kind.message,
                    event: event.r#type,
                    namespace: event.namespace.clone(),
                    name: event.name.clone(),
                    revision: event.revision,
                };
                if event.r#type() == WatchEventType::Bookmark {
                    return self.object(word, event);
                }
                self.ring.clone().get_or(key, || self.object(word, event))
            }
            (_, Shape::Partial(_)) => self.object(word, event),
            (_, Shape::Table(version, _)) => self.table(word, version, event),
        }
    }

    /// The frame that tells why the watch ends.
    pub(crate) fn error(&self, error: ApiError) -> Result<Bytes, ApiError> {
        let status = error.into_status();
        if self.form.media == Media::Protobuf {
            return Ok(framed("ERROR", envelope::wrap("v1", "Status", &status.encode_to_vec(), b"")));
        }
        line("ERROR", 256, |out| to_json(&status, out))
    }

    fn object(&self, word: &str, event: &RawWatchEvent) -> Result<Bytes, ApiError> {
        line(word, event.object.len() * 3, |out| {
            self.codec.write(&event.object, self.form.shape, Place::Alone, out)
        })
    }

    fn table(&mut self, word: &str, version: MetaVersion, event: &RawWatchEvent) -> Result<Bytes, ApiError> {
        let metadata =
            wire::metadata(&event.object).map_err(|error| ApiError::internal(error.to_string()))?;
        let columns = !std::mem::replace(&mut self.columns_sent, true);
        let (codec, shape) = (self.codec, self.form.shape);
        line(word, 1024, |out| {
            table_of(codec, version, columns, &metadata.resource_version, out, |out| {
                // A bookmark is about no object.
                if word == "BOOKMARK" { Ok(()) } else { codec.write(&event.object, shape, Place::Alone, out) }
            })
        })
    }
}

fn word(kind: WatchEventType) -> Result<&'static str, ApiError> {
    match kind {
        WatchEventType::Added => Ok("ADDED"),
        WatchEventType::Modified => Ok("MODIFIED"),
        WatchEventType::Deleted => Ok("DELETED"),
        WatchEventType::Bookmark => Ok("BOOKMARK"),
        WatchEventType::Unspecified => Err(ApiError::internal("api sent a change of an unknown type")),
    }
}

/// One line of JSON around an object.
fn line(
    word: &str,
    size: usize,
    object: impl FnOnce(&mut Vec<u8>) -> Result<(), ApiError>,
) -> Result<Bytes, ApiError> {
    let mut out = Vec::with_capacity(size + 64);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    object(&mut out)?;
    out.extend_from_slice(b"}\n");
    Ok(out.into())
}

/// A protobuf frame: four bytes of length, then a bare WatchEvent that holds an enveloped object.
fn framed(word: &str, object: Bytes) -> Bytes {
    let event = WatchEvent { r#type: word.to_owned(), object: RawExtension { raw: object.into() } };
    let mut out = BytesMut::with_capacity(4 + event.encoded_len());
    out.put_u32(u32::try_from(event.encoded_len()).unwrap_or(u32::MAX));
    out.extend_from_slice(&event.encode_to_vec());
    out.freeze()
}

#[cfg(test)]
mod tests {
    use keelson_proto::Object as _;
    use keelson_proto::core::Pod;
    use serde_json::Value;

    use super::*;
    use crate::kinds::codec;
    use crate::negotiate::Include;

    fn speller(media: Media, shape: Shape) -> Speller {
        let form = Form { media, shape, pretty: false };
        Speller::new(codec(Pod::KIND).unwrap(), form, Arc::new(Ring::new(1 << 20)))
    }

    fn event(kind: WatchEventType) -> RawWatchEvent {
        let mut pod = Pod::default();
        pod.metadata.name = "web".into();
        let object = wire::with_resource_version(&pod.encode_to_vec(), 9);
        RawWatchEvent { r#type: kind.into(), object, name: "web".into(), revision: 9, ..Default::default() }
    }

    fn json(frame: Result<Bytes, ApiError>) -> Value {
        let frame = frame.unwrap();
        assert!(frame.ends_with(b"}\n") && frame.iter().filter(|byte| **byte == b'\n').count() == 1);
        serde_json::from_slice(&frame).unwrap()
    }

    #[test]
    fn a_frame_is_a_line_of_json() {
        let mut speller = speller(Media::Json, Shape::Object);
        for (kind, word) in [
            (WatchEventType::Added, "ADDED"),
            (WatchEventType::Modified, "MODIFIED"),
            (WatchEventType::Deleted, "DELETED"),
            (WatchEventType::Bookmark, "BOOKMARK"),
        ] {
            let frame = json(speller.frame(&event(kind)));
            assert_eq!((&frame["type"], &frame["object"]["kind"]), (&Value::from(word), &Value::from("Pod")));
            assert_eq!(frame["object"]["metadata"]["resourceVersion"], "9");
        }
        assert!(speller.frame(&event(WatchEventType::Unspecified)).is_err());
    }

    #[test]
    fn watchers_share_a_spelling() {
        let mut one = speller(Media::Json, Shape::Object);
        let mut other = Speller::new(one.codec, one.form, one.ring.clone());
        let (one, other) = (
            one.frame(&event(WatchEventType::Added)).unwrap(),
            other.frame(&event(WatchEventType::Added)).unwrap(),
        );
        assert_eq!(one.as_ptr(), other.as_ptr());
    }

    #[test]
    fn only_the_first_row_has_columns() {
        let mut speller = speller(Media::Json, Shape::Table(MetaVersion::V1, Include::Metadata));
        let first = json(speller.frame(&event(WatchEventType::Added)));
        let second = json(speller.frame(&event(WatchEventType::Modified)));
        assert_eq!(first["object"]["columnDefinitions"].as_array().unwrap().len(), 9);
        assert_eq!(second["object"]["columnDefinitions"], Value::Null);
        assert_eq!(second["object"]["rows"][0]["cells"][0], "web");
        assert_eq!(second["object"]["rows"][0]["object"]["metadata"]["name"], "web");
        let bookmark = json(speller.frame(&event(WatchEventType::Bookmark)));
        assert_eq!(bookmark["object"]["rows"].as_array().unwrap().len(), 0);
        assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], "9");
    }

    #[test]
    fn a_protobuf_frame_says_how_long_it_is() {
        let frame = speller(Media::Protobuf, Shape::Object).frame(&event(WatchEventType::Added)).unwrap();
        let (length, rest) = frame.split_at(4);
        assert_eq!(u32::from_be_bytes(length.try_into().unwrap()) as usize, rest.len());
        let event = WatchEvent::decode(rest).unwrap();
        assert_eq!(event.r#type, "ADDED");
        let object = envelope::unwrap(&event.object.raw.into()).unwrap();
        assert_eq!(Pod::decode(object.raw).unwrap().metadata.name, "web");
    }

    #[test]
    fn an_error_holds_a_status() {
        let frame = json(speller(Media::Json, Shape::Object).error(ApiError::expired("too old")));
        assert_eq!((&frame["type"], &frame["object"]["code"]), (&Value::from("ERROR"), &Value::from(410)));
        assert_eq!(frame["object"]["kind"], "Status");
    }
}
