//! What a runtime shows: containers with their identity, images, events.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

/// The pod a container belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodRef {
    /// The pod's uid: two pods of one name are two pods.
    pub uid: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
}

/// What a container is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Holds the pod's network and IPC; its container name is `POD`.
    Infra,
    /// Runs once, before the app containers.
    Init,
    /// An app container.
    App,
}

/// Everything that the kubelet wants to know of a container after a restart; a runtime stores it as labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The pod.
    pub pod: PodRef,
    /// The container's name in the pod's spec, `POD` for infra.
    pub container: String,
    /// Its role.
    pub role: Role,
    /// How many containers of this name the pod had before.
    pub attempt: u32,
    /// Hash of the part of the spec it was made from: another hash means it must be made anew.
    pub hash: String,
    /// The pod's termination grace period, for when the pod is no longer known.
    pub grace: Duration,
}

/// A container as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedContainer {
    /// The runtime's id, without scheme.
    pub id: String,
    /// Whose it is.
    pub identity: Identity,
    /// The image name it was created with.
    pub image: String,
    /// Id or digest of the image.
    pub image_id: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether it runs.
    pub state: ContainerState,
    /// The pod's addresses; on a running infra container with a network of its own, else empty.
    pub addresses: Vec<IpAddr>,
}

/// Whether a container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, and never started.
    Created,
    /// Running (or paused).
    Running {
        /// Since when.
        started_at: Timestamp,
    },
    /// Ended.
    Exited(Exit),
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// When it was started; absent if it never was.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Exit code; 128 + n after signal n.
    pub code: i32,
    /// Whether the kernel killed it for want of memory.
    pub oom_killed: bool,
    /// The runtime's error, if it could not be started; else empty.
    pub error: String,
}

/// Something happened to containers of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeEvent {
    /// The subscription stands: whatever happens from now on is delivered.
    Connected,
    /// A container was started.
    Started {
        /// Its id.
        id: String,
        /// Uid of its pod.
        pod_uid: String,
    },
    /// A container ended, for whatever reason.
    Died {
        /// Its id.
        id: String,
        /// Uid of its pod.
        pod_uid: String,
    },
    /// A container was removed.
    Removed {
        /// Its id.
        id: String,
        /// Uid of its pod.
        pod_uid: String,
    },
}

/// An image on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageStatus {
    /// Its id (`sha256:…`) or repository digest.
    pub id: String,
    /// Size in bytes.
    pub size: u64,
    /// The user that the image runs as; empty is root.
    pub user: String,
}

/// A runtime introduces itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeInfo {
    /// The scheme of container ids and the name in the node's status: `docker`.
    pub name: String,
    /// The runtime's version, without prefix.
    pub version: String,
    /// The operating system as the runtime reports it (`Debian GNU/Linux 12`); may be empty.
    pub os_image: String,
}
