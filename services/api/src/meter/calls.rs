//! Counting calls as they come in. What a method's calls are counted by is found once, when api starts.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use keelson_base_client::status::from_grpc;
use keelson_base_daemon::admin::{
    CALL_SECONDS, Counter, Family, Gauge, Histogram, HistogramFamily, Metrics, Tags,
};
use keelson_base_daemon::serve::hold;
use keelson_proto::core::Pod;
use keelson_proto::{Kind, Object as _, REGISTERED};
use tokio::time::Instant;

type Row = (&'static str, &'static str, &'static str, u16, Lasting);

/// gRPC methods: the verb that Kubernetes would count, the subresource, the code of success, and how long they last.
const METHODS: [Row; 21] = [
    ("Get", "GET", "", 200, Lasting::Read),
    ("List", "LIST", "", 200, Lasting::Read),
    ("ListStream", "LIST", "", 200, Lasting::Stream),
    ("Watch", "WATCH", "", 200, Lasting::Stream),
    ("Create", "POST", "", 201, Lasting::Write),
    ("Update", "PUT", "", 200, Lasting::Write),
    ("UpdateStatus", "PUT", "status", 200, Lasting::Write),
    ("Finalize", "PUT", "finalize", 200, Lasting::Write),
    ("Patch", "PATCH", "", 200, Lasting::Write),
    ("Delete", "DELETE", "", 200, Lasting::Write),
    ("DeleteCollection", "DELETECOLLECTION", "", 200, Lasting::Write),
    ("Bind", "POST", "binding", 201, Lasting::Write),
    ("Evict", "POST", "eviction", 201, Lasting::Write),
    ("Log", "GET", "log", 200, Lasting::Stream),
    ("Exec", "CONNECT", "exec", 200, Lasting::Stream),
    ("Attach", "CONNECT", "attach", 200, Lasting::Stream),
    ("PortForward", "CONNECT", "portforward", 200, Lasting::Stream),
    ("Proxy", "CONNECT", "proxy", 200, Lasting::Stream),
    ("GetScale", "GET", "scale", 200, Lasting::Read),
    ("Scale", "PUT", "scale", 200, Lasting::Write),
    ("Contains", "GET", "", 200, Lasting::Read),
];

/// How long a call lasts, and whether it changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasting {
    Read,
    Write,
    Stream,
}

/// Everything that is counted.
struct Families {
    calls: Family<Tags<5>, Counter>,
    seconds: HistogramFamily<Tags<4>>,
    in_flight: Family<Tags<1>, Gauge>,
    long: Family<Tags<4>, Gauge>,
}

/// Counts the calls of one method.
struct Meter {
    /// Its labels but for the code.
    tags: Tags<4>,
    success: u16,
    lasting: Lasting,
    /// By what, from the first call on: a method that nobody calls shows nothing.
    counts: OnceLock<Counts>,
    families: Arc<Families>,
}

/// By what the calls of one method are counted.
struct Counts {
    succeeded: Counter,
    seconds: Histogram,
    under_way: Gauge,
}

/// All methods by their paths.
type Meters = HashMap<String, Meter>;

/// Counts one while it lives.
struct UnderWay(Gauge);

/// The routes, with what they serve counted in `metrics`.
pub(crate) fn counted(router: Router, metrics: &Metrics) -> Router {
    router.layer(from_fn_with_state(Arc::new(meters(metrics)), count))
}

fn meters(metrics: &Metrics) -> Meters {
    let families = Arc::new(Families {
        calls: metrics
            .counter_family("apiserver_request", "Calls by verb, resource and the HTTP code they amount to"),
        seconds: metrics.histogram_family(
            "apiserver_request_duration_seconds",
            "Time until a call was answered; of streams, until they began",
            &CALL_SECONDS,
        ),
        in_flight: metrics
            .gauge_family("apiserver_current_inflight_requests", "Calls under way that do not last"),
        long: metrics.gauge_family(
            "apiserver_longrunning_requests",
            "Streams under way: watches, logs, streamed lists",
        ),
    });
    let meter = |kind: &'static Kind, row: &Row| Meter {
        tags: [
            ("verb", row.1.into()),
            ("group", kind.group.into()),
            ("resource", kind.plural.into()),
            ("subresource", row.2.into()),
        ],
        success: row.3,
        lasting: row.4,
        counts: OnceLock::new(),
        families: families.clone(),
    };
    let kept = REGISTERED.iter().filter(|kind| !kind.service.is_empty());
    let rows = kept.flat_map(|kind| METHODS.iter().map(move |row| (kind, row)));
    let mut meters: Meters =
        rows.map(|(kind, row)| (format!("/{}/{}", kind.service, row.0), meter(kind, row))).collect();
    if let Some(bind) = METHODS.iter().find(|row| row.0 == "Bind") {
        meters.insert("/keelson.v1.Bindings/Create".to_owned(), meter(Pod::KIND, bind));
    }
    meters
}

async fn count(State(meters): State<Arc<Meters>>, request: Request, next: Next) -> Response {
    let Some(meter) = meters.get(request.uri().path()) else {
        return next.run(request).await;
    };
    let (counts, begun) = (meter.counts(), Instant::now());
    let under_way = UnderWay::new(&counts.under_way);
    let response = next.run(request).await;
    meter.answered(counts, &response, begun);
    match meter.lasting {
        Lasting::Stream => response.map(|body| hold(body, under_way)),
        Lasting::Read | Lasting::Write => response,
    }
}

fn with_code([a, b, c, d]: Tags<4>, code: u16) -> Tags<5> {
    [a, b, c, d, ("code", code.into())]
}

// === impl Meter ===

impl Meter {
    fn counts(&self) -> &Counts {
        self.counts.get_or_init(|| {
            let Families { calls, seconds, in_flight, long } = &*self.families;
            let under_way = match self.lasting {
                Lasting::Read => in_flight.get_or_create_owned(&[("request_kind", "readOnly".into())]),
                Lasting::Write => in_flight.get_or_create_owned(&[("request_kind", "mutating".into())]),
                Lasting::Stream => long.get_or_create_owned(&self.tags),
            };
            Counts {
                succeeded: calls.get_or_create_owned(&with_code(self.tags, self.success)),
                seconds: seconds.get_or_create_owned(&self.tags),
                under_way,
            }
        })
    }

    /// A call was answered. Errors come without a body, their status among the headers.
    fn answered(&self, counts: &Counts, response: &Response, begun: Instant) {
        counts.seconds.observe(begun.elapsed().as_secs_f64());
        let failure = tonic::Status::from_header_map(response.headers());
        let code = failure.map_or(self.success, |status| match status.code() {
            tonic::Code::Ok => self.success,
            _ => from_grpc(status).code(),
        });
        if code == self.success {
            counts.succeeded.inc();
        } else {
            self.families.calls.get_or_create(&with_code(self.tags, code)).inc();
        }
    }
}

// === impl UnderWay ===

impl UnderWay {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}
