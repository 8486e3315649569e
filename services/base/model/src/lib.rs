//! What the v1 objects mean: names, selectors, quantities, defaults, validation, Status reasons. No I/O.

mod checks;
pub mod conditions;
pub mod configmap;
pub mod container;
pub mod endpoints;
pub mod endpointslice;
pub mod env;
pub mod event;
pub mod field;
pub mod fields;
#[cfg(test)]
mod fixtures;
pub mod key;
pub mod labels;
pub mod lease;
pub mod limitrange;
pub mod meta;
pub mod names;
pub mod namespace;
pub mod node;
pub mod owner;
pub mod patch;
pub mod persistentvolume;
pub mod persistentvolumeclaim;
pub mod pod;
pub mod podtemplate;
pub mod probe;
pub mod quantity;
pub mod rc;
pub mod resourcequota;
pub mod resources;
pub mod scale;
pub mod secret;
pub mod service;
pub mod serviceaccount;
pub mod status;
pub mod volume;
