//! Persistent volumes: their defaults and rules.

mod sources;
mod validate;

use std::borrow::Cow;

use keelson_proto::core::{PersistentVolume, PersistentVolumeStatus};
use keelson_proto::meta::Time;

pub(crate) use self::validate::{VOLUME_MODES, validate_access_modes, validate_class};
pub use self::validate::{validate, validate_status_update, validate_update};
use crate::{meta, resources};

/// The phases of a volume's life.
pub mod phase {
    /// Nobody has looked at the volume yet.
    pub const PENDING: &str = "Pending";
    /// Any claim may have the volume.
    pub const AVAILABLE: &str = "Available";
    /// A claim has the volume.
    pub const BOUND: &str = "Bound";
    /// The claim is gone, the volume has not been reclaimed yet.
    pub const RELEASED: &str = "Released";
    /// The volume could not be reclaimed.
    pub const FAILED: &str = "Failed";
}

/// The fields that persistent volumes can be selected by.
pub const FIELDS: &[&str] = &["metadata.name"];

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(volume: &'a PersistentVolume, field: &str) -> Option<Cow<'a, str>> {
    FIELDS.contains(&field).then(|| meta::fields(&volume.metadata, field)).flatten()
}

/// Fills in what may be left out: a volume is kept when its claim is gone, and holds files. Quantities become
/// canonical.
pub fn set_defaults(volume: &mut PersistentVolume) {
    if volume.status.phase.is_empty() {
        volume.status.phase = phase::PENDING.to_owned();
    }
    let spec = &mut volume.spec;
    if spec.persistent_volume_reclaim_policy.is_empty() {
        spec.persistent_volume_reclaim_policy = "Retain".to_owned();
    }
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    resources::canonicalize(&mut spec.capacity);
    sources::set_defaults(&mut spec.persistent_volume_source);
}

/// What the server writes into a volume that begins to exist: that nobody has looked at it, since its creation.
pub fn prepare_create(volume: &mut PersistentVolume) {
    volume.status = PersistentVolumeStatus {
        phase: phase::PENDING.to_owned(),
        last_phase_transition_time: volume.metadata.creation_timestamp,
        ..PersistentVolumeStatus::default()
    };
}

/// Carries over what an ordinary update does not touch.
pub fn prepare_update(new: &mut PersistentVolume, old: &PersistentVolume) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.status = old.status.clone();
}

/// Leaves of a status write only the status, and notes when the phase has changed: `now`, unless the writer says.
pub fn prepare_status_update(new: &mut PersistentVolume, old: &PersistentVolume, now: Time) {
    new.spec = old.spec.clone();
    meta::prepare_update(&mut new.metadata, &old.metadata);
    let told = new.status.last_phase_transition_time;
    let says = told.is_some() && told != old.status.last_phase_transition_time;
    if !says {
        let same = new.status.phase == old.status.phase;
        new.status.last_phase_transition_time =
            if same { old.status.last_phase_transition_time } else { Some(now) };
    }
}

#[cfg(test)]
mod tests;
