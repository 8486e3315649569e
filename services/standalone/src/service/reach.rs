//! Whether api is there: followed by a watch of its health, told in the process's own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keelson_base_client::Channel;
use keelson_base_daemon::admin::Health;
use keelson_base_daemon::backoff::Backoff;
use keelson_base_daemon::tasks::Tasks;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Delays between attempts to reach api.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(5);

/// The name of the ready check.
const CHECK: &str = "api";

/// Whether api was there when it was last heard of. Clones are the same.
#[derive(Clone, Debug)]
struct Reach {
    /// Why it is not; `None` if it is.
    fault: Arc<Mutex<Option<String>>>,
}

/// Follows api over `channel` for as long as `tasks` run: `health` is not ready while api is away, and each loss and
/// return is logged once.
pub(super) fn follow(channel: Channel, tasks: &Tasks, health: &Health) {
    let reach = Reach { fault: Arc::new(Mutex::new(Some("not reached yet".to_owned()))) };
    let told = reach.clone();
    health.ready_check(CHECK, move || told.fault().map_or(Ok(()), Err));
    let draining = tasks.draining();
    tasks.spawn_critical(CHECK, async move {
        tokio::select! {
            () = reach.run(channel) => {}
            () = draining => {}
        }
    });
}

// === impl Reach ===

impl Reach {
    /// Never ends.
    async fn run(&self, channel: Channel) {
        let mut backoff = Backoff::new(FIRST_DELAY, MAX_DELAY);
        // What was told in the log: its fault, or that it is there.
        let mut told = None;
        loop {
            // Whether this watch was answered, and whether api was well then.
            let mut heard = None;
            let ended = self.hear(&channel, |fault| {
                heard = Some(heard.unwrap_or_default() || fault.is_none());
                self.note(fault, &mut told);
            });
            let status = ended.await;
            match heard {
                // The replica that was heard is gone; another may be there at once.
                Some(true) => backoff.reset(),
                Some(false) => {}
                None => self.note(Some(format!("it cannot be reached: {}", status.message())), &mut told),
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// Tells what one watch of its health says, until that ends.
    async fn hear(&self, channel: &Channel, mut tell: impl FnMut(Option<String>)) -> Status {
        let mut client = HealthClient::new(channel.clone());
        // The whole process, whatever it consists of.
        let opened = client.watch(HealthCheckRequest { service: String::new() }).await;
        let mut changes = match opened {
            Ok(changes) => changes.into_inner(),
            Err(status) => return status,
        };
        loop {
            match changes.message().await {
                Ok(Some(change)) if change.status() == ServingStatus::Serving => tell(None),
                Ok(Some(_)) => tell(Some("it is not ready".to_owned())),
                Ok(None) => return Status::unavailable("it has ended"),
                Err(status) => return status,
            }
        }
    }

    /// Tells of a change: also of another fault, such as a refused certificate after a refused connection.
    fn note(&self, fault: Option<String>, told: &mut Option<Option<String>>) {
        if told.as_ref() != Some(&fault) {
            match &fault {
                None => tracing::info!("api answers"),
                Some(fault) => tracing::warn!(%fault, "waiting for api"),
            }
            *told = Some(fault.clone());
        }
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use keelson_base_daemon::tls::Peer;
    use keelson_base_daemon::trace::Tracer;
    use tonic::service::Routes;
    use tower::ServiceExt as _;

    use super::*;

    /// A channel to a server with this health, which may go away.
    fn channel(health: &Health, is_there: Arc<AtomicBool>) -> Channel {
        let routes = Routes::new(health.grpc_service());
        let peer = Peer { common_name: "test".to_owned(), organizations: Vec::new() };
        let service = tower::service_fn(move |request| {
            let (routes, is_there) = (routes.clone(), is_there.load(Ordering::SeqCst));
            async move {
                match is_there {
                    true => routes.oneshot(request).await.map_err(|never| match never {}),
                    false => Err(Status::unavailable("connection refused")),
                }
            }
        });
        Channel::in_process(service, peer, Tracer::off())
    }

    async fn until(health: &Health, ready: bool) {
        let changed = async {
            while health.is_ready() != ready {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), changed).await.expect("it changes");
    }

    #[tokio::test(start_paused = true)]
    async fn readiness_follows_api() {
        let (api, own) = (Tasks::new(), Tasks::new());
        let (api_health, health) = (Health::new(api.drain()), Health::new(own.drain()));
        let starting = api_health.register("store");
        let is_there = Arc::new(AtomicBool::new(false));
        follow(channel(&api_health, is_there.clone()), &own, &health);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(!health.is_ready(), "nobody answers");
        is_there.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(!health.is_ready(), "api is there and not ready");
        starting.release();
        until(&health, true).await;
        api.shutdown();
        until(&health, false).await;
        own.join(Duration::from_secs(1)).await.unwrap();
    }
}
