//! What the gateway does with objects of each kind, behind one interface: the kind is data.
//!
//! A kind that gets a registry gets a line in [`CODECS`].

pub(crate) mod alias;

use bytes::Bytes;
use jiff::Timestamp;
use keelson_base_model::status::ApiError;
use keelson_proto::authentication::{SelfSubjectReview, TokenReview};
use keelson_proto::authorization::{
    LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};
use keelson_proto::coordination::Lease;
use keelson_proto::core::{
    Binding, ComponentStatus, ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume,
    PersistentVolumeClaim, Pod, PodTemplate, ReplicationController, ResourceQuota, Secret, Service,
    ServiceAccount,
};
use keelson_proto::discovery::EndpointSlice;
use keelson_proto::events;
use keelson_proto::json;
use keelson_proto::meta::ObjectMeta;
use keelson_proto::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use keelson_proto::{ALIASES, Kind, OBSERVED, Object as _, QUESTIONS, REGISTERED, wire};
use serde::{Serialize, Serializer};

use crate::body::{self, Content, Validation};
use crate::negotiate::{Include, MetaVersion, Shape};
use crate::response::transcode;
use crate::table::{Cell, Column, Tabled};

/// An object that a client sent.
#[derive(Debug)]
pub(crate) struct Received {
    /// Its protobuf encoding.
    pub(crate) object: Bytes,
    /// The name in it.
    pub(crate) name: String,
    /// The namespace in it.
    pub(crate) namespace: String,
    /// What the client should know about it.
    pub(crate) warnings: Vec<String>,
}

/// Reads and writes the objects of one kind.
#[derive(Debug)]
pub(crate) struct Codec {
    /// The kind.
    pub(crate) kind: &'static Kind,
    /// The columns of its table.
    pub(crate) columns: &'static [Column],
    read: fn(&Content, Validation) -> Result<Received, ApiError>,
    write: Write,
    cells: fn(&[u8], Timestamp) -> Result<Vec<Cell>, ApiError>,
}

/// Appends the JSON of an encoded object.
type Write = fn(&[u8], Place, &mut Vec<u8>) -> Result<(), ApiError>;

/// Where an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On its own: it says what it is.
    Alone,
    /// In a list of its kind, which says it for all.
    List,
}

/// An object without kind and apiVersion.
struct Bare<'a, K>(&'a K);

/// An object's metadata, as an object of its own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Partial {
    kind: &'static str,
    api_version: &'static str,
    metadata: ObjectMeta,
}

const CODECS: &[Codec] = &[
    Codec::of::<ClusterRole>(),
    Codec::of::<ClusterRoleBinding>(),
    Codec::of::<ComponentStatus>(),
    Codec::of::<ConfigMap>(),
    Codec::of::<EndpointSlice>(),
    Codec::of::<Endpoints>(),
    Codec::of::<Event>(),
    Codec::of::<events::Event>(),
    Codec::of::<Lease>(),
    Codec::of::<LimitRange>(),
    Codec::of::<Namespace>(),
    Codec::of::<Node>(),
    Codec::of::<PersistentVolume>(),
    Codec::of::<PersistentVolumeClaim>(),
    Codec::of::<Pod>(),
    Codec::of::<PodTemplate>(),
    Codec::of::<ReplicationController>(),
    Codec::of::<ResourceQuota>(),
    Codec::of::<Role>(),
    Codec::of::<RoleBinding>(),
    Codec::of::<Secret>(),
    Codec::of::<Service>(),
    Codec::of::<ServiceAccount>(),
    Codec::of::<LocalSubjectAccessReview>(),
    Codec::of::<SelfSubjectAccessReview>(),
    Codec::of::<SelfSubjectReview>(),
    Codec::of::<SelfSubjectRulesReview>(),
    Codec::of::<SubjectAccessReview>(),
    Codec::of::<TokenReview>(),
];

/// The kinds that have paths of their own: those with a registry, those that are another's under a second name, and
/// bindings, which can be posted; those that can only be read, and those that can only be asked.
pub(crate) fn served() -> impl Iterator<Item = &'static Kind> + Clone {
    REGISTERED.iter().chain(OBSERVED).chain(ALIASES).chain(QUESTIONS).chain([Binding::KIND])
}

/// The codec of a kind.
pub(crate) fn codec(kind: &'static Kind) -> Result<&'static Codec, ApiError> {
    let found = CODECS.iter().find(|codec| codec.kind == kind);
    found.ok_or_else(|| {
        ApiError::unimplemented(format!("the gateway cannot spell objects of kind {}", kind.kind))
    })
}

// === impl Codec ===

impl Codec {
    const fn of<K: Tabled>() -> Self {
        Self { kind: K::KIND, columns: K::COLUMNS, read: read::<K>, write: write::<K>, cells: cells::<K> }
    }

    /// Reads what a client sent.
    pub(crate) fn read(&self, content: &Content, validation: Validation) -> Result<Received, ApiError> {
        (self.read)(content, validation)
    }

    /// Appends the JSON of an encoded object, in the shape that the client wants to see.
    pub(crate) fn write(
        &self,
        object: &[u8],
        shape: Shape,
        place: Place,
        out: &mut Vec<u8>,
    ) -> Result<(), ApiError> {
        match shape {
            Shape::Object => (self.write)(object, place, out),
            Shape::Partial(version) => write_partial(object, version, out),
            Shape::Table(version, include) => self.write_row(object, version, include, out),
        }
    }

    fn write_row(
        &self,
        object: &[u8],
        version: MetaVersion,
        include: Include,
        out: &mut Vec<u8>,
    ) -> Result<(), ApiError> {
        out.extend_from_slice(b"{\"cells\":");
        to_json(&(self.cells)(object, Timestamp::now())?, out)?;
        out.extend_from_slice(b",\"object\":");
        match include {
            Include::None => out.extend_from_slice(b"null"),
            Include::Metadata => write_partial(object, version, out)?,
            Include::Object => (self.write)(object, Place::Alone, out)?,
        }
        out.push(b'}');
        Ok(())
    }
}

fn read<K: Tabled>(content: &Content, validation: Validation) -> Result<Received, ApiError> {
    let (object, warnings) = body::decode::<K>(content, validation)?;
    let metadata = object.metadata();
    let (name, namespace) = (metadata.name.clone(), metadata.namespace.clone());
    Ok(Received { object: object.encode_to_vec().into(), name, namespace, warnings })
}

fn write<K: Tabled>(object: &[u8], place: Place, out: &mut Vec<u8>) -> Result<(), ApiError> {
    let type_meta = K::TYPE_META.filter(|_| place == Place::Alone);
    if transcode::write(K::KIND.message, type_meta, object, out) {
        return Ok(());
    }
    let object = decode::<K>(object)?;
    match place {
        Place::Alone => to_json(&object, out),
        Place::List => to_json(&Bare(&object), out),
    }
}

fn cells<K: Tabled>(object: &[u8], now: Timestamp) -> Result<Vec<Cell>, ApiError> {
    Ok(decode::<K>(object)?.cells(now))
}

fn write_partial(object: &[u8], version: MetaVersion, out: &mut Vec<u8>) -> Result<(), ApiError> {
    let metadata = wire::metadata(object).map_err(unreadable)?;
    to_json(&Partial { kind: "PartialObjectMetadata", api_version: version.api_version(), metadata }, out)
}

/// Appends the JSON of a value.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), ApiError> {
    serde_json::to_writer(out, value)
        .map_err(|error| ApiError::internal(format!("cannot write JSON: {error}")))
}

fn decode<K: Tabled>(object: &[u8]) -> Result<K, ApiError> {
    K::decode(object).map_err(unreadable)
}

fn unreadable(error: prost::DecodeError) -> ApiError {
    ApiError::internal(format!("cannot read an object of api's answer: {error}"))
}

// === impl Bare ===

impl<K: json::Message> Serialize for Bare<'_, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json::write_message(self.0, serializer)
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::Message as _;

    use super::*;

    fn written(shape: Shape, place: Place) -> String {
        let mut pod = Pod::default();
        pod.metadata.name = "web".into();
        let object = wire::with_resource_version(&pod.encode_to_vec(), 7);
        let mut out = Vec::new();
        codec(Pod::KIND).unwrap().write(&object, shape, place, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_registered_kind_has_a_codec() {
        for kind in REGISTERED.iter().chain(OBSERVED).chain(ALIASES).chain(QUESTIONS) {
            assert_eq!(codec(kind).unwrap().kind, kind);
        }
    }

    #[test]
    fn an_object_says_what_it_is_unless_its_list_does() {
        assert!(written(Shape::Object, Place::Alone).starts_with(
            r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web","resourceVersion":"7""#
        ));
        assert!(
            written(Shape::Object, Place::List)
                .starts_with(r#"{"metadata":{"name":"web","resourceVersion":"7""#)
        );
    }

    #[test]
    fn metadata_alone_is_an_object_too() {
        let partial = written(Shape::Partial(MetaVersion::V1), Place::List);
        assert_eq!(
            partial,
            r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"web","resourceVersion":"7","creationTimestamp":null}}"#
        );
    }

    #[test]
    fn a_row_carries_what_was_asked_for() {
        let cells =
            r#"{"cells":["web","0/0","","0","<unknown>","<none>","<none>","<none>","<none>"],"object":"#;
        let row = |include| written(Shape::Table(MetaVersion::V1, include), Place::List);
        assert_eq!(row(Include::None), format!("{cells}null}}"));
        assert!(row(Include::Metadata).starts_with(&format!("{cells}{{\"kind\":\"PartialObjectMetadata\"")));
        assert!(
            row(Include::Object).starts_with(&format!("{cells}{{\"kind\":\"Pod\",\"apiVersion\":\"v1\""))
        );
    }

    #[test]
    fn bytes_that_are_no_object_are_an_error() {
        let mut out = Vec::new();
        let refused =
            codec(Pod::KIND).unwrap().write(b"\x0a\x7f", Shape::Object, Place::Alone, &mut out).unwrap_err();
        assert_eq!(refused.code(), 500);
    }
}
