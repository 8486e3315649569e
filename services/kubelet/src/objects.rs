//! The objects that pods refer to: config maps and secrets, claims with the volumes they were given, endpoints.

mod follow;

pub(crate) use self::follow::Referenced;

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_proto::core::{ConfigMap, Endpoints, PersistentVolume, PersistentVolumeClaim, Secret};

/// What one pod refers to, as far as api has it; all but volumes are of the pod's namespace. By name.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Config maps.
    pub config_maps: BTreeMap<String, Arc<ConfigMap>>,
    /// Secrets.
    pub secrets: BTreeMap<String, Arc<Secret>>,
    /// Claims of storage.
    pub claims: BTreeMap<String, Arc<PersistentVolumeClaim>>,
    /// The volumes that these claims were given.
    pub volumes: BTreeMap<String, Arc<PersistentVolume>>,
    /// Servers of network file systems.
    pub endpoints: BTreeMap<String, Arc<Endpoints>>,
}

/// An object that a pod needs is not there, in Kubernetes' words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} \"{name}\" not found")]
pub struct NotFound {
    /// `configmap`, `secret` and such.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

// === impl Objects ===

impl Objects {
    /// The config map of this name; none if it is missing and `optional`.
    pub fn config_map(&self, name: &str, optional: Option<bool>) -> Result<Option<&ConfigMap>, NotFound> {
        found(&self.config_maps, "configmap", name, optional)
    }

    /// The secret of this name; none if it is missing and `optional`.
    pub fn secret(&self, name: &str, optional: Option<bool>) -> Result<Option<&Secret>, NotFound> {
        found(&self.secrets, "secret", name, optional)
    }
}

fn found<'a, K>(
    objects: &'a BTreeMap<String, Arc<K>>,
    kind: &'static str,
    name: &str,
    optional: Option<bool>,
) -> Result<Option<&'a K>, NotFound> {
    match objects.get(name) {
        Some(object) => Ok(Some(&**object)),
        None if optional == Some(true) => Ok(None),
        None => Err(NotFound { kind, name: name.to_owned() }),
    }
}
