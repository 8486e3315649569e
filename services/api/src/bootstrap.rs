//! What every cluster begins with: its namespaces, the `kubernetes` service by which pods find the API, and the
//! `kube-dns` service by which people find cluster DNS.

mod slices;

use std::net::SocketAddrV4;

use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::core::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Namespace, Service, ServicePort,
};
use keelson_proto::meta::{CreateOptions, ObjectMeta};
use keelson_proto::v1::RawUpdateRequest;

use crate::Registries;
use crate::admission::{IMMORTAL, NODE_LEASES};
use crate::auth::Caller;
use crate::registry::Part;

const NAME: &str = "kubernetes";
const NAMESPACE: &str = "default";
const HTTPS: &str = "https";

const DNS_NAME: &str = "kube-dns";
const DNS_NAMESPACE: &str = "kube-system";

/// Makes what is missing, and puts the addresses of the API behind its service.
///
/// # Errors
/// Those of the registries.
pub(crate) async fn run(registries: &Registries, api: &[SocketAddrV4]) -> Result<(), ApiError> {
    let (caller, options) = (Caller::api(), CreateOptions::default());
    for name in IMMORTAL.iter().chain([&NODE_LEASES]) {
        let namespace = Namespace {
            metadata: ObjectMeta { name: (*name).to_owned(), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        unless_there(registries.namespaces.create_object(&caller, "", namespace, &options).await)?;
    }
    let address = registries.allocators.first_address().to_string();
    unless_there(registries.services.create_object(&caller, NAMESPACE, service(address), &options).await)?;
    if let Some(address) = registries.allocators.dns_address() {
        let service = dns_service(address.to_string());
        let made = registries.services.create_object(&caller, DNS_NAMESPACE, service, &options).await;
        // The address may be another service's already, in a cluster that is older than this service.
        if let Err(error) = unless_there(made) {
            tracing::warn!(%address, %error, "there is no service for cluster DNS");
        }
    }
    if api.is_empty() {
        return Ok(());
    }
    let endpoints = endpoints(api);
    let update = RawUpdateRequest {
        namespace: NAMESPACE.to_owned(),
        name: NAME.to_owned(),
        object: endpoints.encode_to_vec().into(),
        options: None,
    };
    registries.endpoints.update(&caller, update, Part::Whole).await?;
    slices::write(&registries.endpointslices, &caller, api).await
}

fn unless_there<T>(created: Result<T, ApiError>) -> Result<(), ApiError> {
    match created {
        Err(error) if !error.is_already_exists() => Err(error),
        _ => Ok(()),
    }
}

fn metadata() -> ObjectMeta {
    let labels = [("component", "apiserver"), ("provider", NAME)];
    ObjectMeta {
        name: NAME.to_owned(),
        namespace: NAMESPACE.to_owned(),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..ObjectMeta::default()
    }
}

fn service(cluster_ip: String) -> Service {
    let mut service = Service { metadata: metadata(), ..Service::default() };
    service.spec.cluster_ip = cluster_ip;
    service.spec.ports = vec![ServicePort {
        name: HTTPS.to_owned(),
        protocol: "TCP".to_owned(),
        port: 443,
        target_port: 6443.into(),
        ..ServicePort::default()
    }];
    service
}

/// Holds the address of cluster DNS. It has no endpoints: each host's service-proxy answers at the address itself.
fn dns_service(cluster_ip: String) -> Service {
    let labels =
        [("k8s-app", DNS_NAME), ("kubernetes.io/cluster-service", "true"), ("kubernetes.io/name", "CoreDNS")];
    let mut service = Service {
        metadata: ObjectMeta {
            name: DNS_NAME.to_owned(),
            namespace: DNS_NAMESPACE.to_owned(),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            ..ObjectMeta::default()
        },
        ..Service::default()
    };
    service.spec.cluster_ip = cluster_ip;
    service.spec.ports = [("dns", "UDP"), ("dns-tcp", "TCP")]
        .map(|(name, protocol)| ServicePort {
            name: name.to_owned(),
            protocol: protocol.to_owned(),
            port: 53,
            target_port: 53.into(),
            ..ServicePort::default()
        })
        .into();
    service
}

/// One subset for each port that an API listens on.
fn endpoints(api: &[SocketAddrV4]) -> Endpoints {
    let subsets = api.iter().map(|at| EndpointSubset {
        addresses: vec![EndpointAddress { ip: at.ip().to_string(), ..EndpointAddress::default() }],
        ports: vec![EndpointPort {
            name: HTTPS.to_owned(),
            port: at.port().into(),
            protocol: "TCP".to_owned(),
            ..EndpointPort::default()
        }],
        ..EndpointSubset::default()
    });
    let mut endpoints = Endpoints { metadata: metadata(), subsets: subsets.collect() };
    // Their slices are written here as well.
    endpoints.metadata.labels.insert("endpointslice.kubernetes.io/skip-mirror".to_owned(), "true".to_owned());
    endpoints
}
