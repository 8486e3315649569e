//! The files of configMap, secret, downwardAPI and projected volumes. Pure.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use keelson_base_model::pod;
use keelson_proto::core::{
    ConfigMap, DownwardApiVolumeFile, KeyToPath, Pod, Secret, ServiceAccountTokenProjection, Volume,
    VolumeProjection,
};
use keelson_proto::resource::Quantity;

use super::VolumeError;
use crate::env;
use crate::objects::Objects;

/// Permissions if nobody said any.
const DEFAULT_MODE: i32 = 0o644;

/// How long a token is good for if nobody said, in seconds.
const TOKEN_SECONDS: i64 = 3600;

/// The files of a volume by their paths in it.
pub(super) type Payload = BTreeMap<String, File>;

/// A file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) data: Vec<u8>,
    /// Permission bits.
    pub(super) mode: u32,
    /// Its owner, if that is not root.
    pub(super) user: Option<u32>,
}

/// A token that a volume needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    /// Who is to accept it; "" is api.
    pub(super) audience: String,
    /// Seconds that it shall be good for.
    pub(super) seconds: i64,
}

/// What files are made from.
#[derive(Clone, Copy)]
pub(super) struct Ingredients<'a> {
    pub(super) pod: &'a Pod,
    pub(super) objects: &'a Objects,
    pub(super) tokens: &'a BTreeMap<Wanted, String>,
    pub(super) allocatable: &'a BTreeMap<String, Quantity>,
}

/// The tokens that a volume needs.
pub(super) fn tokens(volume: &Volume) -> Vec<Wanted> {
    let sources = volume.volume_source.projected.iter().flat_map(|projected| &projected.sources);
    sources.filter_map(|source| source.service_account_token.as_ref()).map(Wanted::of).collect()
}

/// The files of `volume`, which is made from objects of api.
pub(super) fn payload(volume: &Volume, from: Ingredients<'_>) -> Result<Payload, VolumeError> {
    let source = &volume.volume_source;
    let mut maker = Maker { from, mode: DEFAULT_MODE, files: Payload::new() };
    if let Some(source) = &source.config_map {
        maker.mode = source.default_mode.unwrap_or(DEFAULT_MODE);
        maker.config_map(&source.local_object_reference.name, &source.items, source.optional)?;
    } else if let Some(source) = &source.secret {
        maker.mode = source.default_mode.unwrap_or(DEFAULT_MODE);
        maker.secret(&source.secret_name, &source.items, source.optional)?;
    } else if let Some(source) = &source.downward_api {
        maker.mode = source.default_mode.unwrap_or(DEFAULT_MODE);
        maker.facts(&source.items)?;
    } else if let Some(source) = &source.projected {
        maker.mode = source.default_mode.unwrap_or(DEFAULT_MODE);
        source.sources.iter().try_for_each(|source| maker.project(source))?;
    }
    Ok(maker.files)
}

/// Puts files together.
struct Maker<'a> {
    from: Ingredients<'a>,
    mode: i32,
    files: Payload,
}

// === impl Wanted ===

impl Wanted {
    fn of(source: &ServiceAccountTokenProjection) -> Self {
        let seconds = source.expiration_seconds.unwrap_or(TOKEN_SECONDS);
        Self { audience: source.audience.clone(), seconds }
    }
}

// === impl File ===

impl std::fmt::Debug for File {
    /// Without what it holds, which may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, mode {:o}", self.data.len(), self.mode)
    }
}

// === impl Maker ===

impl Maker<'_> {
    fn project(&mut self, source: &VolumeProjection) -> Result<(), VolumeError> {
        if let Some(source) = &source.config_map {
            self.config_map(&source.local_object_reference.name, &source.items, source.optional)
        } else if let Some(source) = &source.secret {
            self.secret(&source.local_object_reference.name, &source.items, source.optional)
        } else if let Some(source) = &source.downward_api {
            self.facts(&source.items)
        } else if let Some(source) = &source.service_account_token {
            self.token(source)
        } else {
            Err(VolumeError::Unsupported)
        }
    }

    fn config_map(
        &mut self,
        name: &str,
        items: &[KeyToPath],
        optional: Option<bool>,
    ) -> Result<(), VolumeError> {
        let objects = self.from.objects;
        let Some(map) = objects.config_map(name, optional)? else { return Ok(()) };
        let ConfigMap { data, binary_data, .. } = map;
        let text = data.iter().map(|(key, value)| (key.as_str(), value.as_bytes()));
        let bytes = binary_data.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        self.entries(text.chain(bytes).collect(), "config", items, optional)
    }

    fn secret(&mut self, name: &str, items: &[KeyToPath], optional: Option<bool>) -> Result<(), VolumeError> {
        let objects = self.from.objects;
        let Some(secret) = objects.secret(name, optional)? else { return Ok(()) };
        let Secret { data, .. } = secret;
        let entries = data.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
        self.entries(entries, "secret", items, optional)
    }

    /// Entries of an object: those that `items` name, or all.
    fn entries(
        &mut self,
        entries: BTreeMap<&str, &[u8]>,
        kind: &'static str,
        items: &[KeyToPath],
        optional: Option<bool>,
    ) -> Result<(), VolumeError> {
        if items.is_empty() {
            let mode = self.mode;
            return entries.into_iter().try_for_each(|(key, data)| self.add(key, data.to_vec(), mode));
        }
        for item in items {
            match entries.get(item.key.as_str()) {
                Some(data) => self.add(&item.path, data.to_vec(), item.mode.unwrap_or(self.mode))?,
                None if optional == Some(true) => {}
                None => return Err(VolumeError::Key { kind, key: item.key.clone() }),
            }
        }
        Ok(())
    }

    /// What the pod knows of itself.
    fn facts(&mut self, items: &[DownwardApiVolumeFile]) -> Result<(), VolumeError> {
        for item in items {
            let (pod, path) = (self.from.pod, &item.path);
            let unknown = || VolumeError::Fact { path: path.clone() };
            let value = match (&item.field_ref, &item.resource_field_ref) {
                (Some(field), _) => pod::field_value(pod, &field.field_path),
                (_, Some(resource)) => env::amount(resource, None, pod, self.from.allocatable),
                _ => None,
            };
            self.add(path, value.ok_or_else(unknown)?.into_bytes(), item.mode.unwrap_or(self.mode))?;
        }
        Ok(())
    }

    /// A token, for the one user of the pod's containers if there is but one.
    fn token(&mut self, source: &ServiceAccountTokenProjection) -> Result<(), VolumeError> {
        let token = self.from.tokens.get(&Wanted::of(source)).cloned().unwrap_or_default();
        let user = sole_user(self.from.pod);
        let group = self.from.pod.spec.security_context.as_ref().and_then(|context| context.fs_group);
        let mode = if user.is_some() || group.is_some() { 0o600 } else { self.mode };
        self.add(&source.path, token.into_bytes(), mode)?;
        if let Some(file) = self.files.get_mut(&source.path) {
            file.user = user.filter(|_| group.is_none());
        }
        Ok(())
    }

    fn add(&mut self, path: &str, data: Vec<u8>, mode: i32) -> Result<(), VolumeError> {
        let mut components = Path::new(path).components();
        let inside = components.all(|component| matches!(component, Component::Normal(_)));
        if path.is_empty() || !inside || path.starts_with("..") {
            return Err(VolumeError::Name { name: path.to_owned() });
        }
        let mode = u32::try_from(mode).unwrap_or(0o644) & 0o7777;
        self.files.insert(path.to_owned(), File { data, mode, user: None });
        Ok(())
    }
}

/// The user that all containers of the pod run as, if their definitions say so.
fn sole_user(pod: &Pod) -> Option<u32> {
    let shared = pod.spec.security_context.as_ref().and_then(|context| context.run_as_user);
    let containers = pod.spec.init_containers.iter().chain(&pod.spec.containers);
    let mut users = containers.map(|container| {
        let own = container.security_context.as_ref().and_then(|context| context.run_as_user);
        own.or(shared)
    });
    let first = users.next()??;
    users.all(|user| user == Some(first)).then(|| u32::try_from(first).ok())?
}

#[cfg(test)]
mod tests;
