//! The table as others see it.

use std::net::Ipv4Addr;

use keelson_proto::v1::service_proxy_server::ServiceProxy;
use keelson_proto::v1::{
    EndpointInUseRequest, EndpointInUseResponse, ProxyBackend, ServicePortEntry, TableRequest, TableResponse,
};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::config::Mode;
use crate::table::{ServicePort, Table};

/// Answers for the table in force.
#[derive(Clone, Debug)]
pub struct TableService {
    pub(crate) mode: Mode,
    pub(crate) table: watch::Receiver<Table>,
}

// === impl TableService ===

#[tonic::async_trait]
impl ServiceProxy for TableService {
    async fn table(&self, request: Request<TableRequest>) -> Result<Response<TableResponse>, Status> {
        let TableRequest { namespace, name } = request.into_inner();
        let table = self.table.borrow().clone();
        let asked = |port: &&std::sync::Arc<ServicePort>| {
            let service = &port.id.service;
            (namespace.is_empty() || service.namespace == namespace)
                && (name.is_empty() || service.name == name)
        };
        let ports = table.ports().filter(asked).map(|port| entry(port)).collect();
        Ok(Response::new(TableResponse { mode: self.mode.to_string(), ports }))
    }

    async fn endpoint_in_use(
        &self,
        request: Request<EndpointInUseRequest>,
    ) -> Result<Response<EndpointInUseResponse>, Status> {
        let EndpointInUseRequest { ip, port } = request.into_inner();
        let parsed: Result<Ipv4Addr, _> = ip.parse();
        let ip =
            parsed.map_err(|_| Status::invalid_argument(format!("ip: {ip:?} is not an IPv4 address")))?;
        let port =
            u16::try_from(port).map_err(|_| Status::invalid_argument("port: must be between 0 and 65535"))?;
        let table = self.table.borrow().clone();
        let mut backends = table.ports().flat_map(|port| &port.backends);
        let in_use = backends.any(|backend| *backend.ip() == ip && (port == 0 || backend.port() == port));
        Ok(Response::new(EndpointInUseResponse { in_use }))
    }
}

fn entry(port: &ServicePort) -> ServicePortEntry {
    let backend = |backend: &std::net::SocketAddrV4| ProxyBackend {
        ip: backend.ip().to_string(),
        port: backend.port().into(),
    };
    ServicePortEntry {
        namespace: port.id.service.namespace.clone(),
        name: port.id.service.name.clone(),
        port_name: port.port_name.clone(),
        protocol: port.id.protocol.api_name().to_owned(),
        cluster_ip: port.cluster_ip.to_string(),
        port: port.id.port.into(),
        node_port: port.node_port.map_or(0, |port| port.get().into()),
        affinity_seconds: port.affinity.map_or(0, u32::from),
        backends: port.backends.iter().map(backend).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::{mk_port, mk_table};

    fn mk_service() -> TableService {
        let web = mk_port("web", "10.0.0.9", 30080, &["10.1.0.1:8080", "10.1.0.2:8080"]);
        let other = mk_port("other", "10.0.0.8", 0, &[]);
        let (_, table) = watch::channel(mk_table(&[web, other]));
        TableService { mode: Mode::Nftables, table }
    }

    #[tokio::test]
    async fn the_table_is_told_as_asked() {
        let ask = async |namespace: &str, name: &str| {
            let request = TableRequest { namespace: namespace.to_owned(), name: name.to_owned() };
            mk_service().table(Request::new(request)).await.unwrap().into_inner()
        };
        let all = ask("", "").await;
        assert_eq!(all.mode, "nftables");
        assert_eq!(all.ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>(), ["other", "web"]);
        let web = ask("default", "web").await.ports.remove(0);
        assert_eq!((web.cluster_ip.as_str(), web.port, web.node_port), ("10.0.0.9", 80, 30080));
        assert_eq!((web.protocol.as_str(), web.backends.len()), ("TCP", 2));
        assert_eq!(ask("kube-system", "").await.ports.len(), 0);
    }

    #[tokio::test]
    async fn an_endpoint_is_in_use_while_a_service_leads_there() {
        let ask = async |ip: &str, port| {
            let request = EndpointInUseRequest { ip: ip.to_owned(), port };
            mk_service().endpoint_in_use(Request::new(request)).await.map(|answer| answer.into_inner().in_use)
        };
        assert!(ask("10.1.0.1", 8080).await.unwrap());
        assert!(ask("10.1.0.1", 0).await.unwrap());
        assert!(!ask("10.1.0.1", 80).await.unwrap());
        assert!(!ask("10.1.0.3", 0).await.unwrap());
        for (ip, port) in [("web", 0), ("", 0), ("10.1.0.1", 70_000)] {
            assert_eq!(ask(ip, port).await.unwrap_err().code(), tonic::Code::InvalidArgument);
        }
    }
}
