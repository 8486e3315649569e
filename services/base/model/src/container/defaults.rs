//! What a container's author may leave out.

use keelson_proto::core::Container;

use crate::{probe, resources};

/// Fills in what may be left out.
pub fn set_defaults(container: &mut Container) {
    if container.image_pull_policy.is_empty() {
        container.image_pull_policy = default_pull_policy(&container.image).to_owned();
    }
    if container.termination_message_path.is_empty() {
        container.termination_message_path = "/dev/termination-log".to_owned();
    }
    if container.termination_message_policy.is_empty() {
        container.termination_message_policy = "File".to_owned();
    }
    for port in &mut container.ports {
        if port.protocol.is_empty() {
            port.protocol = "TCP".to_owned();
        }
    }
    set_env_defaults(container);
    let probes =
        [&mut container.liveness_probe, &mut container.readiness_probe, &mut container.startup_probe];
    for probe in probes.into_iter().flatten() {
        probe::set_defaults(probe);
    }
    if let Some(lifecycle) = &mut container.lifecycle {
        probe::set_lifecycle_defaults(lifecycle);
    }
    resources::set_defaults(&mut container.resources);
}

fn set_env_defaults(container: &mut Container) {
    for source in container.env.iter_mut().filter_map(|var| var.value_from.as_mut()) {
        if let Some(reference) = &mut source.field_ref
            && reference.api_version.is_empty()
        {
            reference.api_version = "v1".to_owned();
        }
        if let Some(reference) = &mut source.resource_field_ref
            && reference.divisor.string.is_empty()
        {
            reference.divisor.string = "0".to_owned();
        }
    }
}

/// When an image is pulled if nobody says: always for one that is `latest` (or has neither tag nor digest,
/// which means the same), else only if the node lacks it.
pub fn default_pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    // A colon before a slash belongs to the registry's port.
    let last = name.rsplit('/').next().unwrap_or(name);
    match (last.split_once(':').map(|(_, tag)| tag), digest) {
        (Some("latest"), _) | (None, None) => "Always",
        _ => "IfNotPresent",
    }
}
