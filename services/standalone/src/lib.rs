//! The `keelson` binary: every service in one process.
//!
//! [`Cluster`] wires the services of one machine together without sockets between them; [`up`] is that with a
//! person in front of it: progress, a kubeconfig, the demo, what to type next. Tests start clusters the same
//! way.

mod cluster;
mod data_dir;
mod demo;
mod hint;
mod kubeconfig;
mod progress;
mod up;

pub use self::cluster::{Cluster, ClusterConfig, RuntimeKind, StartError, StopMode, StoreChoice};
pub use self::data_dir::{DataDir, DataDirError};
pub use self::progress::Progress;
pub use self::up::{UpArgs, up};
