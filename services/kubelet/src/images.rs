//! Getting a container's image by its pull policy.

mod garbage;

pub(crate) use self::garbage::Collector;
pub use self::garbage::Thresholds;

use keelson_proto::core::Container;

use crate::plan::SetbackKind;
use crate::runtime::{Credentials, ImageError, ImageStatus, Runtime};

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PullPolicy {
    /// Before every start.
    Always,
    /// If it is not there.
    IfNotPresent,
    /// Never.
    Never,
}

/// An image that is there, and how it came.
#[derive(Debug)]
pub(crate) struct Got {
    /// The image.
    pub(crate) image: ImageStatus,
    /// Whether it was pulled just now.
    pub(crate) pulled: bool,
}

/// Why an image is not there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What kind of failure the pod shows.
    pub(crate) kind: SetbackKind,
    /// For people.
    pub(crate) message: String,
}

/// Looks for the image of `container`, and pulls it if the policy says so; `pulling` is told first.
pub(crate) async fn get(
    runtime: &dyn Runtime,
    container: &Container,
    credentials: &[Credentials],
    pulling: impl FnOnce(),
) -> Result<Got, Missing> {
    let name = container.image.as_str();
    let policy = PullPolicy::of(container);
    if policy != PullPolicy::Always {
        match runtime.image(name, None).await {
            Ok(image) => return Ok(Got { image, pulled: false }),
            Err(ImageError::NotPresent { .. }) if policy == PullPolicy::IfNotPresent => {}
            Err(error) => return Err(Missing::new(name, &error)),
        }
    }
    pulling();
    match runtime.image(name, Some(credentials)).await {
        Ok(image) => Ok(Got { image, pulled: true }),
        Err(error) => Err(Missing::new(name, &error)),
    }
}

// === impl PullPolicy ===

impl PullPolicy {
    /// The container's policy; one that says nothing follows the tag, as api's default does.
    pub(crate) fn of(container: &Container) -> Self {
        match container.image_pull_policy.as_str() {
            "Always" => Self::Always,
            "Never" => Self::Never,
            "" if is_latest(&container.image) => Self::Always,
            _ => Self::IfNotPresent,
        }
    }
}

/// Whether an image name means whatever is newest: no tag and no digest, or the tag `latest`.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    // A colon before the last slash belongs to the registry's port.
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

// === impl Missing ===

impl Missing {
    fn new(image: &str, error: &ImageError) -> Self {
        let (kind, message) = match error {
            ImageError::NotPresent { .. } => (
                SetbackKind::NeverPull,
                format!("Container image \"{image}\" is not present with pull policy of Never"),
            ),
            ImageError::InvalidName { .. } => (SetbackKind::ImageName, error.to_string()),
            ImageError::Pull { .. } | ImageError::Runtime(_) => (SetbackKind::Pull, error.to_string()),
        };
        Self { kind, message }
    }

    /// The one word for it in events.
    pub(crate) fn reason(&self) -> &'static str {
        match self.kind {
            SetbackKind::NeverPull => "ErrImageNeverPull",
            SetbackKind::ImageName => "InspectFailed",
            _ => "Failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_table() {
        use PullPolicy::{Always, IfNotPresent, Never};
        let table = [
            ("", "nginx", Always),
            ("", "nginx:latest", Always),
            ("", "nginx:1.2", IfNotPresent),
            ("", "localhost:5000/nginx", Always),
            ("", "localhost:5000/nginx:1", IfNotPresent),
            ("", "nginx@sha256:00", IfNotPresent),
            ("Always", "nginx:1.2", Always),
            ("Never", "nginx", Never),
            ("IfNotPresent", "nginx", IfNotPresent),
        ];
        for (policy, image, expected) in table {
            let container = Container {
                image: image.to_owned(),
                image_pull_policy: policy.to_owned(),
                ..Container::default()
            };
            assert_eq!(PullPolicy::of(&container), expected, "{policy} {image}");
        }
    }
}
