//! A service in a process of its own: its identity, its ports, its life.

mod election;
mod flags;
mod reach;

pub(crate) use self::election::ElectionFlags;
pub(crate) use self::flags::{ApiFlags, ClusterIdFlags, ServiceFlags};

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use keelson_base_daemon::admin::{self, Health, Metrics};
use keelson_base_daemon::serve::Listener;
use keelson_base_daemon::signals::{self, Signals};
use keelson_base_daemon::tasks::Tasks;
use keelson_base_daemon::tls::{ClientAuth, LiveIdentity};
use keelson_base_daemon::trace::Tracing;

use crate::port;

/// How long a service may take to finish what it is doing; requests in flight have ten seconds of it.
const GRACE: Duration = Duration::from_secs(15);

/// A service in a process of its own. Its ports are bound before anything else happens, so that a port that is taken is
/// known at once.
pub(crate) struct Service {
    name: &'static str,
    identity: LiveIdentity,
    main: Option<Listener>,
    admin: Option<Listener>,
    signals: Signals,
    tasks: Tasks,
    health: Health,
    metrics: Metrics,
    tracing: Tracing,
}

// === impl Service ===

impl Service {
    /// Reads the identity called `identity` and binds the ports.
    ///
    /// # Errors
    /// A file that is missing or of no use; a port that cannot be had.
    pub(crate) async fn open(
        name: &'static str,
        identity: &str,
        flags: &ServiceFlags,
    ) -> anyhow::Result<Self> {
        let signals = Signals::listen().context("cannot listen for signals")?;
        let metrics = Metrics::default().with_process();
        let tracing = Tracing::start(&flags.trace, &metrics)?;
        let tasks = Tasks::with_tracer(tracing.tracer(name));
        let health = Health::new(tasks.drain());
        let identity = flags.identity(identity, &tasks, &metrics)?;
        let main = Some(Listener::bind(flags.listen.listen, "listen").await?);
        let admin = match flags.admin.admin_address {
            Some(address) => Some(Listener::bind(address, "admin-address").await?),
            None => None,
        };
        Ok(Self { name, identity, main, admin, signals, tasks, health, metrics, tracing })
    }

    /// Who this process is, as its files say now.
    pub(crate) fn identity(&self) -> &LiveIdentity {
        &self.identity
    }

    /// What services are built with: the supervisor of tasks, whether the process works, and what it counts.
    pub(crate) fn parts(&self) -> (&Tasks, &Health, &Metrics) {
        (&self.tasks, &self.health, &self.metrics)
    }

    /// The port that the main listener has; 0 once it is served.
    pub(crate) fn port(&self) -> u16 {
        self.main.as_ref().map_or(0, |listener| listener.local_addr().port())
    }

    /// Serves `services` on the main port to clients that show a certificate, with what every port has besides.
    ///
    /// # Errors
    /// An identity that is of no use.
    pub(crate) fn serve(&mut self, services: tonic::service::Routes) -> anyhow::Result<()> {
        let router = port::router(services, &self.health, &self.metrics)?;
        self.serve_router(router, ClientAuth::Required)
    }

    /// Serves exactly `router` on the main port; and says so on standard output.
    ///
    /// # Errors
    /// An identity that is of no use.
    pub(crate) fn serve_router(&mut self, router: Router, clients: ClientAuth) -> anyhow::Result<()> {
        let tls = port::tls(&self.identity, clients)?;
        let tasks = self.tasks.child("serve");
        let Some(main) = self.main.take() else { anyhow::bail!("{} was served twice", self.name) };
        let mut says = format!("keelson {}: listening on {}", self.name, main.local_addr());
        port::serve(main, Some(tls), router, &tasks, "main");
        if let Some(admin) = self.admin.take() {
            says.push_str(&format!(" (admin {})", admin.local_addr()));
            port::serve(admin, None, admin::router(&self.health, &self.metrics), &tasks, "admin");
        }
        // Nobody need listen.
        let _ = writeln!(io::stdout(), "{says}");
        Ok(())
    }

    /// Waits for what the service needs before it can work; `None` if it was asked to stop meanwhile.
    pub(crate) async fn unless_stopped<T>(&mut self, needed: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            got = needed => Some(got),
            _ = self.signals.next() => {
                self.tasks.shutdown();
                None
            }
            () = self.tasks.draining() => None,
        }
    }

    /// Serves until SIGTERM, SIGINT or a failure, then finishes what was begun.
    ///
    /// # Errors
    /// If a task failed, or would not end.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let ended = signals::run_until_shutdown(&self.tasks, self.signals, GRACE).await;
        self.tracing.flush().await;
        ended.context("the service failed")
    }
}
