//! Persistent volumes.

use keelson_base_model::field::ErrorList;
use keelson_base_model::persistentvolume;
use keelson_proto::core::PersistentVolume;
use keelson_proto::meta::Time;

use crate::registry::Strategy;

/// What is particular to persistent volumes: a status that says who has them.
pub(crate) struct PersistentVolumeStrategy;

// === impl PersistentVolumeStrategy ===

impl Strategy for PersistentVolumeStrategy {
    type Object = PersistentVolume;
    const PREFIX: &'static str = "/registry/persistentvolumes/";
    const FIELDS: &'static [&'static str] = persistentvolume::FIELDS;

    fn fields(object: &PersistentVolume) -> Vec<(&'static str, String)> {
        super::fields_of(persistentvolume::FIELDS, |field| persistentvolume::fields(object, field))
    }

    fn set_defaults(&self, object: &mut PersistentVolume) {
        persistentvolume::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut PersistentVolume) {
        persistentvolume::prepare_create(object);
    }

    fn validate_create(&self, object: &PersistentVolume) -> ErrorList {
        persistentvolume::validate(object)
    }

    fn prepare_update(&self, new: &mut PersistentVolume, old: &PersistentVolume) {
        persistentvolume::prepare_update(new, old);
    }

    fn validate_update(&self, new: &PersistentVolume, old: &PersistentVolume) -> ErrorList {
        persistentvolume::validate_update(new, old)
    }

    fn has_status(&self) -> bool {
        true
    }

    fn prepare_status(&self, new: &mut PersistentVolume, old: &PersistentVolume) {
        persistentvolume::prepare_status_update(new, old, Time::now());
    }

    fn validate_status(&self, new: &PersistentVolume, old: &PersistentVolume) -> ErrorList {
        persistentvolume::validate_status_update(new, old)
    }
}
