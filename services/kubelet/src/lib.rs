//! Runs the pods of one node through a container runtime.
//!
//! ```text
//! api ── source ──┐                        ┌── plan (pure) ── status (pure)
//!                 ├── pods ── worker × pod ┤
//! runtime ─ feed ─┘                        └── runtime, volume, api
//! ```
//! | module | noun |
//! |---|---|
//! | [`runtime`] | the seam: what is asked of Docker, or of what stands in for it |
//! | [`hollow`] | a runtime that runs nothing, for scale and for tests |
//! | [`plan`] | what to do for a pod now: a pure function |
//! | [`status`] | what to say of a pod now: a pure function |
//! | [`container`], [`mod@env`], [`volume`] | from a pod's definition to what the runtime is asked to make |
//! | [`objects`] | the config maps, secrets and claims that pods refer to |
//! | [`admission`] | whether the node takes a pod |
//! | `pods`, `worker`, `mailbox` | one task per pod |
//! | `probe`, `hooks` | doing what probes and lifecycle hooks say |
//! | `static_pods` | pods from manifests, and their mirrors |
//! | `source`, `feed` | what drives them: api's pods, the runtime's events |
//! | `eviction` | making room when the node runs short |
//! | `housekeeping` | dead containers beyond what is kept |
//! | `node` | the kubelet's own Node and Lease |
//! | `server`, `streams`, `logs` | the gRPC service `keelson.v1.Kubelet` |
//! | [`stats`] | what the node, its pods and their containers use |
//! | `http` | 1.0's paths, and the statistics' |

pub mod admission;
mod cleanup;
pub mod clock;
mod config;
pub mod container;
mod credentials;
pub mod env;
mod eviction;
mod feed;
pub mod hollow;
mod hooks;
mod housekeeping;
mod http;
mod images;
mod kubelet;
mod logs;
mod mailbox;
mod meter;
mod node;
pub mod objects;
pub mod plan;
mod pods;
mod probe;
pub mod runtime;
mod server;
mod source;
mod static_pods;
pub mod stats;
pub mod status;
mod streams;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod volume;
mod worker;

pub use self::cleanup::remove_all;
pub use self::config::{Config, Flags, MAX_PODS, PORT};
pub use self::images::Thresholds as ImageThresholds;
pub use self::kubelet::{BuildError, Kubelet};
pub use self::node::{Threshold as EvictionThreshold, Thresholds as EvictionThresholds};
pub use self::server::Service;
pub use self::static_pods::Sources as StaticSources;
