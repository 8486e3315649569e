//! What clients and queues count, under the names that client-go gives them.

use std::time::Duration;

use keelson_base_daemon::admin::{CALL_SECONDS, Counter, Family, Histogram, HistogramFamily, Metrics, Tags};

/// Bounds for what a control loop does with one key, in seconds: mostly short, and sometimes long.
const LOOP_SECONDS: [f64; 12] = [0.000_01, 0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

/// Counts the calls of a client.
#[derive(Clone, Debug)]
pub(crate) struct CallMeter {
    calls: Family<Tags<2>, Counter>,
    seconds: HistogramFamily<Tags<1>>,
}

/// Counts what goes through a work queue.
#[derive(Clone, Debug)]
pub(crate) struct QueueMeter {
    /// Keys that were added and did not wait already.
    pub(crate) adds: Counter,
    /// Keys that came back because they failed.
    pub(crate) retries: Counter,
    /// How long keys waited for a worker.
    pub(crate) waited: Histogram,
    /// How long workers held them.
    pub(crate) worked: Histogram,
}

// === impl CallMeter ===

impl CallMeter {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            calls: metrics.counter_family(
                "rest_client_requests",
                "Calls to api, by the HTTP code and method they amount to",
            ),
            seconds: metrics.histogram_family(
                "rest_client_request_duration_seconds",
                "Time until api answered a call, or a stream began",
                &CALL_SECONDS,
            ),
        }
    }

    /// A call of a gRPC method was answered with what is this code in HTTP.
    pub(crate) fn answered(&self, method: &str, code: u16, after: Duration) {
        let verb = http_method(method);
        self.calls.get_or_create(&[("code", code.into()), ("method", verb.into())]).inc();
        self.seconds.get_or_create(&[("verb", verb.into())]).observe(after.as_secs_f64());
    }
}

/// The HTTP method that a gRPC method is to clients of the gateway.
fn http_method(method: &str) -> &'static str {
    match method {
        "Get" | "List" | "ListStream" | "Watch" | "Log" | "GetScale" => "GET",
        "Update" | "UpdateStatus" | "Finalize" | "UpdateScale" => "PUT",
        "Patch" | "PatchScale" => "PATCH",
        "Delete" | "DeleteCollection" => "DELETE",
        _ => "POST",
    }
}

// === impl QueueMeter ===

impl QueueMeter {
    /// The meter of the queue `name`.
    pub(crate) fn new(metrics: &Metrics, name: &'static str) -> Self {
        let tags: Tags<1> = [("name", name.into())];
        let counter = |metric, help| metrics.counter_family(metric, help).get_or_create_owned(&tags);
        let histogram =
            |metric, help| metrics.histogram_family(metric, help, &LOOP_SECONDS).get_or_create_owned(&tags);
        Self {
            adds: counter("workqueue_adds", "Keys added to a work queue"),
            retries: counter("workqueue_retries", "Keys that came back to a work queue because they failed"),
            waited: histogram("workqueue_queue_duration_seconds", "Time that keys waited for a worker"),
            worked: histogram("workqueue_work_duration_seconds", "Time that workers took for a key"),
        }
    }
}
