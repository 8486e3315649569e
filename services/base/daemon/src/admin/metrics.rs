//! What a process counts, for Prometheus to scrape.

mod labels;
mod plain;
mod reading;

pub use self::labels::{Labels, Tag, Tags};
pub use self::reading::Readings;

use std::any::Any;
use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::MetricConstructor;
use prometheus_client::registry::{Metric, Registry};

use super::process::ProcessCollector;

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;

/// Histograms told apart by labels, all with the same buckets.
pub type HistogramFamily<L = Labels> = Family<L, Histogram, Buckets>;

/// Bounds for durations in seconds, from a quarter of a millisecond to half a minute: those of a call.
pub const CALL_SECONDS: [f64; 15] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Bounds for durations in seconds, from a tenth of a second to ten minutes: those of work that somebody waits for.
pub const WORK_SECONDS: [f64; 13] =
    [0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 180.0, 600.0];

/// The media type of OpenMetrics.
const OPENMETRICS: &str = "application/openmetrics-text";

/// The same with what is to be said of it.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The upper bounds of a histogram's buckets.
#[derive(Clone, Debug)]
pub struct Buckets(Arc<[f64]>);

/// A registry of metrics. Clones are the same registry.
///
/// Names are Prometheus' (`apiserver_request_total` is registered as `apiserver_request`: counters get their suffix
/// when written), helps are one sentence without its full stop. A name asked for again is the same metric: services
/// that share a process, or several of the same kind, count together.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    registry: Registry,
    /// What was registered, by name.
    known: HashMap<String, Box<dyn Any + Send>>,
}

/// What tells metrics of a family apart.
pub trait LabelSet: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static {}

impl<L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static> LabelSet for L {}

// === impl Metrics ===

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self { inner: Arc::default() }
    }

    /// Adds what every process tells: `process_*` (CPU time, memory, file descriptors, start time) and
    /// `keelson_build_info`. Once per process.
    #[must_use]
    pub fn with_process(self) -> Self {
        self.inner().registry.register_collector(Box::new(ProcessCollector));
        let build = self.gauge_family("keelson_build_info", "What runs; always 1");
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        self
    }

    /// Something that only grows.
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        self.register(name, help, Counter::default())
    }

    /// Counters told apart by labels.
    pub fn counter_family<L: LabelSet>(&self, name: &str, help: &str) -> Family<L, Counter> {
        self.register(name, help, Family::default())
    }

    /// Something that goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(name, help, Gauge::default())
    }

    /// Gauges told apart by labels.
    pub fn gauge_family<L: LabelSet>(&self, name: &str, help: &str) -> Family<L, Gauge> {
        self.register(name, help, Family::default())
    }

    /// Gauges that are read when scraped.
    pub fn readings(&self, name: &str, help: &str) -> Readings {
        self.register(name, help, Readings::new(false))
    }

    /// Counters that are read when scraped.
    pub fn growing_readings(&self, name: &str, help: &str) -> Readings {
        self.register(name, help, Readings::new(true))
    }

    /// How observations are spread; `buckets` are upper bounds, ascending, infinity is added.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.register(name, help, Histogram::new(buckets.iter().copied()))
    }

    /// Histograms told apart by labels.
    pub fn histogram_family<L: LabelSet>(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> HistogramFamily<L> {
        self.register(name, help, Family::new_with_constructor(Buckets(buckets.into())))
    }

    /// Any other metric of prometheus-client. If the name is taken by one of another sort, the new one counts unseen,
    /// and an error is logged.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        let mut inner = self.inner();
        if let Some(known) = inner.known.get(name) {
            return known.downcast_ref::<M>().cloned().unwrap_or_else(|| {
                tracing::error!(name, "two metrics of different sorts have this name");
                metric
            });
        }
        inner.registry.register(name, help, metric.clone());
        inner.known.insert(name.to_owned(), Box::new(metric.clone()));
        metric
    }

    /// All metrics in the OpenMetrics text format.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.inner().registry)?;
        Ok(text)
    }

    /// `/metrics`: OpenMetrics for those who ask for it, as Prometheus does, and its older format for all others.
    pub fn router(&self) -> Router {
        let metrics = self.clone();
        let serve = move |headers: HeaderMap| async move {
            match metrics.encode() {
                Ok(text) if accepts_openmetrics(&headers) => {
                    (StatusCode::OK, [(header::CONTENT_TYPE, CONTENT_TYPE)], text)
                }
                Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, plain::CONTENT_TYPE)], plain::of(&text)),
                Err(_) => {
                    let sorry = "a metric could not be written\n".to_owned();
                    (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], sorry)
                }
            }
        };
        Router::new().route("/metrics", get(serve))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Debug for Metrics {
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

fn accepts_openmetrics(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|range| range.trim().starts_with(OPENMETRICS))
}
