//! The kinds that the fake keeps: their objects on the wire, and as JSON.

use bytes::Bytes;
use keelson_proto::coordination::Lease;
use keelson_proto::core::{
    ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod,
    PodTemplate, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount,
};
use keelson_proto::discovery::EndpointSlice;
use keelson_proto::meta::ObjectMeta;
use keelson_proto::rbac::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use keelson_proto::{Kind, Object, wire};
use serde_json::Value;

/// What the fake knows of one kind. It keeps encoded objects, whose kind is data.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) kind: &'static Kind,
    pub(super) to_json: fn(&[u8]) -> Value,
    pub(super) from_json: fn(Value) -> Result<Bytes, serde_json::Error>,
    /// The object with other metadata.
    pub(super) with_metadata: fn(&[u8], ObjectMeta) -> Bytes,
}

const FORMS: [Form; 21] = [
    form::<ClusterRole>(),
    form::<ClusterRoleBinding>(),
    form::<ConfigMap>(),
    form::<EndpointSlice>(),
    form::<Endpoints>(),
    form::<Event>(),
    form::<Lease>(),
    form::<LimitRange>(),
    form::<Namespace>(),
    form::<Node>(),
    form::<PersistentVolume>(),
    form::<PersistentVolumeClaim>(),
    form::<Pod>(),
    form::<PodTemplate>(),
    form::<ReplicationController>(),
    form::<ResourceQuota>(),
    form::<Role>(),
    form::<RoleBinding>(),
    form::<Secret>(),
    form::<Service>(),
    form::<ServiceAccount>(),
];

/// The form of a kind's objects.
pub(super) const fn form<K: Object>() -> Form {
    Form {
        kind: K::KIND,
        to_json: |object| serde_json::to_value(K::decode(object).unwrap()).unwrap(),
        from_json: |value| serde_json::from_value::<K>(value).map(|object| object.encode_to_vec().into()),
        with_metadata: |object, metadata| {
            let mut object = K::decode(object).unwrap();
            *object.metadata_mut() = metadata;
            object.encode_to_vec().into()
        },
    }
}

/// The form of the objects that a gRPC service keeps.
pub(super) fn kept_by(service: &str) -> Option<Form> {
    FORMS.into_iter().find(|form| form.kind.service == service)
}

/// The metadata of an object that was encoded by a client or by the fake.
pub(super) fn metadata(object: &[u8]) -> ObjectMeta {
    wire::metadata(object).unwrap()
}
