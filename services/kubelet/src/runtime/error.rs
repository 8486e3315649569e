//! What can go wrong in a runtime, as far as the kubelet acts differently on it.

/// A call to the runtime failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The runtime does not answer at all: its daemon is down, or the connection to it broke.
    #[error("cannot reach the container runtime to {operation}: {message}")]
    Unreachable {
        /// What was asked, as a verb phrase: "create container".
        operation: &'static str,
        /// The cause, in words.
        message: String,
    },
    /// The container is not there.
    #[error("no such container: {id}")]
    NotFound {
        /// Its id.
        id: String,
    },
    /// The runtime refuses: a bad option, a program that is not in the image, a host port in use.
    #[error("{operation}: {message}")]
    Refused {
        /// What was asked, as a verb phrase: "create container".
        operation: &'static str,
        /// The runtime's own words.
        message: String,
    },
    /// The runtime cannot do this at all.
    #[error("not supported by this container runtime: {0}")]
    Unsupported(String),
}

/// An image is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The image is not on this machine, and nobody asked to pull it.
    #[error("image {image:?} is not present")]
    NotPresent {
        /// The image's name.
        image: String,
    },
    /// The name cannot be an image's name.
    #[error("couldn't parse image reference {image:?}: {message}")]
    InvalidName {
        /// The name as given.
        image: String,
        /// What is wrong with it.
        message: String,
    },
    /// The registry does not give it: unreachable, unauthorized, unknown.
    #[error("failed to pull image {image:?}: {message}")]
    Pull {
        /// The image's name.
        image: String,
        /// The registry's or the runtime's words.
        message: String,
    },
    /// The runtime itself failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}
