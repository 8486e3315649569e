//! What a server says of itself (`grpc.health.v1`), for those who have a choice.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::Service;

use super::connection::{Sender, Target};
use super::pool::Word;

/// Calls on one connection.
#[derive(Clone)]
struct OneConnection {
    sender: Sender,
    target: Target,
}

/// Tells what the server says of itself as a whole, as often as it changes its mind, until the connection ends. A server
/// without such a service stays unknown.
pub(super) async fn follow(sender: Sender, target: Target, mut tell: impl FnMut(Word)) {
    let mut client = HealthClient::new(OneConnection { sender, target });
    let Ok(answer) = client.watch(HealthCheckRequest::default()).await else { return };
    let mut words = answer.into_inner();
    while let Ok(Some(word)) = words.message().await {
        tell(match word.status() {
            ServingStatus::Serving => Word::Serving,
            ServingStatus::NotServing => Word::NotServing,
            ServingStatus::Unknown | ServingStatus::ServiceUnknown => Word::Unknown,
        });
    }
}

// === impl OneConnection ===

impl Service<Request<Body>> for OneConnection {
    type Response = Response<Incoming>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Incoming>, Status>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut parts = request.uri().clone().into_parts();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.target.authority.clone());
        let mut sender = self.sender.clone();
        Box::pin(async move {
            *request.uri_mut() =
                Uri::from_parts(parts).map_err(|error| Status::internal(error.to_string()))?;
            sender.send_request(request).await.map_err(|error| Status::unavailable(error.to_string()))
        })
    }
}
