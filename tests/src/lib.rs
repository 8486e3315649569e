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

mod curl;
pub mod docker;
pub mod eventually;
mod grpcurl;
mod in_process;
mod kubeconfig;
mod kubectl;
mod output;
mod processes;
mod stream;
mod subject;
mod table;
mod target;
mod up;

pub use self::curl::{Answer, Curl};
pub use self::grpcurl::Grpcurl;
pub use self::in_process::InProcess;
pub use self::kubectl::{Kubectl, Session};
pub use self::output::Output;
pub use self::stream::Stream;
pub use self::subject::Subject;
pub use self::table::Table;
pub use self::target::Target;
pub use self::up::{Running, Up};
pub use keelson_api_store::testing::EtcdProcess;
