//! What a pod is called: its host name, and its name in the cluster's DNS.

use keelson_proto::core::Pod;

use super::DnsConfig;

/// Longest host name, by its first part and in all.
const MAX_HOSTNAME: usize = 63;
const MAX_FQDN: usize = 64;

/// A pod whose host name is to be its whole name, which is too long for the kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Failed to construct FQDN from pod hostname and cluster domain, FQDN {name} is too long ({MAX_FQDN} characters is the max, {} characters requested)",
    name.len()
)]
pub struct NameTooLong {
    name: String,
}

/// The pod's names for its /etc/hosts, the longest first.
pub fn names(pod: &Pod, dns: &DnsConfig) -> Result<Vec<String>, NameTooLong> {
    let own = own(pod, dns)?;
    let full = full(pod, dns).filter(|full| *full != own);
    let short = Some(short(pod)).filter(|short| *short != own);
    Ok(full.into_iter().chain([own]).chain(short).collect())
}

/// What the pod's programs are told that their host is called.
pub(super) fn own(pod: &Pod, dns: &DnsConfig) -> Result<String, NameTooLong> {
    let full = full(pod, dns).filter(|_| pod.spec.set_hostname_as_fqdn == Some(true));
    match full {
        Some(name) if name.len() > MAX_FQDN => Err(NameTooLong { name }),
        Some(name) => Ok(name),
        None => Ok(short(pod)),
    }
}

/// The pod's own wish or its name, cut to what a host name may be.
fn short(pod: &Pod) -> String {
    if let Some(name) = pod.spec.hostname_override.as_ref().filter(|name| !name.is_empty()) {
        return name.clone();
    }
    let wish = &pod.spec.hostname;
    let name = if wish.is_empty() { &pod.metadata.name } else { wish };
    let cut: String = name.chars().take(MAX_HOSTNAME).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

/// The pod's name in the cluster's DNS, if it has a subdomain.
fn full(pod: &Pod, dns: &DnsConfig) -> Option<String> {
    let subdomain = Some(&pod.spec.subdomain).filter(|subdomain| !subdomain.is_empty())?;
    if pod.spec.hostname_override.as_ref().is_some_and(|name| !name.is_empty()) {
        return None;
    }
    let domain = if dns.domain.is_empty() { String::new() } else { format!(".{}", dns.domain) };
    Some(format!("{}.{subdomain}.{}.svc{domain}", short(pod), pod.metadata.namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_pod(name: &str, hostname: &str, subdomain: &str, full: bool) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = name.to_owned();
        pod.metadata.namespace = "shop".to_owned();
        pod.spec.hostname = hostname.to_owned();
        pod.spec.subdomain = subdomain.to_owned();
        pod.spec.set_hostname_as_fqdn = Some(full);
        pod
    }

    #[test]
    fn name_table() {
        let dns = DnsConfig { domain: "c.local".to_owned(), ..DnsConfig::default() };
        let table: [(_, &str, &[&str]); 5] = [
            (mk_pod("web", "", "", false), "web", &["web"]),
            (mk_pod("web", "me", "", true), "me", &["me"]),
            (mk_pod("web", "me", "sub", false), "me", &["me.sub.shop.svc.c.local", "me"]),
            (mk_pod("web", "me", "sub", true), "me.sub.shop.svc.c.local", &["me.sub.shop.svc.c.local", "me"]),
            (mk_pod(&format!("{}-x", "a".repeat(62)), "", "", false), &"a".repeat(62), &[&"a".repeat(62)]),
        ];
        for (pod, expected, all) in table {
            assert_eq!(own(&pod, &dns).as_deref(), Ok(expected));
            assert_eq!(names(&pod, &dns).unwrap(), all);
        }
        let long = own(&mk_pod(&"a".repeat(60), "", "sub", true), &dns).unwrap_err();
        assert!(
            long.to_string().contains("is too long (64 characters is the max, 81 characters requested)"),
            "{long}"
        );
        let mut pod = mk_pod("web", "", "sub", true);
        pod.spec.hostname_override = Some("other".to_owned());
        assert_eq!(names(&pod, &dns).unwrap(), ["other"]);
    }
}
