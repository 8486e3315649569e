//! The Docker runtime of the kubelet: the one crate that names bollard.
//!
//! [`Docker`] is an engine that answers; [`Docker::runtime`] gives one node of one cluster its
//! [`Runtime`](keelson_kubelet::runtime::Runtime). All state is in Docker: every container carries its
//! identity and its owner (cluster and node) as labels, so nodes and clusters share an engine without seeing
//! each other, and a kubelet that was killed finds its containers again. Images that Keelson needs are made
//! here and loaded into the engine, so that no registry is needed.

mod docker;
mod error;
mod hijack;
mod image;
mod labels;
mod reference;
mod runtime;
mod traced;

pub use self::docker::Docker;
pub use self::error::DockerError;
pub use self::image::{DEMO_IMAGE, ImageConfig, ImageFile, PAUSE_IMAGE};
pub use self::runtime::DockerRuntime;

#[cfg(test)]
mod tests;
