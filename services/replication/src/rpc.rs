//! The control loops as others see them: the gRPC service `keelson.v1.Replication`.

use keelson_base_daemon::tls::Peer;
use keelson_proto::v1::replication_server::Replication;
use keelson_proto::v1::{LoopsRequest, LoopsResponse};
use tonic::{Request, Response, Status};

use crate::cache::Caches;
use crate::hearers::Hearers;

/// Answers how the loops are doing.
#[derive(Clone, Debug)]
pub(crate) struct LoopsService {
    hearers: Hearers,
    caches: Caches,
}

// === impl LoopsService ===

impl LoopsService {
    /// The service of these loops.
    pub(crate) fn new(hearers: Hearers, caches: Caches) -> Self {
        Self { hearers, caches }
    }
}

#[tonic::async_trait]
impl Replication for LoopsService {
    async fn loops(&self, request: Request<LoopsRequest>) -> Result<Response<LoopsResponse>, Status> {
        if request.extensions().get::<Peer>().is_none() {
            return Err(Status::unauthenticated(
                "the state of the control loops is told to callers with a client certificate",
            ));
        }
        let synced = self.caches.is_synced();
        let loops = self.hearers.loops().states().iter().map(|state| state.status(synced)).collect();
        Ok(Response::new(LoopsResponse { loops }))
    }
}
