//! The endpoint slices of the `kubernetes` service: api's own, which no loop manages.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use keelson_base_model::endpointslice::{MANAGED_BY, SERVICE_NAME, address_type};
use keelson_base_model::status::ApiError;
use keelson_proto::discovery::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use keelson_proto::meta::{CreateOptions, ObjectMeta};
use keelson_proto::v1::{DeleteRequest, ListRequest, RawUpdateRequest};
use keelson_proto::{Message, wire};

use super::{HTTPS, NAME, NAMESPACE};
use crate::auth::Caller;
use crate::registry::{EndpointSliceStrategy, Part, Registry};

/// Writes the slices that say where the API is, and deletes those that say where it was.
///
/// # Errors
/// Those of the registry.
pub(super) async fn write(
    registry: &Registry<EndpointSliceStrategy>,
    caller: &Caller,
    api: &[SocketAddrV4],
) -> Result<(), ApiError> {
    let slices = slices(api);
    for slice in &slices {
        let created =
            registry.create_object(caller, NAMESPACE, slice.clone(), &CreateOptions::default()).await;
        match created {
            Err(error) if error.is_already_exists() => {}
            created => {
                created?;
                continue;
            }
        }
        let update = RawUpdateRequest {
            namespace: NAMESPACE.to_owned(),
            name: slice.metadata.name.clone(),
            object: slice.encode_to_vec().into(),
            options: None,
        };
        registry.update(caller, update, Part::Whole).await?;
    }
    let ours = ListRequest {
        namespace: NAMESPACE.to_owned(),
        label_selector: format!("{SERVICE_NAME}={NAME},!{MANAGED_BY}"),
        ..ListRequest::default()
    };
    for found in registry.list(&ours).await?.items {
        let metadata = wire::metadata(&found).map_err(ApiError::internal)?;
        if slices.iter().any(|slice| slice.metadata.name == metadata.name) {
            continue;
        }
        let request = DeleteRequest { namespace: metadata.namespace, name: metadata.name, options: None };
        match registry.delete(caller, request).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// One slice for each port that an API listens on; the first is called like the service.
fn slices(api: &[SocketAddrV4]) -> Vec<EndpointSlice> {
    let mut ports: BTreeMap<u16, Vec<Ipv4Addr>> = BTreeMap::new();
    for at in api {
        ports.entry(at.port()).or_default().push(*at.ip());
    }
    let named = |(index, (port, addresses)): (usize, (u16, Vec<Ipv4Addr>))| {
        let name = if index == 0 { NAME.to_owned() } else { format!("{NAME}-{port}") };
        slice(name, port, &addresses)
    };
    ports.into_iter().enumerate().map(named).collect()
}

fn slice(name: String, port: u16, addresses: &[Ipv4Addr]) -> EndpointSlice {
    let endpoint = |address: &Ipv4Addr| Endpoint {
        addresses: vec![address.to_string()],
        conditions: EndpointConditions { ready: Some(true), ..EndpointConditions::default() },
        ..Endpoint::default()
    };
    let port = EndpointPort {
        name: Some(HTTPS.to_owned()),
        port: Some(port.into()),
        protocol: Some("TCP".to_owned()),
        ..EndpointPort::default()
    };
    EndpointSlice {
        metadata: ObjectMeta {
            name,
            namespace: NAMESPACE.to_owned(),
            labels: [(SERVICE_NAME.to_owned(), NAME.to_owned())].into(),
            ..ObjectMeta::default()
        },
        address_type: address_type::IPV4.to_owned(),
        endpoints: addresses.iter().map(endpoint).collect(),
        ports: vec![port],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_slice_for_each_port() {
        let api = ["10.0.0.1:6443", "10.0.0.2:6443", "10.0.0.3:7443"].map(|at| at.parse().unwrap());
        let text = |slice: &EndpointSlice| {
            let addresses: Vec<_> = slice.endpoints.iter().map(|one| one.addresses.join(",")).collect();
            format!("{} {:?} {}", slice.metadata.name, slice.ports[0].port, addresses.join(" "))
        };
        let found: Vec<_> = slices(&api).iter().map(text).collect();
        assert_eq!(found, ["kubernetes Some(6443) 10.0.0.1 10.0.0.2", "kubernetes-7443 Some(7443) 10.0.0.3"]);
    }
}
