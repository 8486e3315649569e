//! Claims of storage.

use keelson_base_model::field::ErrorList;
use keelson_base_model::persistentvolumeclaim;
use keelson_proto::core::PersistentVolumeClaim;

use crate::registry::Strategy;

/// What is particular to claims: a status that says which volume they have.
pub(crate) struct PersistentVolumeClaimStrategy;

// === impl PersistentVolumeClaimStrategy ===

impl Strategy for PersistentVolumeClaimStrategy {
    type Object = PersistentVolumeClaim;
    const PREFIX: &'static str = "/registry/persistentvolumeclaims/";
    const FIELDS: &'static [&'static str] = persistentvolumeclaim::FIELDS;

    fn fields(object: &PersistentVolumeClaim) -> Vec<(&'static str, String)> {
        super::fields_of(persistentvolumeclaim::FIELDS, |field| persistentvolumeclaim::fields(object, field))
    }

    fn set_defaults(&self, object: &mut PersistentVolumeClaim) {
        persistentvolumeclaim::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut PersistentVolumeClaim) {
        persistentvolumeclaim::prepare_create(object);
    }

    fn validate_create(&self, object: &PersistentVolumeClaim) -> ErrorList {
        persistentvolumeclaim::validate(object)
    }

    fn prepare_update(&self, new: &mut PersistentVolumeClaim, old: &PersistentVolumeClaim) {
        persistentvolumeclaim::prepare_update(new, old);
    }

    fn validate_update(&self, new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> ErrorList {
        persistentvolumeclaim::validate_update(new, old)
    }

    fn has_status(&self) -> bool {
        true
    }

    fn prepare_status(&self, new: &mut PersistentVolumeClaim, old: &PersistentVolumeClaim) {
        persistentvolumeclaim::prepare_status_update(new, old);
    }

    fn validate_status(&self, new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> ErrorList {
        persistentvolumeclaim::validate_status_update(new, old)
    }
}
