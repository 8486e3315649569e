//! One task per pod: takes the news, asks for a plan, has it done, tells api.
//!
//! The worker never waits for an action: actions are futures that it polls beside its mailbox, so a deletion is heard
//! during a long pull. Since it alone starts the pod's containers, and plans again only with what came of the last start,
//! no container is ever there twice.

mod act;
mod hook;
mod job;
mod last_words;
mod outcome;
mod report;
mod start;
mod traced;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{AbortHandle, BoxFuture};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use keelson_base_client::{Api, Cache, Recorder};
use keelson_base_daemon::admin::Histogram;
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::trace::{Cause, Span, TraceContext};
use keelson_proto::core::{Pod, Service};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use self::outcome::Outcome;
use self::report::Report;
use crate::clock::{Clock, until};
use crate::container::DnsConfig;
use crate::mailbox::{Change, Mailbox, News};
use crate::meter;
use crate::node::OwnNode;
use crate::objects::Referenced;
use crate::plan::{self, Action, InFlight, Input, Key, Memory, Plan};
use crate::pods::Pods;
use crate::runtime::{ContainerState, ObservedContainer, Runtime};
use crate::status;
use crate::volume::Volumes;

/// How long to wait before the runtime is asked again after it did not answer.
const RELIST_RETRY: Duration = Duration::from_secs(5);

/// What all workers of a node have in common.
pub(crate) struct Context {
    pub(crate) runtime: Arc<dyn Runtime>,
    /// The scheme of container ids.
    pub(crate) runtime_name: String,
    pub(crate) pods: Api<Pod>,
    pub(crate) services: Cache<Service>,
    pub(crate) recorder: Recorder,
    /// Times from first sight of a pod to its running.
    pub(crate) starts: Histogram,
    pub(crate) volumes: Volumes,
    /// What pods refer to.
    pub(crate) referenced: Referenced,
    pub(crate) node: OwnNode,
    pub(crate) host_ips: Vec<IpAddr>,
    pub(crate) dns: DnsConfig,
    pub(crate) infra_image: String,
    /// Processes that a container may have; 0 is any number.
    pub(crate) pids: u64,
    pub(crate) tasks: Tasks,
    pub(crate) clock: Clock,
}

/// A pod as its worker sees it now.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// The pod with its newest status; none if nobody knows the pod.
    pub(crate) pod: Option<Pod>,
    /// Its containers.
    pub(crate) containers: Vec<ObservedContainer>,
}

/// The worker of one pod.
pub(crate) struct Worker {
    uid: String,
    context: Arc<Context>,
    mailbox: Arc<Mailbox>,
    view: watch::Sender<Arc<View>>,
    /// The pod as api has it, the answers to our own writes included. A static pod is as its manifest says, with the status
    /// of its mirror.
    pod: Option<Arc<Pod>>,
    /// The mirror of a static pod.
    mirror: Option<Arc<Pod>>,
    gone: bool,
    observed: Vec<ObservedContainer>,
    memory: Memory,
    in_flight: InFlight,
    aborts: BTreeMap<Key, (u64, AbortHandle)>,
    jobs: FuturesUnordered<BoxFuture<'static, (Key, u64, Option<Outcome>)>>,
    next_job: u64,
    report: Report,
    /// Ask the runtime as soon as no start is under way.
    relist: bool,
    relist_at: Option<Timestamp>,
    /// Who waits for a look and a plan.
    attended: Vec<oneshot::Sender<()>>,
    /// What the present reaction is one to.
    cause: Option<Cause>,
    /// What was reacted to before, to be linked by what comes late.
    last_cause: Option<TraceContext>,
    /// The span of the present reaction, once there is something to do.
    sync: Option<Span>,
    /// When the pod was first seen, until it runs; none if it ran before.
    starting_since: Option<Instant>,
}

// === impl Worker ===

impl Worker {
    /// The worker of the pod `uid`, and what it shows of it.
    pub(crate) fn new(
        uid: &str,
        context: Arc<Context>,
        mailbox: Arc<Mailbox>,
    ) -> (Self, watch::Receiver<Arc<View>>) {
        let (view, view_rx) = watch::channel(Arc::default());
        let worker = Self {
            uid: uid.to_owned(),
            context,
            mailbox,
            view,
            pod: None,
            mirror: None,
            gone: false,
            observed: Vec::new(),
            memory: Memory::default(),
            in_flight: InFlight::new(),
            aborts: BTreeMap::new(),
            jobs: FuturesUnordered::new(),
            next_job: 0,
            report: Report::default(),
            relist: false,
            relist_at: None,
            attended: Vec::new(),
            cause: None,
            last_cause: None,
            sync: None,
            starting_since: None,
        };
        (worker, view_rx)
    }

    /// Works until nothing is left of the pod, or the kubelet stops; containers run on then.
    pub(crate) async fn run(mut self, pods: Pods) {
        let drain = self.context.tasks.drain();
        while !drain.is_signaled() {
            self.hear();
            self.look().await;
            let now = self.context.clock.now();
            let plan = self.plan(now);
            self.publish(&plan);
            self.tell_attended();
            self.measure(&plan);
            if plan.finished && self.report.is_idle() && pods.finish(&self.uid) {
                self.context.referenced.forget(&self.uid);
                return;
            }
            let wake_at = self.wake_at(&plan, now);
            self.begin(plan);
            let mailbox = self.mailbox.clone();
            tokio::select! {
                () = mailbox.news() => {}
                Some((key, job, outcome)) = self.jobs.next() => self.done(&key, job, outcome),
                written = self.report.written() => self.take_written(written),
                () = sleep_until(&self.context.clock, wake_at) => {}
                () = drain.signaled() => {}
            }
        }
        self.finish_starts().await;
    }

    /// Takes the news out of the mailbox.
    fn hear(&mut self) {
        let News {
            pod,
            mirror,
            eviction,
            gone,
            rejection,
            observed,
            changes,
            relist,
            retry,
            refresh,
            hurry,
            attended,
            trace,
        } = self.mailbox.take();
        if let Some(pod) = pod {
            if self.pod.is_none() && meter::is_new(&pod) {
                self.starting_since = Some(Instant::now());
            }
            self.follow(&pod);
            self.pod = Some(newer(self.pod.take(), pod));
        }
        hurry.iter().for_each(|name| self.memory.forgive(name));
        self.attended.extend(attended);
        if let Some(mirror) = mirror {
            self.take_mirror(mirror);
        }
        if eviction.is_some() && self.memory.eviction.is_none() {
            self.memory.eviction = eviction;
        }
        if retry {
            self.memory.retry_references();
        }
        if refresh {
            self.memory.refresh(Some(self.context.clock.now()));
        }
        if gone && !self.gone {
            self.gone = true;
            self.memory.gone_since = Some(self.context.clock.now());
        }
        if let Some(observed) = observed {
            self.observed = observed;
        }
        if rejection.is_some() {
            self.memory.rejection = rejection;
        }
        self.relist |= relist || changes.iter().any(|(id, change)| !self.knows(id, *change));
        if let Some(trace) = trace {
            self.because(trace);
        }
    }

    /// Follows what the pod refers to. Its volumes may show the pod's own metadata, which can change as well.
    fn follow(&mut self, pod: &Pod) {
        self.context.referenced.follow(pod, &self.mailbox);
        let told = |pod: &Pod| (pod.metadata.labels.clone(), pod.metadata.annotations.clone());
        if self.pod.as_ref().is_some_and(|before| told(before) != told(pod)) {
            self.memory.refresh(Some(self.context.clock.now()));
        }
    }

    /// Whether a change is no news: most are the echo of our own actions.
    fn knows(&self, id: &str, change: Change) -> bool {
        let known = self.observed.iter().find(|container| container.id == id);
        matches!(
            (change, known.map(|container| &container.state)),
            (Change::Started, Some(ContainerState::Running { .. }))
                | (Change::Died, Some(ContainerState::Exited(_)))
                | (Change::Removed, None)
        )
    }

    /// Asks the runtime for the pod's containers, if there is reason to. Not during a start: the answer would be either
    /// old or half of the truth.
    async fn look(&mut self) {
        let starting = self.in_flight.values().any(Action::starts_container);
        let now = self.context.clock.now();
        if !self.relist || starting || self.relist_at.is_some_and(|at| at > now) {
            return;
        }
        let list = self.context.runtime.list(Some(&self.uid));
        let listed = match &self.sync {
            Some(sync) => sync.around(list).await,
            None => list.await,
        };
        match listed {
            Ok(observed) => {
                self.relist = false;
                self.relist_at = None;
                self.observed = observed;
                self.read_messages().await;
            }
            Err(error) => {
                tracing::warn!(pod = %self.uid, %error, "cannot see the pod's containers");
                self.relist_at = Some(crate::clock::later(now, RELIST_RETRY));
            }
        }
    }

    /// Reads the last words of containers that have ended.
    async fn read_messages(&mut self) {
        let ended = |c: &&ObservedContainer| {
            matches!(c.state, ContainerState::Exited(_)) && !self.memory.messages.contains_key(&c.id)
        };
        let ended: Vec<_> =
            self.observed.iter().filter(ended).map(|c| (c.id.clone(), c.identity.clone())).collect();
        if !ended.is_empty() {
            let volumes = self.context.volumes.clone();
            let read = move || {
                let message = |(id, identity): (String, crate::runtime::Identity)| {
                    (id, volumes.message(&identity.pod.uid, &identity.container, identity.attempt))
                };
                ended.into_iter().map(message).collect::<Vec<_>>()
            };
            if let Ok(mut messages) = tokio::task::spawn_blocking(read).await {
                let silent = last_words::silent(self.pod.as_deref(), &self.observed, &messages);
                last_words::fall_back(self.context.runtime.clone(), silent, &mut messages).await;
                self.memory.messages.extend(messages);
            }
        }
        self.memory.keep(&self.observed);
    }

    /// Decides; nothing while the runtime has not told what there is.
    fn plan(&self, now: Timestamp) -> Plan {
        if self.relist && !self.in_flight.values().any(Action::starts_container) {
            return Plan { wake_at: self.relist_at, ..Plan::default() };
        }
        plan::plan(&Input {
            pod: self.pod.as_deref(),
            gone: self.gone,
            observed: &self.observed,
            memory: &self.memory,
            in_flight: &self.in_flight,
            host_ips: &self.context.host_ips,
            runtime: &self.context.runtime_name,
            now,
        })
    }

    /// When to look again. What was due at `now` has been tried just then.
    fn wake_at(&self, plan: &Plan, now: Timestamp) -> Option<Timestamp> {
        let times = [plan.wake_at, self.relist_at, self.report.retry_at()];
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Tells those who waited for a look that it was had.
    fn tell_attended(&mut self) {
        if !self.relist {
            for waiting in self.attended.drain(..) {
                // He may have gone.
                let _ = waiting.send(());
            }
        }
    }

    /// Notes how long the pod took to start, once it has.
    fn measure(&mut self, plan: &Plan) {
        let phase = plan.status.as_ref().map_or("", |status| status.phase.as_str());
        if phase == status::RUNNING
            && let Some(since) = self.starting_since.take()
        {
            self.context.starts.observe(since.elapsed().as_secs_f64());
        }
    }

    fn publish(&self, plan: &Plan) {
        let before = self.view.borrow().clone();
        let status = plan.status.as_ref().or_else(|| before.pod.as_ref().map(|pod| &pod.status));
        let pod = self
            .pod
            .as_deref()
            .map(|pod| Pod { status: status.unwrap_or(&pod.status).clone(), ..pod.clone() });
        if let Some(pod) = &pod {
            report::tell_back_offs(&self.context.recorder, before.pod.as_ref(), pod);
        }
        self.view.send_replace(Arc::new(View { pod, containers: self.observed.clone() }));
    }
}

// === impl View ===

impl View {
    /// The pod's phase; "" if there is no pod.
    pub(crate) fn phase(&self) -> String {
        self.pod.as_ref().map(|pod| pod.status.phase.clone()).unwrap_or_default()
    }
}

/// The newer of two states of a pod, by revision.
fn newer(have: Option<Arc<Pod>>, got: Arc<Pod>) -> Arc<Pod> {
    let revision = |pod: &Pod| pod.metadata.resource_version.parse::<u64>().unwrap_or(0);
    match have {
        Some(have) if revision(&have) > revision(&got) => have,
        _ => got,
    }
}

/// Ends at `at`, or never.
async fn sleep_until(clock: &Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => tokio::time::sleep(until(clock.now(), at)).await,
        None => std::future::pending().await,
    }
}
