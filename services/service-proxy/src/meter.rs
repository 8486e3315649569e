//! What the proxy counts, under kube-proxy's names where it has them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keelson_base_daemon::admin::{CALL_SECONDS, Counter, Family, Gauge, Histogram, Labels, Metrics};
use tokio::sync::watch;

use crate::config::Mode;
use crate::table::Table;

/// Counts what the proxy does.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    applied: Histogram,
    failed: Counter,
    last: Gauge,
    services: Counter,
    endpoints: Counter,
}

// === impl Meter ===

impl Meter {
    /// The meter of a proxy in this mode whose table in force is `table`.
    pub(crate) fn new(metrics: &Metrics, mode: Mode, table: &watch::Receiver<Table>) -> Self {
        let modes: Family<Labels, Gauge> = metrics
            .gauge_family("keelson_service_proxy_mode_info", "How services are made to answer; always 1");
        modes.get_or_create(&vec![("mode", mode.to_string())]).set(1);
        let read = |name, help, read: fn(&Table) -> usize| {
            let table = table.clone();
            metrics.readings(name, help).set(Vec::new(), move || read(&table.borrow()) as f64);
        };
        read("keelson_service_proxy_service_ports", "Ports of services in the table in force", |table| {
            table.ports().count()
        });
        read(
            "keelson_service_proxy_backends",
            "Backends in the table in force, for each port of a service",
            |table| table.ports().map(|port| port.backends.len()).sum(),
        );
        Self {
            applied: metrics.histogram(
                "kubeproxy_sync_proxy_rules_duration_seconds",
                "Time to bring a table into force",
                &CALL_SECONDS,
            ),
            failed: metrics.counter(
                "keelson_service_proxy_sync_failures",
                "Tables that could not be brought into force, and were tried again",
            ),
            last: metrics.gauge(
                "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
                "When a table was last brought into force, in seconds since 1970",
            ),
            services: metrics.counter(
                "kubeproxy_sync_proxy_rules_service_changes",
                "Changes of services that were heard of",
            ),
            endpoints: metrics.counter(
                "kubeproxy_sync_proxy_rules_endpoint_changes",
                "Changes of endpoints that were heard of",
            ),
        }
    }

    /// What counts the changes of services, and of endpoints.
    pub(crate) fn changes(&self) -> (Counter, Counter) {
        (self.services.clone(), self.endpoints.clone())
    }

    /// A table was brought into force, or could not be.
    pub(crate) fn applied(&self, after: Duration, is_in_force: bool) {
        if !is_in_force {
            self.failed.inc();
            return;
        }
        self.applied.observe(after.as_secs_f64());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    }
}
