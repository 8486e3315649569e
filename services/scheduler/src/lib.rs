//! Puts pods on nodes.
//!
//! | module | noun |
//! |---|---|
//! | [`decision`] | which node a pod goes to: predicates, priorities, algorithms; pure |
//! | [`snapshot`] | the cluster as the decision sees it, kept current change by change; pure |
//! | [`pod`] | a pod with its needs added up |
//! | `queue` | pods that have no node yet: ready, backing off, or waiting for something to change |
//! | `state` | snapshot and queue together: what to do after each change; pure |
//! | `driver` | informers → state → binds, events and conditions |
//! | `grpc` | `Schedule` and `Explain` |
//! | `meter` | what is counted |
//!
//! A pod is assumed on its node as soon as that is chosen, and bound in a task of its own, so that many binds are in
//! flight and the next decision already counts them.

mod config;
pub mod decision;
mod driver;
mod grpc;
mod meter;
pub mod pod;
mod queue;
mod scheduler;
pub mod snapshot;
mod state;

#[cfg(test)]
mod testing;

pub use self::config::{Config, Provider};
pub use self::scheduler::{BuildError, Scheduler};
