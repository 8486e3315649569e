//! Health over gRPC: `grpc.health.v1`, following the latches as they are released.

use std::pin::Pin;

use futures::{Stream, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

use super::Health;
use super::health::Latches;

/// Answers `Check` and `Watch` from a [`Health`]. The service `""` is the whole process, others are its components.
#[derive(Clone, Debug)]
pub struct HealthService {
    health: Health,
}

/// A `Watch` in progress.
struct Watch {
    health: Health,
    latches: watch::Receiver<Latches>,
    service: String,
    sent: Option<ServingStatus>,
}

// === impl HealthService ===

impl HealthService {
    pub(super) fn new(health: Health) -> Self {
        Self { health }
    }

    fn status(&self, service: &str) -> Option<ServingStatus> {
        let status = if service.is_empty() {
            serving(self.health.is_ready())
        } else {
            of_latches(service, &self.health.latches().borrow(), self.health.drain().is_signaled())
        };
        (status != ServingStatus::ServiceUnknown).then_some(status)
    }
}

#[tonic::async_trait]
impl health_server::Health for HealthService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        let unknown = || Status::not_found(format!("there is no component {service:?}"));
        self.status(service).map(|status| Response::new(response(status))).ok_or_else(unknown)
    }

    /// The state now and after every change; ends once the process drains, so as not to hold it.
    ///
    /// Checks are only made when asked, so here the latches alone count.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let watch = Watch {
            health: self.health.clone(),
            latches: self.health.latches(),
            service: request.into_inner().service,
            sent: None,
        };
        Ok(Response::new(Box::pin(stream::unfold(Some(watch), Watch::advance))))
    }
}

// === impl Watch ===

impl Watch {
    async fn advance(watch: Option<Self>) -> Option<(Result<HealthCheckResponse, Status>, Option<Self>)> {
        watch?.next().await
    }

    /// The next state that differs from the last, and the rest of the watch.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Option<Self>)> {
        let drain = self.health.drain().clone();
        loop {
            let draining = drain.is_signaled();
            let status = of_latches(&self.service, &self.latches.borrow_and_update(), draining);
            if self.sent != Some(status) {
                self.sent = Some(status);
                return Some((Ok(response(status)), (!draining).then_some(self)));
            }
            if draining {
                return None;
            }
            tokio::select! {
                changed = self.latches.changed() => changed.ok()?,
                () = drain.signaled() => {}
            }
        }
    }
}

/// The state of a component, or of all (`""`), as far as latches and drain tell.
fn of_latches(service: &str, latches: &Latches, draining: bool) -> ServingStatus {
    let released = match service {
        "" => Some(latches.values().all(|&held| held == 0)),
        _ => latches.get(service).map(|&held| held == 0),
    };
    released.map_or(ServingStatus::ServiceUnknown, |released| serving(released && !draining))
}

fn serving(yes: bool) -> ServingStatus {
    if yes { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
