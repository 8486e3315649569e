//! Calling the standard gRPC health service (grpc.health.v1).

use std::time::Duration;

use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::target::Endpoint;
use super::{Finding, PROBE_AGENT};

/// SERVING is success.
pub(super) async fn check(endpoint: &Endpoint, service: &str, limit: Duration) -> Finding {
    match tokio::time::timeout(limit, call(endpoint, service)).await {
        Ok(finding) => finding,
        Err(_) => Finding::Failure(late(endpoint, limit)),
    }
}

fn late(endpoint: &Endpoint, limit: Duration) -> String {
    format!("timeout: failed to connect service \"{endpoint}\" within {limit:?}: context deadline exceeded")
}

async fn call(endpoint: &Endpoint, service: &str) -> Finding {
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{endpoint}"))
        .and_then(|channel| channel.user_agent(PROBE_AGENT));
    let channel = match channel {
        Ok(channel) => channel,
        Err(error) => return Finding::Unknown(error.to_string()),
    };
    let channel = match channel.connect().await {
        Ok(channel) => channel,
        Err(error) => return Finding::Failure(format!("failed to connect service \"{endpoint}\": {error}")),
    };
    let answer = HealthClient::new(channel).check(HealthCheckRequest { service: service.to_owned() }).await;
    match answer.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => Finding::Success,
        Ok(status) => {
            Finding::Failure(format!("service unhealthy (responded with \"{}\")", status.as_str_name()))
        }
        Err(status) if status.code() == Code::Unimplemented => Finding::Failure(format!(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {}",
            status.message()
        )),
        Err(status) => Finding::Failure(format!(
            "error: health rpc probe failed: {:?}: {}",
            status.code(),
            status.message()
        )),
    }
}
