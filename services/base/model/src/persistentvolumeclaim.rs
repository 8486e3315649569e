//! Claims of storage: their defaults and rules.

mod validate;

use std::borrow::Cow;

use keelson_proto::core::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, TypedLocalObjectReference,
    TypedObjectReference,
};

pub use self::validate::{validate, validate_status_update, validate_update};
use crate::{meta, resources};

/// The phases of a claim's life.
pub mod phase {
    /// The claim has no volume yet.
    pub const PENDING: &str = "Pending";
    /// The claim has its volume.
    pub const BOUND: &str = "Bound";
    /// The claim's volume is gone.
    pub const LOST: &str = "Lost";
}

/// The fields that claims can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(claim: &'a PersistentVolumeClaim, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(&claim.metadata, field)
}

/// Fills in what may be left out: a claim asks for files. Quantities become canonical.
pub fn set_defaults(claim: &mut PersistentVolumeClaim) {
    if claim.status.phase.is_empty() {
        claim.status.phase = phase::PENDING.to_owned();
    }
    claim.spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    resources::canonicalize(&mut claim.spec.resources.requests);
    resources::canonicalize(&mut claim.spec.resources.limits);
    resources::canonicalize(&mut claim.status.capacity);
    resources::canonicalize(&mut claim.status.allocated_resources);
}

/// What the server writes into a claim that begins to exist: that it has no volume yet.
pub fn prepare_create(claim: &mut PersistentVolumeClaim) {
    claim.status = PersistentVolumeClaimStatus {
        phase: phase::PENDING.to_owned(),
        ..PersistentVolumeClaimStatus::default()
    };
    normalize_sources(&mut claim.spec);
}

/// Carries over what an ordinary update does not touch.
pub fn prepare_update(new: &mut PersistentVolumeClaim, old: &PersistentVolumeClaim) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
    new.status = old.status.clone();
    normalize_sources(&mut new.spec);
}

/// Leaves of a status write only the status.
pub fn prepare_status_update(new: &mut PersistentVolumeClaim, old: &PersistentVolumeClaim) {
    new.spec = old.spec.clone();
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// The older and the newer field for what a volume begins with say the same, unless that is in another namespace,
/// of which the older knows nothing.
fn normalize_sources(spec: &mut PersistentVolumeClaimSpec) {
    match (&spec.data_source, &spec.data_source_ref) {
        (Some(source), None) => {
            spec.data_source_ref = Some(TypedObjectReference {
                api_group: source.api_group.clone(),
                kind: source.kind.clone(),
                name: source.name.clone(),
                namespace: None,
            });
        }
        (None, Some(source)) if source.namespace.as_deref().is_none_or(str::is_empty) => {
            spec.data_source = Some(TypedLocalObjectReference {
                api_group: source.api_group.clone(),
                kind: source.kind.clone(),
                name: source.name.clone(),
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
