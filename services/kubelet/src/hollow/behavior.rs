//! What a container that does not exist does.

use std::time::Duration;

use crate::runtime::{ContainerSpec, ImageError, ImageStatus};

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behavior {
    Run,
    Exit { code: i32, after: Duration },
    Stubborn,
    Unstartable,
}

// === impl Behavior ===

impl Behavior {
    /// Reads it from the command's first word, or from the image's last component.
    pub(super) fn of(spec: &ContainerSpec) -> Self {
        let image = spec.image.rsplit('/').next().unwrap_or_default();
        Self::of_word(spec.command.first().map_or(image, String::as_str))
    }

    /// What this word tells a container or a command to do.
    pub(super) fn of_word(word: &str) -> Self {
        let mut parts = word.split(':');
        match parts.next() {
            Some("exit") => {
                let code = parts.next().and_then(|code| code.parse().ok()).unwrap_or(0);
                let after = parts.next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
                Self::Exit { code, after: Duration::from_secs(after) }
            }
            Some("stubborn") => Self::Stubborn,
            Some("unstartable") => Self::Unstartable,
            _ => Self::Run,
        }
    }
}

/// Every image is there, but for the one that never is.
pub(super) fn image(image: &str, pull: bool) -> Result<ImageStatus, ImageError> {
    let image = image.to_owned();
    if image.is_empty() || image.contains(char::is_whitespace) {
        return Err(ImageError::InvalidName { image, message: "invalid reference format".to_owned() });
    }
    let absent = image.rsplit('/').next().is_some_and(|last| last.starts_with("unpullable"));
    match (absent, pull) {
        (true, true) => Err(ImageError::Pull { image, message: "there is no such image".to_owned() }),
        (true, false) => Err(ImageError::NotPresent { image }),
        (false, _) => Ok(ImageStatus { id: format!("hollow:{image}"), size: 0, user: String::new() }),
    }
}
