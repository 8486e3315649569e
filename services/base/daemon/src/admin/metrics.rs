//! What a process counts, for Prometheus to scrape.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::get;
use http::{StatusCode, header};
use prometheus_client::encoding::text;
use prometheus_client::metrics::family::MetricConstructor;
use prometheus_client::registry::{Metric, Registry};

use super::process::ProcessCollector;

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;

/// The labels of one metric of a family. Few values each: every combination lives for ever.
pub type Labels = Vec<(&'static str, String)>;

/// Histograms told apart by labels, all with the same buckets.
pub type HistogramFamily = Family<Labels, Histogram, Buckets>;

/// The media type of `/metrics` (OpenMetrics 1.0).
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The upper bounds of a histogram's buckets.
#[derive(Clone, Debug)]
pub struct Buckets(Arc<[f64]>);

/// A registry of metrics. Clones are the same registry.
///
/// Names are Prometheus' (`apiserver_request_total` is registered as `apiserver_request`: counters get their suffix
/// when written), helps are one sentence without its full stop. A name must be registered once only.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

// === impl Metrics ===

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self { registry: Arc::default() }
    }

    /// Adds the `process_*` metrics: CPU time, memory, file descriptors, start time. Once per process.
    #[must_use]
    pub fn with_process(self) -> Self {
        self.registry().register_collector(Box::new(ProcessCollector));
        self
    }

    /// Something that only grows.
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        self.register(name, help, Counter::default())
    }

    /// Counters told apart by labels.
    pub fn counter_family(&self, name: &str, help: &str) -> Family<Labels, Counter> {
        self.register(name, help, Family::default())
    }

    /// Something that goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(name, help, Gauge::default())
    }

    /// Gauges told apart by labels.
    pub fn gauge_family(&self, name: &str, help: &str) -> Family<Labels, Gauge> {
        self.register(name, help, Family::default())
    }

    /// How observations are spread; `buckets` are upper bounds, ascending, infinity is added.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.register(name, help, Histogram::new(buckets.iter().copied()))
    }

    /// Histograms told apart by labels.
    pub fn histogram_family(&self, name: &str, help: &str, buckets: &[f64]) -> HistogramFamily {
        self.register(name, help, Family::new_with_constructor(Buckets(buckets.into())))
    }

    /// Any other metric of prometheus-client.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        self.registry().register(name, help, metric.clone());
        metric
    }

    /// All metrics in the OpenMetrics text format.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry())?;
        Ok(text)
    }

    /// `/metrics`.
    pub fn router(&self) -> Router {
        let metrics = self.clone();
        let serve = move || async move {
            match metrics.encode() {
                Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, CONTENT_TYPE)], text),
                Err(_) => {
                    let sorry = "a metric could not be written\n".to_owned();
                    (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], sorry)
                }
            }
        };
        Router::new().route("/metrics", get(serve))
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

// === impl Buckets ===

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}
