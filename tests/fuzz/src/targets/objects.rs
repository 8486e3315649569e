//! Objects of every kind, in every form: whatever can be read is defaulted and checked without a panic, and reads the
//! same again when it was written.

use keelson_base_model as model;
use keelson_base_model::field::ErrorList;
use keelson_proto::coordination::Lease;
use keelson_proto::core::{
    ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod,
    PodTemplate, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount,
};
use keelson_proto::discovery::EndpointSlice;
use keelson_proto::{Bytes, Object, envelope, json};

/// Calls `$with` for every kind, with its defaults and its rules.
macro_rules! every_kind {
    ($with:ident, $($argument:expr),+) => {
        $with::<ConfigMap>($($argument),+, model::configmap::set_defaults, model::configmap::validate);
        $with::<Endpoints>($($argument),+, model::endpoints::set_defaults, model::endpoints::validate);
        $with::<EndpointSlice>($($argument),+, model::endpointslice::set_defaults, model::endpointslice::validate);
        $with::<Event>($($argument),+, model::event::set_defaults, model::event::validate);
        $with::<Lease>($($argument),+, model::lease::set_defaults, model::lease::validate);
        $with::<LimitRange>($($argument),+, model::limitrange::set_defaults, model::limitrange::validate);
        $with::<Namespace>($($argument),+, model::namespace::set_defaults, model::namespace::validate);
        $with::<Node>($($argument),+, model::node::set_defaults, model::node::validate);
        $with::<PersistentVolume>($($argument),+, model::persistentvolume::set_defaults, model::persistentvolume::validate);
        $with::<PersistentVolumeClaim>(
            $($argument),+, model::persistentvolumeclaim::set_defaults, model::persistentvolumeclaim::validate
        );
        $with::<Pod>($($argument),+, model::pod::set_defaults, model::pod::validate);
        $with::<PodTemplate>($($argument),+, model::podtemplate::set_defaults, model::podtemplate::validate);
        $with::<ReplicationController>($($argument),+, model::rc::set_defaults, model::rc::validate);
        $with::<ResourceQuota>($($argument),+, model::resourcequota::set_defaults, model::resourcequota::validate);
        $with::<Secret>($($argument),+, model::secret::set_defaults, model::secret::validate);
        $with::<Service>($($argument),+, model::service::set_defaults, model::service::validate);
        $with::<ServiceAccount>($($argument),+, model::serviceaccount::set_defaults, model::serviceaccount::validate);
    };
}

/// What an object says it is decides how it is read; one that does not say is tried as a pod.
pub(super) fn json(bytes: &[u8]) {
    fn read<K: Object>(bytes: &[u8], set_defaults: fn(&mut K), validate: fn(&K) -> ErrorList) {
        if says(bytes, K::KIND.kind)
            && let Ok((object, _)) = json::from_slice::<K>(bytes)
        {
            hold(object, set_defaults, validate);
        }
    }
    every_kind!(read, bytes);
}

pub(super) fn yaml(bytes: &[u8]) {
    fn read<K: Object>(bytes: &[u8], set_defaults: fn(&mut K), validate: fn(&K) -> ErrorList) {
        let reader = yaml_serde::Deserializer::from_slice(bytes);
        if says(bytes, K::KIND.kind)
            && let Ok((object, _)) = json::from_deserializer::<K, _>(reader)
        {
            hold(object, set_defaults, validate);
        }
    }
    every_kind!(read, bytes);
}

pub(super) fn protobuf(bytes: &[u8]) {
    fn read<K: Object>(
        envelope: &envelope::Envelope,
        set_defaults: fn(&mut K),
        validate: fn(&K) -> ErrorList,
    ) {
        if (envelope.kind == K::KIND.kind || envelope.kind.is_empty())
            && let Ok(object) = K::decode(envelope.raw.clone())
        {
            hold(object, set_defaults, validate);
        }
    }
    let Ok(envelope) = envelope::unwrap(&Bytes::copy_from_slice(bytes)) else { return };
    every_kind!(read, &envelope);
}

/// Whether the text names the kind, or none at all.
fn says(bytes: &[u8], kind: &str) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match text.contains("kind") {
        true => text.contains(kind),
        false => kind == "Pod",
    }
}

fn hold<K: Object>(mut object: K, set_defaults: fn(&mut K), validate: fn(&K) -> ErrorList) {
    let bytes = object.encode_to_vec();
    assert!(K::decode(bytes.as_slice()).is_ok_and(|again| again == object), "protobuf loses something");
    set_defaults(&mut object);
    let once = object.clone();
    set_defaults(&mut object);
    assert!(object == once, "defaults of defaults differ");
    let errors = validate(&object);
    let _ = errors.to_string();
    let Ok(text) = serde_json::to_vec(&object) else {
        assert!(!errors.is_empty(), "a valid object has no JSON form");
        return;
    };
    let again = json::from_slice::<K>(&text).map(|(again, _)| serde_json::to_vec(&again).ok());
    // What is invalid may hold what JSON cannot, such as a time beyond the calendar; and its times are less precise.
    if errors.is_empty() {
        assert!(again.is_ok_and(|again| again == Some(text)), "JSON loses something");
    }
}
