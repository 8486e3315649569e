//! One of several acts: leader election on a Lease (`coordination.k8s.io/v1`), by compare-and-set.
//!
//! An [`Election`] stands for one lease and runs what acts once per [`Term`]. It follows the lease by a watch: a lease
//! that its holder gives up is taken at once, one whose holder falls silent when it has not changed for as long as it
//! promises, by our own clock (`elector`, pure). The holder renews it; if it cannot for [`Timing::renew`], its term is
//! over, some seconds before anybody else can lead: what acts is stopped, and it stands again.
//!
//! **What is guaranteed.** Terms do not overlap as long as monotonic clocks go about equally fast: a term ends
//! `renew` after the last renewal was *sent*, and another begins at the earliest `lease` after that renewal was
//! *stored*. Times of day do not matter. A write through [`Client::within`](crate::Client::within) is refused here
//! once the term is over, also in a process that was stopped (SIGSTOP, a frozen machine) meanwhile, and none waits
//! for an answer beyond its term. What remains is a process that is stopped between that check and the system call
//! that sends: what it had in hand then, and no more, may be sent late. Nothing in the lease can prevent that, so
//! what acts must bear it: a binding is a compare-and-set, a deletion names the uid, an update the version, and of
//! pods that were created twice the controller in office deletes what is too many. A machine that was suspended
//! altogether is not noticed, because its monotonic clock was, too.

mod elector;
mod term;
mod timing;

pub use self::term::{Office, Term};
pub use self::timing::Timing;

use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::admin::{Family, Gauge, Labels, Metrics};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_model::status::ApiError;
use keelson_proto::coordination::Lease;
use keelson_proto::meta::MicroTime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::elector::{Elector, Turn};
use crate::{Api, Client, Delta, Informer, WatchScope};

/// Where the leases of the control plane are.
const NAMESPACE: &str = "kube-system";

/// How long what acts may take to finish when its term ends, before it is aborted.
const GRACE: Duration = Duration::from_secs(3);

/// How long stepping down may take: the process wants to end.
const LAST_WORD: Duration = Duration::from_secs(2);

/// A candidate for one lease.
#[derive(Debug)]
pub struct Election {
    leases: Api<Lease>,
    name: String,
    timing: Timing,
    elector: Elector,
    office: Office,
    is_master: Family<Labels, Gauge>,
}

/// The lease as the watch shows it; outer `None`: not yet.
type Sight = watch::Receiver<Option<Option<Arc<Lease>>>>;

/// Why a term ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The lease could not be renewed in time, or is somebody else's.
    Lost,
    /// The process is asked to stop.
    Stopping,
}

// === impl Election ===

impl Election {
    /// A candidate for the lease `kube-system/<name>`, under an identity of its own: `<host>_<uuid>`.
    pub fn new(client: &Client, name: &str, timing: Timing, metrics: &Metrics) -> Self {
        let identity = format!("{}_{}", host(), uuid::Uuid::new_v4());
        Self::with_identity(client, name, &identity, timing, metrics)
    }

    /// The same under this identity, which nobody else may have.
    pub fn with_identity(
        client: &Client,
        name: &str,
        identity: &str,
        timing: Timing,
        metrics: &Metrics,
    ) -> Self {
        Self {
            // An attempt that takes longer than the pause to the next is worth giving up.
            leases: client.clone().with_deadline(timing.retry.max(MIN_ATTEMPT)).api().namespaced(NAMESPACE),
            name: name.to_owned(),
            timing,
            elector: Elector::new(identity, timing),
            office: Office::of(format!("{NAMESPACE}/{name}")),
            is_master: metrics.gauge_family(
                "leader_election_master_status",
                "Whether this process leads (1) or stands by (0), by lease",
            ),
        }
    }

    /// What the candidate may do, now and in all its terms.
    pub fn office(&self) -> Office {
        self.office.clone()
    }

    /// Stands for the lease until `tasks` drain; `act` runs once per term, in the term's own tasks. It is asked to stop
    /// by their drain, and aborted if it does not within a few seconds.
    pub async fn run<F>(mut self, tasks: &Tasks, mut act: impl FnMut(Term) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tell_master(false);
        let mut sight = self.follow(tasks);
        let drain = tasks.drain();
        loop {
            let begun = tokio::select! {
                begun = self.win(&mut sight) => begun,
                () = drain.signaled() => return,
            };
            self.office.hold(begun + self.timing.renew);
            let term = Term::new(&tasks.child("term"));
            tracing::info!(lease = %self.name, "leading");
            self.tell_master(true);
            term.tasks().spawn_critical("lead", act(term.clone()));
            let end = tokio::select! {
                () = self.keep(begun, &mut sight) => End::Lost,
                () = drain.signaled() => End::Stopping,
            };
            // First nothing begins any more, then all ends, then others may know.
            if end == End::Lost {
                self.office.vacate();
                tracing::warn!(lease = %self.name, holder = self.elector.holder(), "no longer leading");
            }
            if let Err(error) = term.tasks().join(GRACE).await {
                tracing::warn!(lease = %self.name, %error, "what led did not end well");
            }
            self.office.vacate();
            self.tell_master(false);
            if end == End::Stopping {
                self.step_down().await;
                return;
            }
        }
    }

    /// Follows the lease by list and watch.
    fn follow(&self, tasks: &Tasks) -> Sight {
        let (sight_tx, sight) = watch::channel(None);
        let name = self.name.clone();
        let scope = WatchScope { field_selector: format!("metadata.name={name}"), ..WatchScope::default() };
        Informer::spawn(tasks, self.leases.clone(), scope, move |delta: Delta<Lease>| match delta {
            Delta::Applied { new, .. } if new.metadata.name == name => {
                sight_tx.send_replace(Some(Some(new)));
            }
            Delta::Deleted { old, .. } if old.metadata.name == name => {
                sight_tx.send_replace(Some(None));
            }
            // There is none if none was listed.
            Delta::Synced => {
                sight_tx.send_if_modified(|seen| {
                    let is_first = seen.is_none();
                    seen.get_or_insert(None);
                    is_first
                });
            }
            _ => {}
        });
        sight
    }

    /// Ends when the lease is ours; answers when the write that made it so was begun.
    async fn win(&mut self, sight: &mut Sight) -> Instant {
        loop {
            match self.elector.turn(Instant::now()) {
                Turn::Look => self.look(sight, None).await,
                Turn::Wait(until) => self.look(sight, Some(until)).await,
                Turn::Take => match self.attempt().await {
                    Ok(begun) => return begun,
                    Err(error) => {
                        tracing::info!(lease = %self.name, %error, "cannot take the lease");
                        let pause = self.pause(&error);
                        self.look(sight, Some(Instant::now() + pause)).await;
                    }
                },
            }
        }
    }

    /// Waits for the lease to change, at most until then, and takes in how.
    async fn look(&mut self, sight: &mut Sight, until: Option<Instant>) {
        let changed = tokio::select! {
            changed = sight.changed() => changed.is_ok(),
            () = at(until) => false,
        };
        if changed {
            self.see(sight);
        } else if until.is_none() {
            // The informer is gone, and so is the process soon.
            std::future::pending().await
        }
    }

    fn see(&mut self, sight: &mut Sight) {
        if let Some(lease) = &*sight.borrow_and_update() {
            self.elector.observe(lease.as_deref(), Instant::now());
        }
    }

    /// Renews the lease, last written at `begun`, until it is lost.
    async fn keep(&mut self, begun: Instant, sight: &mut Sight) {
        let (mut next, mut until) = (begun + self.timing.retry, begun + self.timing.renew);
        loop {
            tokio::select! {
                () = sleep_until(next) => {}
                Ok(()) = sight.changed() => {
                    self.see(sight);
                    if self.elector.is_ours() { continue } else { return }
                }
            }
            match timeout_at(until, self.attempt()).await {
                Ok(Ok(begun)) => {
                    until = begun + self.timing.renew;
                    next = begun + self.timing.retry;
                    self.office.hold(until);
                }
                Ok(Err(error)) => {
                    if !self.elector.is_ours() {
                        return;
                    }
                    tracing::warn!(lease = %self.name, %error, "cannot renew the lease");
                    next = Instant::now() + self.pause(&error);
                }
                Err(_) => return,
            }
            if Instant::now() >= until {
                return;
            }
        }
    }

    /// Writes the lease over what was seen; answers when that was begun. If somebody was faster, what they wrote is
    /// taken in.
    async fn attempt(&mut self) -> Result<Instant, ApiError> {
        let begun = Instant::now();
        let (lease, is_new) = self.elector.taken(NAMESPACE, &self.name, MicroTime::now());
        let written =
            if is_new { self.leases.create(&lease).await } else { self.leases.update(&lease).await };
        match written {
            Ok(lease) => {
                self.elector.observe(Some(&lease), Instant::now());
                Ok(begun)
            }
            Err(error) if error.is_conflict() || error.is_already_exists() || error.is_not_found() => {
                self.refresh().await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes in the lease as api has it now.
    async fn refresh(&mut self) -> Result<(), ApiError> {
        let lease = match self.leases.get(&self.name).await {
            Ok(lease) => Some(lease),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        self.elector.observe(lease.as_ref(), Instant::now());
        Ok(())
    }

    /// How long to wait after an attempt failed: not at all if only the version was old, else with some chance, so that
    /// candidates do not come all at once.
    fn pause(&self, error: &ApiError) -> Duration {
        match error.is_conflict() && self.elector.is_ours() {
            true => Duration::ZERO,
            false => self.timing.retry.mul_f64(0.5 + fastrand::f64() / 2.0),
        }
    }

    /// Clears the holder, so that somebody else can lead at once.
    async fn step_down(&mut self) {
        let released = tokio::time::timeout(LAST_WORD, async {
            match self.release().await {
                // A renewal that was given up halfway may have come first.
                Err(error) if error.is_conflict() => {
                    self.refresh().await?;
                    self.release().await
                }
                released => released,
            }
        });
        match released.await {
            Ok(Ok(())) => tracing::info!(lease = %self.name, "stepped down"),
            Ok(Err(error)) => tracing::info!(lease = %self.name, %error, "the lease was not given up"),
            Err(_) => tracing::info!(lease = %self.name, "the lease was not given up: api does not answer"),
        }
    }

    async fn release(&self) -> Result<(), ApiError> {
        match self.elector.released(MicroTime::now()) {
            Some(lease) => self.leases.update(&lease).await.map(drop),
            None => Ok(()),
        }
    }

    fn tell_master(&self, leads: bool) {
        let labels = vec![("name", self.name.clone())];
        self.is_master.get_or_create(&labels).set(i64::from(leads));
    }
}

/// The least time for one attempt.
const MIN_ATTEMPT: Duration = Duration::from_secs(1);

/// This machine's name, for people.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
