//! The seam to the container runtime: what the kubelet asks of Docker, or of anything that stands in for it.
//!
//! Plain data in Kubernetes' terms. A runtime keeps no memory of its own beside its containers: every container carries
//! its [`Identity`] (as labels), and a kubelet that starts anew learns all it needs from [`Runtime::list`]. A runtime
//! value belongs to one cluster and one node; it shows and touches only containers that are labelled with both.

mod credentials;
mod error;
mod observed;
mod spec;
mod streams;
mod usage;

pub use self::credentials::Credentials;
pub use self::error::{ImageError, RuntimeError};
pub use self::observed::{
    ContainerState, Exit, Identity, ImageStatus, ObservedContainer, PodRef, Role, RuntimeEvent, RuntimeInfo,
};
pub use self::spec::{
    ContainerSpec, Dns, Infra, LogLimits, Mount, MountSource, PodNetwork, PortMapping, Process, Propagation,
    Resources, Seccomp, Security,
};
pub use self::streams::{Connection, Control, Output, Ran, RunError, Session, Streams, Wanted, run};
pub use self::usage::{Holdings, Image, Interface, Measurement, Memory};

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;

/// A container runtime, as one node of one cluster sees it.
///
/// Every call may be made at any time and from several tasks; those about one container's life come one after the other.
pub trait Runtime: Streams + Holdings {
    /// Name and version, for the node's status. Fails if the runtime does not answer.
    fn info(&self) -> BoxFuture<'_, Result<RuntimeInfo, RuntimeError>>;

    /// All containers of this node, running or dead, infra included; of one pod only, if a pod's uid is given.
    fn list<'a>(
        &'a self,
        pod_uid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<ObservedContainer>, RuntimeError>>;

    /// What happens to this node's containers. The first item is [`RuntimeEvent::Connected`]: from there on nothing is
    /// missed. Ends after an error; the caller subscribes again and lists.
    fn events(&self) -> BoxStream<'static, Result<RuntimeEvent, RuntimeError>>;

    /// Looks up an image; with `pull`, fetches it from its registry first, present or not, with the first of these
    /// credentials that the registry accepts, or as nobody if there are none. Policy is the caller's.
    fn image<'a>(
        &'a self,
        image: &'a str,
        pull: Option<&'a [Credentials]>,
    ) -> BoxFuture<'a, Result<ImageStatus, ImageError>>;

    /// Creates a container and starts it. If it was created but could not start, it is left behind as
    /// [`ContainerState::Exited`], to be seen by `list`, and the error says why.
    fn start(&self, spec: ContainerSpec) -> BoxFuture<'_, Result<ObservedContainer, RuntimeError>>;

    /// Asks a container to end (its stop signal), kills it after `grace`, and returns when it runs no more. A
    /// container that does not run, or is gone, is a success.
    fn stop<'a>(&'a self, id: &'a str, grace: Duration) -> BoxFuture<'a, Result<(), RuntimeError>>;

    /// Removes a container that does not run, its writable layer and its log. Gone already is a success.
    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>>;

    /// The log of a container, standard output and error interleaved as written; with `follow`, until it ends.
    fn logs(&self, id: &str, options: LogOptions) -> BoxStream<'static, Result<Bytes, RuntimeError>>;
}

/// Which part of a log to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on while the container runs.
    pub follow: bool,
    /// Only the last lines; all if absent.
    pub tail: Option<u64>,
    /// Only what was written at this time or later.
    pub since: Option<Timestamp>,
    /// Begin every line with the time (RFC 3339, nanoseconds) at which it was written.
    pub timestamps: bool,
    /// Only what was written to one of the outputs; both if absent. A container with a terminal has but one, the first.
    pub only: Option<LogStream>,
}

/// One of a container's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
