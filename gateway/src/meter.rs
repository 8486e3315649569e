//! What the gateway counts.

use std::time::Duration;

use http::Method;
use keelson_base_daemon::admin::{CALL_SECONDS, Counter, Family, Gauge, HistogramFamily, Metrics, Tags};

use crate::route::{Call, Route, Verb};

/// Counts requests.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    requests: Family<Tags<5>, Counter>,
    seconds: HistogramFamily<Tags<4>>,
    under_way: Family<Tags<1>, Gauge>,
    pub(crate) watch_events: Counter,
    pub(crate) lagging_watches: Counter,
}

/// What a request is counted as: verb, group, resource and subresource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
}

/// Counts a request while it lives.
#[derive(Debug)]
pub(crate) struct UnderWay(Gauge);

// === impl Meter ===

impl Meter {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            requests: metrics.counter_family("gateway_request", "Requests by verb, resource and HTTP code"),
            seconds: metrics.histogram_family(
                "gateway_request_duration_seconds",
                "Time until a request was answered; of watches and logs, until they began",
                &CALL_SECONDS,
            ),
            under_way: metrics
                .gauge_family("gateway_current_inflight_requests", "Requests under way, by what they do"),
            watch_events: metrics.counter("gateway_watch_events", "Changes sent to watching clients"),
            lagging_watches: metrics.counter(
                "gateway_terminated_watchers",
                "Watches ended because their clients read too slowly",
            ),
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, asked: Asked, code: u16, after: Duration) {
        let [verb, group, resource, subresource] = asked.tags();
        self.seconds.get_or_create(&[verb, group, resource, subresource]).observe(after.as_secs_f64());
        let tags = [verb, group, resource, subresource, ("code", code.into())];
        self.requests.get_or_create(&tags).inc();
    }

    /// A request is under way, until what is returned is dropped.
    pub(crate) fn begin(&self, route: &Route) -> UnderWay {
        let kind = match route {
            Route::Call(call) if call.verb.is_long_running() => "longRunning",
            Route::Call(call) if writes(call.verb) => "mutating",
            _ => "readOnly",
        };
        let gauge = self.under_way.get_or_create_owned(&[("request_kind", kind.into())]);
        gauge.inc();
        UnderWay(gauge)
    }
}

// === impl Asked ===

impl Asked {
    /// What a request is counted as whose path is not understood.
    pub(crate) fn unknown(method: &Method) -> Self {
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let verb = known.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER");
        Self { verb, ..Self::default() }
    }

    /// What a route is counted as.
    pub(crate) fn of(route: &Route) -> Self {
        let Route::Call(Call { verb, kind, .. }) = route else {
            return Self { verb: "GET", ..Self::default() };
        };
        let (verb, subresource) = words(*verb);
        Self { verb, group: kind.group, resource: kind.plural, subresource }
    }

    fn tags(self) -> Tags<4> {
        [
            ("verb", self.verb.into()),
            ("group", self.group.into()),
            ("resource", self.resource.into()),
            ("subresource", self.subresource.into()),
        ]
    }
}

/// The words that kube-apiserver counts a verb by.
fn words(verb: Verb) -> (&'static str, &'static str) {
    match verb {
        Verb::List => ("LIST", ""),
        Verb::Watch => ("WATCH", ""),
        Verb::Get => ("GET", ""),
        Verb::Create => ("POST", ""),
        Verb::Update => ("PUT", ""),
        Verb::UpdateStatus => ("PUT", "status"),
        Verb::Finalize => ("PUT", "finalize"),
        Verb::Patch => ("PATCH", ""),
        Verb::PatchStatus => ("PATCH", "status"),
        Verb::Delete => ("DELETE", ""),
        Verb::DeleteCollection => ("DELETECOLLECTION", ""),
        Verb::Bind => ("POST", "binding"),
        Verb::Evict => ("POST", "eviction"),
        Verb::CreateToken => ("POST", "token"),
        Verb::Log => ("GET", "log"),
        Verb::Exec => ("CONNECT", "exec"),
        Verb::Attach => ("CONNECT", "attach"),
        Verb::PortForward => ("CONNECT", "portforward"),
        Verb::Proxy => ("CONNECT", "proxy"),
        Verb::GetScale => ("GET", "scale"),
        Verb::UpdateScale => ("PUT", "scale"),
        Verb::PatchScale => ("PATCH", "scale"),
    }
}

fn writes(verb: Verb) -> bool {
    !matches!(verb, Verb::List | Verb::Watch | Verb::Get | Verb::Log | Verb::GetScale)
}

// === impl UnderWay ===

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}
