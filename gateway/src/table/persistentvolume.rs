//! The row of a persistent volume.

use jiff::Timestamp;
use keelson_proto::core::PersistentVolume;

use super::{
    AGE, Cell, Column, NAME, Tabled, UNSET, access_modes, phase, quantity, since, storage_class, text, wide,
};

impl Tabled for PersistentVolume {
    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Capacity", "Size of the volume."),
        text("Access Modes", "How the volume can be mounted."),
        text("Reclaim Policy", "What happens when the claim is gone."),
        text("Status", "Whether the volume is in use."),
        text("Claim", "The claim that has the volume."),
        text("StorageClass", "Storage class that the volume belongs to."),
        text("VolumeAttributesClass", "Class of changeable attributes that the volume has."),
        text("Reason", "Why the volume failed."),
        AGE,
        wide(text("VolumeMode", "Whether the volume holds files or is a device.")),
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let spec = &self.spec;
        let claim = spec.claim_ref.as_ref().map(|claim| format!("{}/{}", claim.namespace, claim.name));
        vec![
            self.metadata.name.as_str().into(),
            quantity(&spec.capacity, "storage").into(),
            access_modes(&spec.access_modes).into(),
            spec.persistent_volume_reclaim_policy.as_str().into(),
            phase(&self.metadata, &self.status.phase).into(),
            claim.unwrap_or_default().into(),
            storage_class(&self.metadata, &spec.storage_class_name).into(),
            spec.volume_attributes_class_name.as_deref().unwrap_or(UNSET).into(),
            self.status.reason.as_str().into(),
            since(self.metadata.creation_timestamp, now).into(),
            spec.volume_mode.as_deref().unwrap_or(UNSET).into(),
        ]
    }
}
