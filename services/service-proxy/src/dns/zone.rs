//! Which records a name has, by the specification of DNS in Kubernetes (1.1.0). Pure, over the informers' caches.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use keelson_base_client::Cache;
use keelson_base_model::key::ObjectKey;
use keelson_proto::core::{EndpointAddress, Endpoints, Service};

/// The version of the specification that `dns-version.<domain>` tells.
const VERSION: &str = "1.1.0";

/// The label of a service that has no address of its own.
const HEADLESS: &str = "None";

/// The names of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    domain: Vec<String>,
    /// Indexed by [`cluster_ip`].
    services: Cache<Service>,
    /// Indexed by [`hostnames`].
    endpoints: Cache<Endpoints>,
}

/// What a question wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    A,
    Srv,
    Ptr,
    Txt,
    Cname,
    Soa,
    Ns,
    Any,
    /// What no name here has, such as addresses of IPv6.
    Other,
}

/// What a name has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    A(Ipv4Addr),
    Srv { port: u16, target: String },
    Ptr(String),
    Txt(&'static str),
    Cname(String),
    Soa,
    Ns(String),
}

/// A name and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) data: Data,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is such a name: what was wanted, maybe nothing, and what will be asked next.
    Name { answers: Vec<Record>, further: Vec<Record> },
    /// There is no such name.
    NoName,
    /// The name is not the cluster's.
    Elsewhere,
}

/// One port of a service or of its endpoints.
struct Port {
    name: String,
    protocol: String,
    number: u16,
}

/// The addresses of endpoints that have a host name, for [`Zone`]'s index: they alone have names by address.
pub(crate) fn hostnames(endpoints: &Endpoints) -> Vec<String> {
    let addresses = endpoints.subsets.iter().flat_map(|subset| &subset.addresses);
    addresses.filter(|address| !address.hostname.is_empty()).map(|address| address.ip.clone()).collect()
}

/// The address of a service, for [`Zone`]'s index.
pub(crate) fn cluster_ip(service: &Service) -> Vec<String> {
    let ip = &service.spec.cluster_ip;
    if ip.is_empty() || ip == HEADLESS { Vec::new() } else { vec![ip.clone()] }
}

// === impl Zone ===

impl Zone {
    /// The names below `domain` of what is in the caches.
    pub(crate) fn new(domain: &str, services: Cache<Service>, endpoints: Cache<Endpoints>) -> Self {
        let domain = domain.trim_matches('.').to_ascii_lowercase();
        Self { domain: domain.split('.').map(str::to_owned).collect(), services, endpoints }
    }

    /// The cluster's domain, without a dot at its end.
    pub(super) fn domain(&self) -> String {
        self.domain.join(".")
    }

    /// Looks a name up; its labels are in lower case, the leftmost first.
    pub(super) fn find(&self, labels: &[&str], wanted: Wanted) -> Found {
        if let [rest @ .., "in-addr", "arpa"] = labels {
            return self.by_address(rest, wanted);
        }
        let Some(within) = labels.len().checked_sub(self.domain.len()) else { return Found::Elsewhere };
        let (labels, domain) = labels.split_at(within);
        if !domain.iter().eq(self.domain.iter()) {
            return Found::Elsewhere;
        }
        match labels {
            [] => self.apex(wanted),
            ["dns-version"] => found(wanted, self.record("dns-version", Data::Txt(VERSION))),
            ["svc" | "pod" | "dns"] | ["ns", "dns"] => nothing(),
            [namespace, "svc" | "pod"] => match self.services.namespace(namespace).is_empty() {
                true => Found::NoName,
                false => nothing(),
            },
            [address, namespace, "pod"] => self.pod(address, namespace, wanted),
            [rest @ .., service, namespace, "svc"] => self.service(rest, service, namespace, wanted),
            _ => Found::NoName,
        }
    }

    fn record(&self, name: &str, data: Data) -> Record {
        Record { name: format!("{name}.{}", self.domain()), data }
    }

    fn apex(&self, wanted: Wanted) -> Found {
        let name = self.domain();
        let server = format!("ns.dns.{name}");
        let answers = match wanted {
            Wanted::Soa | Wanted::Any => vec![Record { name, data: Data::Soa }],
            Wanted::Ns => vec![Record { name, data: Data::Ns(server) }],
            _ => Vec::new(),
        };
        Found::Name { answers, further: Vec::new() }
    }

    /// A pod by its address, written with dashes: whoever knows the address may have its name.
    fn pod(&self, address: &str, namespace: &str, wanted: Wanted) -> Found {
        match address.replace('-', ".").parse() {
            Ok(ip) => found(wanted, self.record(&format!("{address}.{namespace}.pod"), Data::A(ip))),
            Err(_) => Found::NoName,
        }
    }

    fn service(&self, rest: &[&str], name: &str, namespace: &str, wanted: Wanted) -> Found {
        let key = ObjectKey::new(namespace, name);
        let Some(service) = self.services.get(&key) else { return Found::NoName };
        let own = format!("{name}.{namespace}.svc");
        if service.spec.r#type == "ExternalName" {
            let alias = service.spec.external_name.trim_end_matches('.').to_owned();
            return match rest {
                [] => answers(vec![self.record(&own, Data::Cname(alias))]),
                _ => Found::NoName,
            };
        }
        let endpoints = self.endpoints.get(&key);
        let headless = service.spec.cluster_ip == HEADLESS;
        match rest {
            [] if headless => self.headless(&own, endpoints.as_deref(), wanted),
            [] => self.cluster_ip(&own, &service, wanted),
            [port, protocol] if port.starts_with('_') && protocol.starts_with('_') => {
                let asked = |port_: &Port| {
                    port_.name.eq_ignore_ascii_case(&port[1..])
                        && port_.protocol.eq_ignore_ascii_case(&protocol[1..])
                };
                let prefix = format!("{port}.{protocol}.{own}");
                self.ports(&prefix, &own, &service, endpoints.as_deref(), asked, wanted)
            }
            [host] => self.endpoint(&own, host, endpoints.as_deref(), wanted),
            _ => Found::NoName,
        }
    }

    fn cluster_ip(&self, own: &str, service: &Service, wanted: Wanted) -> Found {
        let address = service.spec.cluster_ip.parse().ok().map(Data::A);
        let answers = match wanted {
            Wanted::A | Wanted::Any => address.map(|data| self.record(own, data)).into_iter().collect(),
            Wanted::Srv => return self.ports(own, own, service, None, |_| true, wanted),
            _ => Vec::new(),
        };
        Found::Name { answers, further: Vec::new() }
    }

    /// All that is ready; a service without any has a name no less.
    fn headless(&self, own: &str, endpoints: Option<&Endpoints>, wanted: Wanted) -> Found {
        let subsets = || endpoints.into_iter().flat_map(|endpoints| &endpoints.subsets);
        match wanted {
            Wanted::A | Wanted::Any => {
                let addresses = subsets().flat_map(|subset| &subset.addresses);
                let addresses: BTreeSet<Ipv4Addr> =
                    addresses.filter_map(|address| address.ip.parse().ok()).collect();
                answers(addresses.into_iter().map(|ip| self.record(own, Data::A(ip))).collect())
            }
            Wanted::Srv => self.endpoint_ports(own, own, endpoints, |_| true),
            _ => nothing(),
        }
    }

    /// One endpoint, by its host name or by its address with dashes.
    fn endpoint(&self, own: &str, host: &str, endpoints: Option<&Endpoints>, wanted: Wanted) -> Found {
        let subsets = endpoints.into_iter().flat_map(|endpoints| &endpoints.subsets);
        let addresses = subsets.flat_map(|subset| &subset.addresses);
        let named = addresses.filter(|address| host_of(address).eq_ignore_ascii_case(host));
        let ips: BTreeSet<Ipv4Addr> = named.filter_map(|address| address.ip.parse().ok()).collect();
        match (ips.is_empty(), wanted) {
            (true, _) => Found::NoName,
            (false, Wanted::A | Wanted::Any) => {
                let name = format!("{host}.{own}");
                answers(ips.into_iter().map(|ip| self.record(&name, Data::A(ip))).collect())
            }
            (false, _) => nothing(),
        }
    }

    /// The ports of a service that `asked` is true of.
    fn ports(
        &self,
        name: &str,
        own: &str,
        service: &Service,
        endpoints: Option<&Endpoints>,
        asked: impl Fn(&Port) -> bool,
        wanted: Wanted,
    ) -> Found {
        let found = if service.spec.cluster_ip == HEADLESS {
            self.endpoint_ports(name, own, endpoints, asked)
        } else {
            let ports = service.spec.ports.iter().filter_map(|port| {
                let number = u16::try_from(port.port).ok()?;
                Some(Port { name: port.name.clone(), protocol: port.protocol.clone(), number })
            });
            let target = format!("{own}.{}", self.domain());
            let record =
                |port: Port| self.record(name, Data::Srv { port: port.number, target: target.clone() });
            let address = service.spec.cluster_ip.parse().ok().map(|ip| self.record(own, Data::A(ip)));
            let answers = ports.filter(|port| asked(port)).map(record).collect();
            Found::Name { answers, further: address.into_iter().collect() }
        };
        match (found, wanted) {
            (Found::Name { answers, .. }, _) if answers.is_empty() && name != own => Found::NoName,
            (found, Wanted::Srv | Wanted::Any) => found,
            _ => nothing(),
        }
    }

    fn endpoint_ports(
        &self,
        name: &str,
        own: &str,
        endpoints: Option<&Endpoints>,
        asked: impl Fn(&Port) -> bool,
    ) -> Found {
        let (mut answers, mut further) = (Vec::new(), BTreeSet::new());
        for subset in endpoints.into_iter().flat_map(|endpoints| &endpoints.subsets) {
            for port in &subset.ports {
                let Ok(number) = u16::try_from(port.port) else { continue };
                if !asked(&Port { name: port.name.clone(), protocol: port.protocol.clone(), number }) {
                    continue;
                }
                for address in &subset.addresses {
                    let Ok(ip) = address.ip.parse::<Ipv4Addr>() else { continue };
                    let host = format!("{}.{own}", host_of(address));
                    let target = format!("{host}.{}", self.domain());
                    answers.push(self.record(name, Data::Srv { port: number, target }));
                    further.insert((host, ip));
                }
            }
        }
        let further = further.into_iter().map(|(host, ip)| self.record(&host, Data::A(ip))).collect();
        Found::Name { answers, further }
    }

    /// The name of an address, written backwards. Addresses that are not the cluster's are somebody else's matter.
    fn by_address(&self, labels: &[&str], wanted: Wanted) -> Found {
        let [d, c, b, a] = labels else { return Found::Elsewhere };
        let Ok(ip) = format!("{a}.{b}.{c}.{d}").parse::<Ipv4Addr>() else { return Found::Elsewhere };
        let text = ip.to_string();
        let mut names = Vec::new();
        for service in self.services.by_index(&text) {
            names.push(format!("{}.{}.svc", service.metadata.name, service.metadata.namespace));
        }
        for endpoints in self.endpoints.by_index(&text) {
            names.extend(endpoint_names(&endpoints, &text));
        }
        if names.is_empty() {
            return Found::Elsewhere;
        }
        let own = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
        let record =
            |name: String| Record { name: own.clone(), data: Data::Ptr(format!("{name}.{}", self.domain())) };
        match wanted {
            Wanted::Ptr | Wanted::Any => answers(names.into_iter().map(record).collect()),
            _ => nothing(),
        }
    }
}

/// The names that an address has among endpoints, without the domain.
fn endpoint_names(endpoints: &Arc<Endpoints>, ip: &str) -> Vec<String> {
    let meta = &endpoints.metadata;
    let addresses = endpoints.subsets.iter().flat_map(|subset| &subset.addresses);
    let named = addresses.filter(|address| address.ip == ip && !address.hostname.is_empty());
    let names: BTreeSet<String> =
        named.map(|address| format!("{}.{}.{}.svc", address.hostname, meta.name, meta.namespace)).collect();
    names.into_iter().collect()
}

/// What an endpoint is called below its service.
fn host_of(address: &EndpointAddress) -> String {
    if address.hostname.is_empty() { address.ip.replace('.', "-") } else { address.hostname.clone() }
}

fn answers(answers: Vec<Record>) -> Found {
    Found::Name { answers, further: Vec::new() }
}

fn nothing() -> Found {
    answers(Vec::new())
}

/// The record if it is of the kind that is wanted.
fn found(wanted: Wanted, record: Record) -> Found {
    let fits = matches!(
        (wanted, &record.data),
        (Wanted::Any, _) | (Wanted::A, Data::A(_)) | (Wanted::Txt, Data::Txt(_))
    );
    answers(if fits { vec![record] } else { Vec::new() })
}

#[cfg(test)]
pub(super) mod tests;
