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
//! | [`admission`] | whether the node takes a pod |
//! | `pods`, `worker`, `mailbox` | one task per pod |
//! | `source`, `feed` | what drives them: api's pods, the runtime's events |
//! | `node` | the kubelet's own Node and Lease |
//! | `server`, `logs` | the gRPC service `keelson.v1.Kubelet` |

pub mod admission;
mod cleanup;
pub mod clock;
mod config;
pub mod container;
pub mod env;
mod feed;
pub mod hollow;
mod images;
mod kubelet;
mod logs;
mod mailbox;
mod meter;
mod node;
pub mod plan;
mod pods;
pub mod runtime;
mod server;
mod source;
pub mod status;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod volume;
mod worker;

pub use self::cleanup::remove_all;
pub use self::config::{Config, Flags, MAX_PODS, PORT};
pub use self::kubelet::{BuildError, Kubelet};
pub use self::server::Service;
