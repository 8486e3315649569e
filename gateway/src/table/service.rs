//! The row of a service.

use jiff::Timestamp;
use keelson_proto::core::{Service, ServicePort};

use super::{AGE, Cell, Column, NAME, Tabled, UNKNOWN, labels, or_none, since, text, wide};

impl Tabled for Service {
    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Type", "How the service is exposed."),
        text("Cluster-IP", "Address of the service inside the cluster."),
        text("External-IP", "Addresses of the service outside the cluster."),
        text("Port(s)", "Ports of the service, each with its node port if it has one."),
        AGE,
        wide(text("Selector", "Labels of the pods that get the traffic.")),
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let ports: Vec<String> = self.spec.ports.iter().map(port).collect();
        vec![
            self.metadata.name.as_str().into(),
            self.spec.r#type.as_str().into(),
            or_none(&self.spec.cluster_ip).into(),
            external(self).into(),
            or_none(&ports.join(",")).into(),
            since(self.metadata.creation_timestamp, now).into(),
            labels(&self.spec.selector).into(),
        ]
    }
}

fn port(port: &ServicePort) -> String {
    match port.node_port {
        0 => format!("{}/{}", port.port, port.protocol),
        node_port => format!("{}:{node_port}/{}", port.port, port.protocol),
    }
}

fn external(service: &Service) -> String {
    let own = &service.spec.external_ips;
    match service.spec.r#type.as_str() {
        "ClusterIP" | "NodePort" => or_none(&own.join(",")).to_owned(),
        "ExternalName" => service.spec.external_name.clone(),
        "LoadBalancer" => {
            let ingress = service.status.load_balancer.ingress.iter();
            let given = ingress.map(|point| if point.ip.is_empty() { &point.hostname } else { &point.ip });
            let all: Vec<&str> =
                given.chain(own).map(String::as_str).filter(|text| !text.is_empty()).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        _ => UNKNOWN.to_owned(),
    }
}
