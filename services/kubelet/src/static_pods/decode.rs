//! From a manifest to pods of this node.

use keelson_base_model::pod;
use keelson_proto::core::{Pod, PodList, Toleration};
use keelson_proto::json::{self, Message, Report};
use sha2::{Digest as _, Sha256};

use super::mirror::{HASH, MIRROR, SEEN, SOURCE};
use crate::clock::Clock;

/// Where a manifest lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The node's name.
    pub(super) node: String,
    /// What kind of source: `file` or `http`.
    pub(super) source: &'static str,
    /// The directory or URL.
    pub(super) from: String,
    pub(super) clock: Clock,
}

/// A manifest cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ManifestError {
    #[error("neither YAML nor JSON of a pod: {0}")]
    Unreadable(String),
    #[error("a manifest holds a v1 Pod or PodList, not {0:?}")]
    Kind(String),
    #[error("pod {name:?} is not valid: {errors}")]
    Invalid { name: String, errors: String },
}

/// The pods of one manifest: a Pod, or a PodList.
pub(super) fn decode(text: &[u8], place: &Place) -> Result<Vec<Pod>, ManifestError> {
    let (list, report) = read::<PodList>(text)?;
    let pods = match report.kind.as_deref() {
        Some("Pod") => vec![read::<Pod>(text)?.0],
        Some("PodList" | "List") => list.items,
        other => return Err(ManifestError::Kind(other.unwrap_or_default().to_owned())),
    };
    pods.into_iter().map(|pod| settle(pod, place)).collect()
}

/// Reads YAML, of which JSON is a part.
fn read<T: Message>(text: &[u8]) -> Result<(T, Report), ManifestError> {
    let deserializer = yaml_serde::Deserializer::from_slice(text);
    json::from_deserializer(deserializer).map_err(|error| ManifestError::Unreadable(error.to_string()))
}

/// Makes it a pod of this node, with a uid of its own for each wording.
fn settle(mut pod: Pod, place: &Place) -> Result<Pod, ManifestError> {
    let metadata = &mut pod.metadata;
    metadata.name = format!("{}-{}", metadata.name, place.node);
    if metadata.namespace.is_empty() {
        metadata.namespace.push_str("default");
    }
    metadata.annotations.remove(MIRROR);
    metadata.resource_version.clear();
    pod.spec.node_name.clone_from(&place.node);
    // Nothing that api says of the node drives it away.
    pod.spec.tolerations.push(Toleration {
        operator: "Exists".to_owned(),
        effect: "NoExecute".to_owned(),
        ..Toleration::default()
    });
    pod::set_defaults(&mut pod);
    pod::prepare_create(&mut pod);
    let errors = pod::validate(&pod);
    if !errors.is_empty() {
        return Err(ManifestError::Invalid { name: pod.metadata.name, errors: errors.to_string() });
    }
    let uid = uid(&pod, place);
    let annotations =
        [(HASH, uid.clone()), (SOURCE, place.source.to_owned()), (SEEN, place.clock.now().to_string())];
    pod.metadata.annotations.extend(annotations.map(|(key, value)| (key.to_owned(), value)));
    pod.metadata.creation_timestamp = Some(place.clock.now().into());
    pod.metadata.uid = uid;
    Ok(pod)
}

/// The same for the same wording at the same place, so that a restarted kubelet finds its pods again.
fn uid(pod: &Pod, place: &Place) -> String {
    let mut plain = pod.clone();
    plain.metadata.uid.clear();
    let digest = Sha256::new()
        .chain_update(&place.node)
        .chain_update([0])
        .chain_update(&place.from)
        .chain_update([0])
        .chain_update(serde_json::to_vec(&plain).unwrap_or_default());
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
