//! Spans on their way to a collector (OTLP/gRPC).
//!
//! Recording puts a span into a bounded queue and returns; one task per service takes them out, a batch at a time. What
//! does not fit is dropped and counted: a collector that is slow, or not there, holds nobody up.

mod batches;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::sync::{mpsc, oneshot};
use tonic::transport::{Channel, Endpoint};

use self::batches::Batches;
use super::{SpanRecord, SpanSink, Tracer};
use crate::admin::{Counter, Metrics};
use crate::flags::TraceFlags;

/// Spans of one service that may wait.
const QUEUE: usize = 8192;

/// How long a batch may take to be sent, and connecting.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long [`Tracing::flush`] waits.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The spans of a process on their way to a collector, or nowhere. Clones are the same.
#[derive(Clone, Default)]
pub struct Tracing {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    channel: Channel,
    ratio: f64,
    host: String,
    counts: Counts,
    /// The services that have been asked for.
    services: Mutex<BTreeMap<(String, String), Service>>,
}

struct Service {
    tracer: Tracer,
    flush: mpsc::Sender<oneshot::Sender<()>>,
}

/// What became of spans.
#[derive(Clone)]
struct Counts {
    exported: Counter,
    dropped: Counter,
}

/// Where recorded spans wait.
struct Queue {
    spans: mpsc::Sender<SpanRecord>,
    dropped: Counter,
}

/// A collector that cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It is no URL, or of another scheme.
    #[error("--otlp-endpoint {0:?} is not an address such as http://127.0.0.1:4317")]
    Malformed(String),
    /// Its exporter cannot be set up.
    #[error("cannot export spans to {endpoint}")]
    Exporter {
        /// The collector's address.
        endpoint: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

// === impl Tracing ===

impl Tracing {
    /// Spans go nowhere.
    pub fn off() -> Self {
        Self::default()
    }

    /// Sends spans where `flags` say, and counts them in `metrics`. Nothing is connected before there are spans.
    ///
    /// Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// If the endpoint is no address.
    pub fn start(flags: &TraceFlags, metrics: &Metrics) -> Result<Self, EndpointError> {
        let Some(endpoint) = flags.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) else {
            return Ok(Self::off());
        };
        let malformed = || EndpointError::Malformed(endpoint.to_owned());
        let address = endpoint.strip_prefix("http://").ok_or_else(malformed)?;
        let has_port = address
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.trim_end_matches('/').parse::<u16>().is_ok());
        let channel = Endpoint::from_shared(endpoint.to_owned()).map_err(|_| malformed())?;
        if !has_port {
            return Err(malformed());
        }
        let counts = Counts {
            exported: metrics.counter("keelson_trace_spans_exported", "Spans that the collector has taken"),
            dropped: metrics.counter(
                "keelson_trace_spans_dropped",
                "Spans that were lost because the collector is slow or away",
            ),
        };
        let inner = Inner {
            channel: channel.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true).connect_lazy(),
            ratio: flags.trace_sample,
            host: host_name(),
            counts,
            services: Mutex::default(),
        };
        let tracing = Self { inner: Some(Arc::new(inner)) };
        // What is wrong with the exporter's setup is told now, not by the first service.
        tracing.try_tracer("process", "")?;
        Ok(tracing)
    }

    /// The tracer of one service of this process: its spans are those of `keelson-<service>`.
    pub fn tracer(&self, service: &str) -> Tracer {
        self.tracer_of(service, "")
    }

    /// The same of a service of which there may be several here, such as the kubelets of several nodes.
    pub fn tracer_of(&self, service: &str, instance: &str) -> Tracer {
        self.try_tracer(service, instance).unwrap_or_else(|error| {
            tracing::error!(%error, service, "no spans are recorded");
            Tracer::off()
        })
    }

    /// Sends what has been recorded so far; gives up after three seconds. For when the services have stopped.
    pub async fn flush(&self) {
        let Some(inner) = &self.inner else { return };
        let flushes: Vec<_> = inner.services().values().map(|service| service.flush.clone()).collect();
        let all = futures::future::join_all(flushes.into_iter().map(|flush| async move {
            let (done, flushed) = oneshot::channel();
            if flush.send(done).await.is_ok() {
                // An exporter that is gone has nothing left.
                let _ = flushed.await;
            }
        }));
        if tokio::time::timeout(FLUSH_TIMEOUT, all).await.is_err() {
            tracing::warn!("the last spans are lost: the collector does not answer");
        }
    }

    fn try_tracer(&self, service: &str, instance: &str) -> Result<Tracer, EndpointError> {
        let Some(inner) = &self.inner else { return Ok(Tracer::off()) };
        let mut services = inner.services();
        let key = (service.to_owned(), instance.to_owned());
        if let Some(known) = services.get(&key) {
            return Ok(known.tracer.clone());
        }
        let added = inner.service(service, instance)?;
        let tracer = added.tracer.clone();
        services.insert(key, added);
        Ok(tracer)
    }
}

impl std::fmt::Debug for Tracing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracing").field("on", &self.inner.is_some()).finish()
    }
}

// === impl Inner ===

impl Inner {
    fn services(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn service(&self, service: &str, instance: &str) -> Result<Service, EndpointError> {
        let mut exporter = SpanExporter::builder()
            .with_tonic()
            .with_channel(self.channel.clone())
            .with_timeout(EXPORT_TIMEOUT)
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|source| EndpointError::Exporter {
                endpoint: "the collector".to_owned(),
                source: source.into(),
            })?;
        exporter.set_resource(&self.resource(service, instance));
        let (spans, queue) = mpsc::channel(QUEUE);
        let (flush, flushes) = mpsc::channel(1);
        tokio::spawn(Batches { exporter, queue, flushes, counts: self.counts.clone(), failing: false }.run());
        let queue = Queue { spans, dropped: self.counts.dropped.clone() };
        Ok(Service { tracer: Tracer::sampling(queue, self.ratio), flush })
    }

    /// Who records: OpenTelemetry's names for it.
    fn resource(&self, service: &str, instance: &str) -> Resource {
        let instance = match instance {
            "" => format!("{}:{}", self.host, std::process::id()),
            name => name.to_owned(),
        };
        Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", format!("keelson-{service}")),
                KeyValue::new("service.instance.id", instance),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("host.name", self.host.clone()),
            ])
            .build()
    }
}

// === impl Queue ===

impl SpanSink for Queue {
    fn record(&self, span: SpanRecord) {
        if self.spans.try_send(span).is_err() {
            self.dropped.inc();
        }
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
