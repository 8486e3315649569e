//! The rules for a pod that begins to exist, and for templates of pods.

use keelson_proto::core::{Pod, PodDnsConfig, PodSpec, PodTemplateSpec};

use super::scheduling;
use crate::container::{self, HostPorts, Surroundings};
use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, meta, names, resources, volume};

pub(super) const RESTART_POLICIES: &[&str] = &["Always", "Never", "OnFailure"];
const DNS_POLICIES: &[&str] = &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];

/// Checks a pod. Call [`super::set_defaults`] first.
pub fn validate(pod: &Pod) -> ErrorList {
    let mut errors = validate_whole(pod);
    let path = Path::new("spec");
    if !pod.spec.ephemeral_containers.is_empty() {
        errors.push(FieldError::forbidden(&path.child("ephemeralContainers"), "cannot be set on create"));
    }
    if !pod.spec.node_name.is_empty() && !pod.spec.scheduling_gates.is_empty() {
        let why = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden(&path.child("nodeName"), why));
    }
    errors
}

/// The rules that hold at every time.
pub(super) fn validate_whole(pod: &Pod) -> ErrorList {
    let mut errors = meta::validate(&pod.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    let ports = if pod.spec.host_network { HostPorts::Same } else { HostPorts::Free };
    errors.extend(validate_spec(&pod.spec, ports, &Path::new("spec")));
    errors
}

/// Checks the template of a pod at `path`.
pub fn validate_template(template: &PodTemplateSpec, path: &Path) -> ErrorList {
    let mut errors = meta::validate_metadata_of_template(&template.metadata, &path.child("metadata"));
    let ports = if template.spec.host_network { HostPorts::SameOrNone } else { HostPorts::Free };
    errors.extend(validate_spec(&template.spec, ports, &path.child("spec")));
    if !template.spec.ephemeral_containers.is_empty() {
        let path = path.child("spec").child("ephemeralContainers");
        errors.push(FieldError::forbidden(&path, "ephemeral containers not allowed in pod template"));
    }
    errors
}

fn validate_spec(spec: &PodSpec, ports: HostPorts, path: &Path) -> ErrorList {
    let mut errors = volume::validate(&spec.volumes, &path.child("volumes"));
    let pod = Surroundings::new(&spec.volumes, ports);
    let (regular, init) = (&spec.containers, &spec.init_containers);
    errors.extend(container::validate_containers(regular, &pod, &path.child("containers")));
    let at = path.child("initContainers");
    errors.extend(container::validate_init_containers(init, regular, &pod, &at));
    validate_policies(spec, path, &mut errors);
    container::validate_pod_security(spec, &path.child("securityContext"), &mut errors);
    validate_names(spec, path, &mut errors);
    validate_dns(spec, &path.child("dnsConfig"), &mut errors);
    validate_aliases(spec, path, &mut errors);
    for (name, amount) in &spec.overhead {
        let path = path.child("overhead").key(name);
        resources::validate_amount(name, amount, &path, &mut errors);
    }
    scheduling::validate(spec, path, &mut errors);
    errors
}

fn validate_policies(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let restart = path.child("restartPolicy");
    checks::one_of(&spec.restart_policy, RESTART_POLICIES, &restart, errors);
    checks::one_of(&spec.dns_policy, DNS_POLICIES, &path.child("dnsPolicy"), errors);
    if let Some(seconds) = spec.active_deadline_seconds {
        let path = path.child("activeDeadlineSeconds");
        checks::within(seconds, (1, i64::from(i32::MAX)), &path, errors);
    }
}

fn validate_names(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let class = spec.runtime_class_name.as_deref().unwrap_or_default();
    let rules: [(&str, &str, meta::NameRule); 6] = [
        ("serviceAccountName", &spec.service_account_name, names::dns_subdomain),
        ("nodeName", &spec.node_name, names::dns_subdomain),
        ("hostname", &spec.hostname, names::dns_label),
        ("subdomain", &spec.subdomain, names::dns_label),
        ("priorityClassName", &spec.priority_class_name, names::dns_subdomain),
        ("runtimeClassName", class, names::dns_subdomain),
    ];
    for (field, name, rule) in rules {
        if !name.is_empty() {
            errors.push_invalid(&path.child(field), name, rule(name));
        }
    }
    if let Some(os) = &spec.os {
        checks::one_of(&os.name, &["linux", "windows"], &path.child("os").child("name"), errors);
    }
    for (index, gate) in spec.readiness_gates.iter().enumerate() {
        let path = path.child("readinessGates").index(index).child("conditionType");
        errors.push_invalid(&path, &gate.condition_type, names::qualified_name(&gate.condition_type));
    }
}

fn validate_dns(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let config = spec.dns_config.as_ref();
    if spec.dns_policy == "None" && config.is_none_or(|config| config.nameservers.is_empty()) {
        let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        errors.push(FieldError::required(path, why));
    }
    if let Some(config) = config {
        validate_dns_config(config, path, errors);
    }
}

fn validate_dns_config(config: &PodDnsConfig, path: &Path, errors: &mut ErrorList) {
    let (servers, searches) = (path.child("nameservers"), path.child("searches"));
    if config.nameservers.len() > 3 {
        let why = "must not have more than 3 nameservers";
        errors.push(FieldError::invalid(&servers, config.nameservers.clone(), why));
    }
    for (index, server) in config.nameservers.iter().enumerate() {
        checks::ip(server, &servers.index(index), errors);
    }
    if config.searches.len() > 32 {
        let why = "must not have more than 32 search paths";
        errors.push(FieldError::invalid(&searches, config.searches.clone(), why));
    }
    let domains = config.searches.iter().enumerate();
    for (index, domain) in domains.filter(|(_, domain)| *domain != ".") {
        let name = domain.strip_suffix('.').unwrap_or(domain);
        errors.push_invalid(&searches.index(index), domain, names::dns_subdomain(name));
    }
    for (index, option) in config.options.iter().enumerate() {
        let path = path.child("options").index(index).child("name");
        checks::given(&option.name, &path, errors);
    }
}

fn validate_aliases(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    for (index, alias) in spec.host_aliases.iter().enumerate() {
        let path = path.child("hostAliases").index(index);
        checks::ip(&alias.ip, &path.child("ip"), errors);
        for (index, host) in alias.hostnames.iter().enumerate() {
            errors.push_invalid(&path.child("hostnames").index(index), host, names::dns_subdomain(host));
        }
    }
}
