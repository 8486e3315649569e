//! What operators and orchestrators ask a process: does it live, is it ready, what does it count.
//!
//! [`Health`] and [`Metrics`] are values that `main` makes and services add to; [`router`] serves both over HTTP, and
//! [`Health::grpc_service`] serves the same health over gRPC.

mod grpc;
mod health;
mod metrics;
mod probes;
mod process;

pub use self::grpc::HealthService;
pub use self::health::{Health, Latch};
pub use self::metrics::{
    CALL_SECONDS, Counter, Family, Gauge, Histogram, HistogramFamily, LabelSet, Labels, Metrics, Readings,
    Tag, Tags, WORK_SECONDS,
};

use axum::Router;

/// `/healthz`, `/livez`, `/readyz` and `/metrics`.
pub fn router(health: &Health, metrics: &Metrics) -> Router {
    health.router().merge(metrics.router())
}

#[cfg(test)]
mod tests;
