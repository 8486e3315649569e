//! The pod's resolv.conf, by its dnsPolicy and dnsConfig.

use std::net::IpAddr;

use keelson_proto::core::Pod;

use crate::runtime::Dns;

/// What the node knows of name servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsConfig {
    /// Addresses of the cluster's DNS; empty if it has none.
    pub servers: Vec<IpAddr>,
    /// The cluster's domain, for instance `cluster.local`.
    pub domain: String,
    /// The host's own search domains, which stay reachable.
    pub host_searches: Vec<String>,
}

/// The content of `pod`'s resolv.conf; empty parts are the host's.
pub(super) fn resolve(pod: &Pod, config: &DnsConfig) -> Dns {
    let cluster = match pod.spec.dns_policy.as_str() {
        "Default" | "None" => false,
        "ClusterFirstWithHostNet" => true,
        _ => !pod.spec.host_network,
    };
    let mut dns =
        if cluster && !config.servers.is_empty() { cluster_dns(pod, config) } else { Dns::default() };
    if let Some(own) = &pod.spec.dns_config {
        dns.servers.extend(own.nameservers.iter().filter_map(|ip| ip.parse::<IpAddr>().ok()));
        merge(&mut dns.searches, own.searches.clone());
        for option in &own.options {
            // A later option of the same name replaces an earlier one.
            dns.options.retain(|before| before.split(':').next() != Some(option.name.as_str()));
            dns.options.push(match &option.value {
                Some(value) => format!("{}:{value}", option.name),
                None => option.name.clone(),
            });
        }
    }
    dns
}

fn cluster_dns(pod: &Pod, config: &DnsConfig) -> Dns {
    let (namespace, domain) = (&pod.metadata.namespace, &config.domain);
    let mut searches = vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.clone()];
    merge(&mut searches, config.host_searches.clone());
    Dns { servers: config.servers.clone(), searches, options: vec!["ndots:5".to_owned()] }
}

fn merge(searches: &mut Vec<String>, more: Vec<String>) {
    for search in more {
        if !searches.contains(&search) {
            searches.push(search);
        }
    }
}
