//! A variable for every port of every service: how programs found each other before there was DNS.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_proto::core::Service;

/// The service whose variables every pod gets: api itself.
const MASTER: (&str, &str) = ("default", "kubernetes");

/// The variables of the services that a pod of `namespace` sees; without `links` only those of `kubernetes`.
pub(super) fn variables(services: &[Arc<Service>], namespace: &str, links: bool) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let master = |service: &Service| {
        let metadata = &service.metadata;
        (metadata.namespace.as_str(), metadata.name.as_str()) == MASTER
    };
    let own = services.iter().filter(|service| links && service.metadata.namespace == namespace);
    // The pod's own namespace comes last, so that a service called `kubernetes` there wins.
    for service in services.iter().filter(|service| master(service)).chain(own) {
        add(service, &mut variables);
    }
    variables
}

fn add(service: &Service, variables: &mut BTreeMap<String, String>) {
    let ip = service.spec.cluster_ip.as_str();
    if matches!(ip, "" | "None") {
        return;
    }
    let Some(first) = service.spec.ports.first() else { return };
    let name = shout(&service.metadata.name);
    variables.insert(format!("{name}_SERVICE_HOST"), ip.to_owned());
    variables.insert(format!("{name}_SERVICE_PORT"), first.port.to_string());
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
    for (index, port) in service.spec.ports.iter().enumerate() {
        let number = port.port;
        if !port.name.is_empty() {
            variables.insert(format!("{name}_SERVICE_PORT_{}", shout(&port.name)), number.to_string());
        }
        let protocol = if port.protocol.is_empty() { "TCP" } else { port.protocol.as_str() };
        let scheme = protocol.to_lowercase();
        let url = format!("{scheme}://{host}:{number}");
        let prefix = format!("{name}_PORT_{number}_{}", protocol.to_uppercase());
        if index == 0 {
            variables.insert(format!("{name}_PORT"), url.clone());
        }
        variables.insert(prefix.clone(), url);
        variables.insert(format!("{prefix}_PROTO"), scheme);
        variables.insert(format!("{prefix}_PORT"), number.to_string());
        variables.insert(format!("{prefix}_ADDR"), ip.to_owned());
    }
}

/// `my-service` as a variable: `MY_SERVICE`.
fn shout(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}
