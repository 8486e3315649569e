//! A cluster on demand, and the suites that run against any target.
//!
//! The suites (`tests/suites`) are written against a [`Target`]: a server of the v1 API and an administrator's
//! way into it. It is a hollow cluster in the test's own process ([`InProcess`]), a whole `keelson up` in a
//! process of its own ([`Up`]), or, with `KEELSON_TARGET=<kubeconfig>`, any server at all. They drive it as
//! people do: with [`Kubectl`] binaries of every age, [`Grpcurl`] and plain HTTP ([`Curl`]).
//!
//! Everything here fails by panicking, with what was asked and what came back: its callers are tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails by panicking: its callers are tests"
)]

mod compose;
mod curl;
pub mod docker;
mod dockerd;
pub mod eventually;
mod grpcurl;
pub mod helm;
mod in_process;
mod kubeconfig;
mod kubectl;
mod network;
mod output;
mod processes;
pub mod prometheus;
mod python;
mod stack;
mod stream;
mod subject;
mod table;
mod target;
mod trace_sink;
mod up;

pub use self::compose::Compose;
pub use self::curl::{Answer, Curl};
pub use self::dockerd::Dockerd;
pub use self::grpcurl::Grpcurl;
pub use self::helm::Helm;
pub use self::in_process::InProcess;
pub use self::kubectl::{Kubectl, Session};
pub use self::network::Network;
pub use self::output::Output;
pub use self::prometheus::Prometheus;
pub use self::python::Python;
pub use self::stack::{Part, Stack, StackConfig};
pub use self::stream::Stream;
pub use self::subject::Subject;
pub use self::table::Table;
pub use self::target::Target;
pub use self::trace_sink::TraceSink;
pub use self::up::{Running, Up, binary as keelson};
pub use keelson_api_store::testing::EtcdProcess;
