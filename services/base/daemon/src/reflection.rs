//! gRPC server reflection, so that `grpcurl` and its like need no .proto files.

use tonic::service::Routes;
use tonic_reflection::server::{Builder, v1, v1alpha};

/// A descriptor set that reflection cannot be built from: a fault of the build that made it.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve reflection: the descriptor set is not usable")]
pub struct ReflectionError(#[from] tonic_reflection::server::Error);

/// Both versions of the reflection service (today's clients ask for v1, older ones for v1alpha), describing every
/// service of an encoded `FileDescriptorSet`, and the health service that each server has besides.
pub fn reflection_service(
    descriptor_set: &'static [u8],
) -> Result<
    (
        v1::ServerReflectionServer<impl v1::ServerReflection>,
        v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>,
    ),
    ReflectionError,
> {
    let health = tonic_health::pb::FILE_DESCRIPTOR_SET;
    let builder = || {
        let builder = Builder::configure().register_encoded_file_descriptor_set(descriptor_set);
        builder.register_encoded_file_descriptor_set(health)
    };
    Ok((builder().build_v1()?, builder().build_v1alpha()?))
}

/// Adds both versions of the reflection service to `routes`.
pub fn add_reflection(routes: Routes, descriptor_set: &'static [u8]) -> Result<Routes, ReflectionError> {
    let (v1, v1alpha) = reflection_service(descriptor_set)?;
    Ok(routes.add_service(v1).add_service(v1alpha))
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    use super::*;

    #[tokio::test]
    async fn described_services_are_listed() {
        let routes = add_reflection(Routes::default(), &[]).unwrap();
        // In-process, as services of `keelson up` call each other.
        let mut client = ServerReflectionClient::new(routes.prepare());
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
        let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
        let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
        assert!(names.contains(&"grpc.health.v1.Health"), "{names:?}");
    }

    #[test]
    fn a_broken_descriptor_set_is_an_error() {
        assert!(reflection_service(b"\xff\xff").is_err());
    }
}
