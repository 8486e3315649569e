//! Following the runtime: its events go to the pods' workers, its silence to the node's status.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use keelson_base_daemon::admin::Latch;
use keelson_base_daemon::backoff::Backoff;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::mailbox::Change;
use crate::node::RuntimeFault;
use crate::pods::Pods;
use crate::runtime::{Runtime, RuntimeError, RuntimeEvent};

/// How often everything is looked at again although nothing was heard: a safety net.
const RELIST: Duration = Duration::from_secs(300);

/// Follows the runtime of one node.
pub(crate) struct Feed {
    runtime: Arc<dyn Runtime>,
    pods: Pods,
    fault: watch::Sender<RuntimeFault>,
    /// Released by the first list.
    latch: Option<Latch>,
}

// === impl Feed ===

impl Feed {
    /// A feed for `pods` that reports faults of the runtime to `fault`.
    pub(crate) fn new(
        runtime: Arc<dyn Runtime>,
        pods: Pods,
        fault: watch::Sender<RuntimeFault>,
        latch: Latch,
    ) -> Self {
        Self { runtime, pods, fault, latch: Some(latch) }
    }

    /// Subscribes, lists, follows; and again whenever the runtime goes away.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        loop {
            let Err(error) = self.follow(&mut backoff).await;
            tracing::warn!(%error, "lost the container runtime");
            self.fault.send_replace(Some(error.to_string()));
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    async fn follow(&mut self, backoff: &mut Backoff) -> Result<std::convert::Infallible, RuntimeError> {
        let mut events = self.runtime.events();
        loop {
            match self.next(&mut events).await? {
                RuntimeEvent::Connected => {
                    self.list().await?;
                    backoff.reset();
                }
                RuntimeEvent::Started { id, pod_uid } => self.pods.changed(&pod_uid, id, Change::Started),
                RuntimeEvent::Died { id, pod_uid } => self.pods.changed(&pod_uid, id, Change::Died),
                RuntimeEvent::Removed { id, pod_uid } => self.pods.changed(&pod_uid, id, Change::Removed),
            }
        }
    }

    /// The next event; lists now and then while waiting for it.
    async fn next(
        &mut self,
        events: &mut BoxStream<'static, Result<RuntimeEvent, RuntimeError>>,
    ) -> Result<RuntimeEvent, RuntimeError> {
        // Spread by chance, so that the kubelets of one engine do not ask all at once.
        let period = RELIST + RELIST.mul_f64(fastrand::f64() / 10.0);
        let mut due = Instant::now() + period;
        loop {
            tokio::select! {
                event = events.next() => return event.unwrap_or_else(|| Err(ended())),
                () = sleep_until(due) => {
                    self.list().await?;
                    due = Instant::now() + period;
                }
            }
        }
    }

    async fn list(&mut self) -> Result<(), RuntimeError> {
        let containers = self.runtime.list(None).await?;
        self.pods.listed(containers);
        self.fault.send_if_modified(|fault| fault.take().is_some());
        if let Some(latch) = self.latch.take() {
            latch.release();
        }
        Ok(())
    }
}

fn ended() -> RuntimeError {
    RuntimeError::Unreachable { operation: "follow its events", message: "the stream ended".to_owned() }
}
