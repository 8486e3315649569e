//! Informers → table → applier.
//!
//! The informers note which services have changed; the driver takes all notes at once, computes those services anew and
//! applies the difference. While it applies, more notes come together, so a burst costs few transactions and a single
//! change waits for nothing. After a failure it is not known what is in force: the whole table is applied, after a pause.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keelson_base_client::backoff::Backoff;
use keelson_base_client::{Cache, Client, Delta, Informer, WatchScope};
use keelson_base_daemon::admin::{Counter, Latch};
use keelson_base_daemon::tasks::{Drain, Tasks};
use keelson_base_daemon::trace::{self, Cause, Span};
use keelson_base_model::key::ObjectKey;
use keelson_proto::Object;
use keelson_proto::core::{Endpoints, Service};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::bridge::Links;
use crate::config::Mode;
use crate::dns::{self, DnsConfig, Zone};
use crate::engine::{ApplyError, Engine};
use crate::hairpin::Hairpin;
use crate::host::Host;
use crate::instance::Instance;
use crate::meter::Meter;
use crate::table::{Table, service_ports};
use crate::{kernel, localnet};

/// Pauses after failures, first and longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// Keeps the kernel, or the forwarder, as the API says.
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    pub(crate) host: Host,
    pub(crate) instance: Instance,
    /// The links to the pods.
    pub(crate) pod_interfaces: Vec<String>,
    /// Where the table in force is told.
    pub(crate) table: watch::Sender<Table>,
    /// Released when the first table is in force.
    pub(crate) latch: Option<Latch>,
    /// What has to run beside the engine.
    pub(crate) hairpin: Option<Hairpin>,
    pub(crate) meter: Meter,
    /// Cluster DNS, whose address this host has.
    pub(crate) dns: Option<DnsConfig>,
}

/// The API's side.
struct Source {
    services: Cache<Service>,
    endpoints: Cache<Endpoints>,
    changed: Arc<Changed>,
}

/// Services to look at again, and the trace of the request that changed each.
#[derive(Default)]
struct Changed {
    keys: Mutex<BTreeMap<ObjectKey, Option<Cause>>>,
    noted: Notify,
}

// === impl Driver ===

impl Driver {
    /// Runs until `tasks` drain.
    pub(crate) async fn run(mut self, client: &Client, tasks: &Tasks) {
        let source = Source::spawn(client, tasks, self.meter.changes());
        let drain = tasks.drain();
        if let Some(hairpin) = self.hairpin.take() {
            let draining = tasks.draining();
            tasks.spawn("hairpin", async move {
                tokio::select! {
                    () = hairpin.run() => {}
                    () = draining => {}
                }
            });
        }
        tokio::select! {
            () = drain.signaled() => return,
            () = source.synced() => {}
        }
        if let Some(dns) = self.dns.take() {
            let zone = Zone::new(&dns.domain, source.services.clone(), source.endpoints.clone());
            tasks.spawn("dns", dns::serve(dns, self.host.clone(), zone, tasks.clone()));
        }
        let mut wanted = Table::default();
        let mut in_force = None;
        // What was not applied yet, because that failed.
        let mut late = Vec::new();
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        // The caches have everything, so what was noted so far are all services.
        while !drain.is_signaled() {
            let mut causes = source.refresh(&mut wanted);
            causes.append(&mut late);
            match self.apply(in_force.as_ref(), &wanted, &causes).await {
                Ok(()) => {
                    in_force = Some(wanted.clone());
                    backoff.reset();
                    source.changed.wait(&drain).await;
                }
                Err(error) => {
                    in_force = None;
                    late = causes.into_iter().map(Cause::late).collect();
                    tracing::warn!(%error, "services are not up to date, trying again");
                    pause(backoff.next_delay(), &drain).await;
                }
            }
        }
    }

    async fn apply(
        &mut self,
        in_force: Option<&Table>,
        wanted: &Table,
        causes: &[Cause],
    ) -> Result<(), ApplyError> {
        if in_force == Some(wanted) {
            return Ok(());
        }
        let begun = Instant::now();
        let mut span = span(causes);
        if span.is_recording() {
            span.attribute("keelson.proxy.mode", self.engine.mode().to_string());
        }
        let applied = span.instrument_result(self.engine.apply(in_force, wanted)).await;
        self.meter.applied(begun.elapsed(), applied.is_ok());
        if let Err(error @ ApplyError::Command(_)) = applied {
            return Err(error);
        }
        // A port that somebody else listens on does not hold back the others.
        self.table.send_replace(wanted.clone());
        if let Some(latch) = self.latch.take() {
            latch.release();
            self.settle().await;
        }
        applied
    }

    /// What can wait until the first table is in force, or has to.
    async fn settle(&self) {
        let (host, instance) = (&self.host, &self.instance);
        match (Links::open(host), self.engine.mode()) {
            (Ok(links), Mode::Userspace) => localnet::switch_off(host, &links, instance).await,
            (Ok(links), _) => localnet::switch_on(host, &links, instance, &self.pod_interfaces).await,
            (Err(error), _) => tracing::debug!(%error, "route_localnet stays as it is"),
        }
        // A proxy of this instance may have left rules of another mode.
        if let Err(error) = kernel::remove_except(host, instance, self.engine.mode()).await {
            tracing::debug!(%error, "rules of another mode, if there are any, stay");
        }
    }
}

/// One span for the changes that are applied together: below the first, linked to the others.
fn span(causes: &[Cause]) -> Span {
    let Some((first, others)) = causes.split_first() else {
        return Span::none();
    };
    let mut span = trace::tracer().reaction("apply rules", *first);
    let of_this = |cause: &&Cause| cause.context().trace_id() == first.context().trace_id();
    others.iter().filter(|cause| !of_this(cause)).for_each(|cause| span.link(cause.context()));
    span
}

async fn pause(delay: Duration, drain: &Drain) {
    tokio::select! {
        () = drain.signaled() => {}
        () = tokio::time::sleep(delay) => {}
    }
}

// === impl Source ===

impl Source {
    fn spawn(client: &Client, tasks: &Tasks, (services, endpoints): (Counter, Counter)) -> Self {
        let changed = Arc::<Changed>::default();
        // By address, for names that DNS is asked for backwards.
        let (by_ip, by_named_ip) = (Cache::with_index(dns::cluster_ip), Cache::with_index(dns::hostnames));
        let (all, handler) = (WatchScope::default, changed.handler(services));
        Informer::spawn_into(tasks, client.api::<Service>(), all(), by_ip.clone(), handler);
        let handler = changed.handler(endpoints);
        Informer::spawn_into(tasks, client.api::<Endpoints>(), all(), by_named_ip.clone(), handler);
        let (services, endpoints) = (by_ip, by_named_ip);
        Self { services, endpoints, changed }
    }

    async fn synced(&self) {
        self.services.synced().await;
        self.endpoints.synced().await;
    }

    /// Computes the changed services anew; returns what caused the changes.
    fn refresh(&self, table: &mut Table) -> Vec<Cause> {
        let changed = self.changed.take();
        for key in changed.keys() {
            let ports = match self.services.get(key) {
                Some(service) => service_ports(&service, self.endpoints.get(key).as_deref()),
                None => Vec::new(),
            };
            if !table.ports_of(key).map(|port| &**port).eq(&ports) {
                table.set(key, ports);
            }
        }
        changed.into_values().flatten().collect()
    }
}

// === impl Changed ===

impl Changed {
    /// What an informer calls: notes the key, which a service and its endpoints share, and counts.
    fn handler<K: Object>(
        self: &Arc<Self>,
        changes: Counter,
    ) -> impl FnMut(Delta<K>) + Send + 'static + use<K> {
        let changed = self.clone();
        move |delta| {
            let (key, trace) = match delta {
                Delta::Applied { new, trace, .. } => (ObjectKey::of(new.metadata()), trace),
                Delta::Deleted { old, trace } => (ObjectKey::of(old.metadata()), trace),
                Delta::Synced => return,
            };
            changes.inc();
            changed.note(key, trace);
        }
    }

    fn note(&self, key: ObjectKey, trace: Option<Cause>) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = keys.entry(key).or_default();
        // Of what was there before we looked, nobody waits for our reaction.
        *noted = trace.filter(|cause| !cause.is_late()).or(*noted);
        drop(keys);
        self.noted.notify_one();
    }

    fn take(&self) -> BTreeMap<ObjectKey, Option<Cause>> {
        std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn wait(&self, drain: &Drain) {
        tokio::select! {
            () = drain.signaled() => {}
            () = self.noted.notified() => {}
        }
    }
}
