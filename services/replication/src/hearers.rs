//! Who hears of changes: the loops of the present term, or those that stand by for the next.
//!
//! A process that stands by keeps its caches and its loops' queues current all the same, so that it can begin at once,
//! with every key that has changed since it started, and with the traces of those changes. Nobody takes the keys out
//! then, so now and then it begins anew from the caches, before it remembers much more than they hold.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelson_base_client::{Cache, Client, Delta, Informer, WatchScope};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_model::secret::secret_type::SERVICE_ACCOUNT_TOKEN;
use keelson_proto::Object;

use crate::cache::{Caches, NODE_LEASES, ROOT_CA, once, resynced};
use crate::loops::Loops;

/// Keys that loops may hold besides one for each object and loop, while nobody works on them.
const MOST_IDLE: usize = 10_000;

/// Between two looks at how many keys are held, in changes.
const LOOK_EVERY: usize = 1024;

/// Those who hear. Clones are the same.
#[derive(Clone)]
pub(crate) struct Hearers {
    hearing: Arc<Mutex<Hearing>>,
    caches: Caches,
    make: Arc<dyn Fn() -> Loops + Send + Sync>,
}

struct Hearing {
    loops: Loops,
    /// Whether somebody works on them.
    at_work: bool,
    /// Changes heard of since the last look.
    heard: usize,
}

// === impl Hearers ===

impl Hearers {
    /// Loops as `make` makes them hear of changes from now on. They know nothing when they are made.
    pub(crate) fn new(caches: &Caches, make: impl Fn() -> Loops + Send + Sync + 'static) -> Self {
        let hearing = Hearing { loops: make(), at_work: false, heard: 0 };
        Self { hearing: Arc::new(Mutex::new(hearing)), caches: caches.clone(), make: Arc::new(make) }
    }

    /// The loops that hear now.
    pub(crate) fn loops(&self) -> Loops {
        self.hearing().loops.clone()
    }

    /// A term begins: the loops that somebody is about to work on.
    pub(crate) fn begin_work(&self) -> Loops {
        let mut hearing = self.hearing();
        hearing.at_work = true;
        hearing.loops.clone()
    }

    /// A term ends: what its loops expected and remembered is void. Others hear, and know what the caches hold.
    pub(crate) fn end_work(&self) {
        self.begin_anew(&mut self.hearing());
    }

    fn begin_anew(&self, hearing: &mut Hearing) {
        // Under the lock: what informers tell meanwhile is told after this. It is in the caches already, and so is
        // told twice, which does no harm.
        let loops = (self.make)();
        loops.hear_all(&self.caches);
        *hearing = Hearing { loops, at_work: false, heard: 0 };
    }

    fn tell<K: Object>(&self, delta: &Delta<K>, tell: fn(&Loops, &Delta<K>)) {
        let mut hearing = self.hearing();
        tell(&hearing.loops, delta);
        hearing.heard += 1;
        if hearing.heard < LOOK_EVERY || hearing.at_work {
            return;
        }
        hearing.heard = 0;
        if hearing.loops.waiting() > self.caches.len().saturating_mul(Loops::COUNT) + MOST_IDLE {
            self.begin_anew(&mut hearing);
        }
    }

    /// Keeps the caches current; each change is told to the loops that it concerns.
    pub(crate) fn spawn_informers(&self, client: &Client, tasks: &Tasks) {
        let caches = &self.caches;
        self.follow(client, tasks, &caches.pods, once(), Loops::on_pod);
        self.follow(client, tasks, &caches.rcs, resynced(), Loops::on_rc);
        self.follow(client, tasks, &caches.services, resynced(), Loops::on_service);
        self.follow(client, tasks, &caches.endpoints, once(), Loops::on_endpoints);
        self.follow(client, tasks, &caches.slices, once(), Loops::on_slice);
        self.follow(client, tasks, &caches.nodes, resynced(), Loops::on_node);
        let leases = WatchScope { namespace: NODE_LEASES.to_owned(), ..once() };
        self.follow(client, tasks, &caches.leases, leases, Loops::on_lease);
        self.follow(client, tasks, &caches.namespaces, resynced(), Loops::on_namespace);
        self.follow(client, tasks, &caches.quotas, resynced(), Loops::on_quota);
        self.follow(client, tasks, &caches.accounts, once(), Loops::on_account);
        let tokens = WatchScope { field_selector: format!("type={SERVICE_ACCOUNT_TOKEN}"), ..resynced() };
        self.follow(client, tasks, &caches.tokens, tokens, Loops::on_token);
        let root_cas = WatchScope { field_selector: format!("metadata.name={ROOT_CA}"), ..resynced() };
        self.follow(client, tasks, &caches.root_cas, root_cas, Loops::on_root_ca);
        caches.owned.follow(self, client, tasks);
    }

    pub(crate) fn follow<K: Object>(
        &self,
        client: &Client,
        tasks: &Tasks,
        cache: &Cache<K>,
        scope: WatchScope,
        tell: fn(&Loops, &Delta<K>),
    ) {
        let hearers = self.clone();
        Informer::spawn_into(tasks, client.api(), scope, cache.clone(), move |delta| {
            hearers.tell(&delta, tell);
        });
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Hearers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hearers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use keelson_base_client::Recorder;
    use keelson_base_client::testing::FakeApi;
    use keelson_base_daemon::admin::Metrics;
    use keelson_proto::core::ReplicationController;

    use super::*;
    use crate::Config;
    use crate::testing::mk_rc;

    #[test]
    fn who_stands_by_remembers_no_more_than_there_is_for_long() {
        let (client, caches) = (FakeApi::default().client(), Caches::new());
        let (of, recorder) = (caches.clone(), Recorder::off());
        let make = move || Loops::new(&Config::default(), &client, &of, &recorder, &Metrics::new());
        let hearers = Hearers::new(&caches, make);
        let pass = |count: usize| {
            for n in 0..count {
                let rc: Arc<ReplicationController> = Arc::new(mk_rc(&format!("rc-{n}"), 1));
                let delta = Delta::Applied { old: None, new: rc.clone(), trace: None };
                hearers.tell(&delta, Loops::on_rc);
                hearers.tell(&Delta::Deleted { old: rc, trace: None }, Loops::on_rc);
            }
        };
        pass(5000);
        let waiting = hearers.loops().waiting();
        assert!((5000..MOST_IDLE).contains(&waiting), "{waiting}");
        pass(20_000);
        assert!(hearers.loops().waiting() <= MOST_IDLE + LOOK_EVERY);
        let at_work = hearers.begin_work();
        pass(20_000);
        assert!(at_work.waiting() >= 20_000, "those at work are left alone");
        hearers.end_work();
        assert_eq!(hearers.loops().waiting(), 0);
    }
}
