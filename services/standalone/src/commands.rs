//! The services as processes of their own, one subcommand each.

mod api;
mod cleanup;
mod gateway;
mod kubelet;
mod replication;
mod scheduler;
mod service_proxy;
mod trace;
mod trace_sink;

pub use self::api::{ApiArgs, api};
pub use self::cleanup::{CleanupArgs, cleanup};
pub use self::gateway::{GatewayArgs, gateway};
pub use self::kubelet::{KubeletArgs, kubelet};
pub use self::replication::{ReplicationArgs, replication};
pub use self::scheduler::{SchedulerArgs, scheduler};
pub use self::service_proxy::{ServiceProxyArgs, service_proxy};
pub use self::trace::{TraceArgs, trace};
pub use self::trace_sink::{TraceSinkArgs, trace_sink};
