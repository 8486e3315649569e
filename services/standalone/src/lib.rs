//! The `keelson` binary: every service as a process of its own, or all of them in one.
//!
//! `commands` has one file for each service: flags, client, service, port; what they share is in `service`.
//! [`Cluster`] wires the services of one machine together without sockets between them; [`up`] is that with a
//! person in front of it: progress, a kubeconfig, the demo, what to type next. Tests start clusters the same
//! way.

mod cluster;
mod commands;
mod data_dir;
mod demo;
mod duration;
mod hint;
mod kubeconfig;
mod kubelets;
mod node_name;
mod pki;
mod port;
mod progress;
mod proxy;
mod runtime;
mod service;
mod store;
mod up;
mod who;

pub use self::cluster::{Cluster, ClusterConfig, StartError, StopMode};
pub use self::commands::{
    ApiArgs, CleanupArgs, GatewayArgs, KubeletArgs, ReplicationArgs, SchedulerArgs, ServiceProxyArgs,
    TraceArgs, TraceSinkArgs, api, cleanup, gateway, kubelet, replication, scheduler, service_proxy, trace,
    trace_sink,
};
pub use self::data_dir::{DataDir, DataDirError};
pub use self::pki::{PkiArgs, pki};
pub use self::progress::Progress;
pub use self::runtime::{EngineError, RuntimeFlags, RuntimeKind};
pub use self::store::{OpenError, StoreChoice, StoreFlags};
pub use self::up::{UpArgs, up};
