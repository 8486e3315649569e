//! The row of a claim of storage.

use jiff::Timestamp;
use keelson_proto::core::PersistentVolumeClaim;

use super::{
    AGE, Cell, Column, NAME, Tabled, UNSET, access_modes, phase, quantity, since, storage_class, text, wide,
};

impl Tabled for PersistentVolumeClaim {
    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Status", "Whether the claim has its volume."),
        text("Volume", "The volume that the claim has."),
        text("Capacity", "Size of that volume."),
        text("Access Modes", "How that volume can be mounted."),
        text("StorageClass", "Storage class that the volume must have."),
        text("VolumeAttributesClass", "Class of changeable attributes that the volume shall have."),
        AGE,
        wide(text("VolumeMode", "Whether files or a device are wanted.")),
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let (spec, status) = (&self.spec, &self.status);
        let (capacity, modes) = match spec.volume_name.as_str() {
            "" => (String::new(), String::new()),
            _ => (quantity(&status.capacity, "storage"), access_modes(&status.access_modes)),
        };
        let class = spec.storage_class_name.as_deref().unwrap_or_default();
        vec![
            self.metadata.name.as_str().into(),
            phase(&self.metadata, &status.phase).into(),
            spec.volume_name.as_str().into(),
            capacity.into(),
            modes.into(),
            storage_class(&self.metadata, class).into(),
            spec.volume_attributes_class_name.as_deref().unwrap_or(UNSET).into(),
            since(self.metadata.creation_timestamp, now).into(),
            spec.volume_mode.as_deref().unwrap_or(UNSET).into(),
        ]
    }
}
