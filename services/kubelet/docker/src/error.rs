//! What can go wrong with Docker, and how it looks to the kubelet.

use std::error::Error as _;

use bollard::errors::Error as Cause;
use keelson_kubelet::runtime::RuntimeError;

/// Docker cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// Nothing answers at the endpoint.
    #[error(
        "Docker does not answer at {endpoint}: is it running, and may this user open its socket? ({message})"
    )]
    Unreachable {
        /// Where it was asked.
        endpoint: String,
        /// The cause, in words.
        message: String,
    },
    /// The endpoint is not a unix socket.
    #[error(
        "cannot reach Docker at {0:?}: only unix sockets are supported, as in unix:///var/run/docker.sock"
    )]
    Endpoint(String),
    /// An image could not be made or loaded.
    #[error("cannot load image {image} into Docker: {message}")]
    Load {
        /// The image's name.
        image: String,
        /// The cause, in words.
        message: String,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] RuntimeError),
}

/// Turns a failed call into the kubelet's error. `operation` is a verb phrase.
pub(crate) fn failed(operation: &'static str) -> impl Fn(Cause) -> RuntimeError {
    move |cause| match &cause {
        Cause::DockerResponseServerError { message, .. } | Cause::DockerStreamError { error: message } => {
            RuntimeError::Refused { operation, message: message.clone() }
        }
        _ => RuntimeError::Unreachable { operation, message: in_words(&cause) },
    }
}

/// As [`failed`], for calls about one container: 404 means that it is gone.
pub(crate) fn failed_on<'a>(operation: &'static str, id: &'a str) -> impl Fn(Cause) -> RuntimeError + 'a {
    move |cause| match status(&cause) {
        Some(404) => RuntimeError::NotFound { id: id.to_owned() },
        _ => failed(operation)(cause),
    }
}

/// The status that Docker answered with, if it did.
pub(crate) fn status(cause: &Cause) -> Option<u16> {
    match cause {
        Cause::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The error and its innermost cause: the outer ones of an HTTP client say little.
pub(crate) fn in_words(cause: &Cause) -> String {
    match cause {
        Cause::DockerResponseServerError { message, .. } | Cause::DockerStreamError { error: message } => {
            message.clone()
        }
        Cause::RequestTimeoutError => "no answer in time".to_owned(),
        _ => {
            let mut innermost = cause.to_string();
            let mut source = cause.source();
            while let Some(error) = source {
                innermost = error.to_string();
                source = error.source();
            }
            innermost
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status_code: u16) -> Cause {
        Cause::DockerResponseServerError { status_code, message: "port is already allocated".into() }
    }

    #[test]
    fn refusals_keep_dockers_words() {
        let error = failed("start container")(answered(500));
        assert_eq!(error.to_string(), "start container: port is already allocated");
    }

    #[test]
    fn a_missing_container_is_told_apart() {
        assert_eq!(failed_on("stop", "abc")(answered(404)), RuntimeError::NotFound { id: "abc".into() });
        assert!(matches!(failed_on("stop", "abc")(answered(409)), RuntimeError::Refused { .. }));
    }

    #[test]
    fn silence_is_unreachable() {
        let error = failed("list containers")(Cause::RequestTimeoutError);
        assert_eq!(
            error.to_string(),
            "cannot reach the container runtime to list containers: no answer in time"
        );
    }
}
