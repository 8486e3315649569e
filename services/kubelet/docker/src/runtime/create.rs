//! From the kubelet's specification of a container to Docker's.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount as DockerMount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountTmpfsOptions, MountType, PortBinding, PortMap,
};
use keelson_kubelet::runtime::{
    ContainerSpec, Infra, LogLimits, Mount, MountSource, PodNetwork, PortMapping, Process, Propagation,
    Resources, RuntimeError, Seccomp, Security,
};

use crate::PAUSE_IMAGE;
use crate::labels::{self, Owner};

/// The period that CPU quotas are counted in, in microseconds.
const CPU_PERIOD: i64 = 100_000;
/// Permission bits of a memory mount: like /tmp.
const MEMORY_MODE: i64 = 0o1777;

/// What Docker is asked to create.
pub(crate) fn body(owner: &Owner, spec: &ContainerSpec) -> Result<ContainerCreateBody, RuntimeError> {
    let mut host = HostConfig {
        mounts: Some(spec.mounts.iter().map(mount).collect::<Result<_, _>>()?),
        log_config: Some(log_config(&spec.log)),
        ..HostConfig::default()
    };
    limit(&mut host, &spec.resources);
    secure(&mut host, &spec.security);
    let mut body = ContainerCreateBody {
        image: Some(if spec.image.is_empty() { PAUSE_IMAGE.to_owned() } else { spec.image.clone() }),
        // Docker drops the image's arguments by itself when the entrypoint is replaced.
        entrypoint: filled(&spec.command),
        cmd: filled(&spec.args),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        working_dir: Some(spec.working_dir.clone()).filter(|dir| !dir.is_empty()),
        user: user(&spec.security),
        open_stdin: Some(spec.stdin),
        stdin_once: Some(spec.stdin_once),
        tty: Some(spec.tty),
        labels: Some(labels::of(owner, &spec.identity)),
        ..ContainerCreateBody::default()
    };
    match &spec.process {
        Process::Infra(infra) => hold(&mut body, &mut host, infra),
        Process::Join { infra, host_pid, share_pid, host_ipc } => {
            let joined = format!("container:{infra}");
            host.pid_mode = match (host_pid, share_pid) {
                (true, _) => Some("host".to_owned()),
                (false, true) => Some(joined.clone()),
                (false, false) => None,
            };
            host.ipc_mode = Some(if *host_ipc { "host".to_owned() } else { joined.clone() });
            host.network_mode = Some(joined);
        }
    }
    body.host_config = Some(host);
    Ok(body)
}

/// The infra container's part: the namespaces that the others join, and what Docker writes into /etc for all
/// of them.
fn hold(body: &mut ContainerCreateBody, host: &mut HostConfig, infra: &Infra) {
    host.ipc_mode = Some(if infra.host_ipc { "host" } else { "shareable" }.to_owned());
    host.dns = Some(infra.dns.servers.iter().map(IpAddr::to_string).collect());
    host.dns_search = Some(infra.dns.searches.clone());
    host.dns_options = Some(infra.dns.options.clone());
    host.sysctls = Some(infra.sysctls.clone().into_iter().collect());
    let Some(PodNetwork { ports, hosts }) = &infra.network else {
        host.network_mode = Some("host".to_owned());
        return;
    };
    body.hostname = Some(infra.hostname.clone());
    host.network_mode = Some("bridge".to_owned());
    let lines =
        hosts.iter().flat_map(|(address, names)| names.iter().map(move |name| format!("{name}:{address}")));
    host.extra_hosts = Some(lines.collect());
    let bindings = port_bindings(ports);
    body.exposed_ports = Some(bindings.keys().cloned().collect());
    host.port_bindings = Some(bindings);
}

fn port_bindings(ports: &[PortMapping]) -> PortMap {
    let mut bindings: HashMap<String, Vec<PortBinding>> = HashMap::new();
    for port in ports {
        let key = format!("{}/{}", port.container_port, port.protocol.to_ascii_lowercase());
        bindings.entry(key).or_default().push(PortBinding {
            host_ip: port.host_ip.map(|address| address.to_string()),
            host_port: Some(port.host_port.to_string()),
        });
    }
    bindings.into_iter().map(|(port, bindings)| (port, Some(bindings))).collect()
}

fn mount(mount: &Mount) -> Result<DockerMount, RuntimeError> {
    let mut docker = DockerMount {
        target: Some(mount.container_path.clone()),
        read_only: Some(mount.read_only),
        ..DockerMount::default()
    };
    match &mount.source {
        MountSource::Host(path) => {
            let path = path.to_str().ok_or_else(|| RuntimeError::Refused {
                operation: "create container",
                message: format!("cannot mount {}: its path is not UTF-8", path.display()),
            })?;
            docker.typ = Some(MountType::BIND);
            docker.source = Some(path.to_owned());
            docker.bind_options = bind_options(mount.propagation);
        }
        MountSource::Memory(bytes) => {
            let size_bytes = Some(signed(*bytes)).filter(|bytes| *bytes > 0);
            docker.typ = Some(MountType::TMPFS);
            docker.tmpfs_options =
                Some(MountTmpfsOptions { size_bytes, mode: Some(MEMORY_MODE), options: None });
        }
    }
    Ok(docker)
}

/// Private is Docker's default.
fn bind_options(propagation: Propagation) -> Option<MountBindOptions> {
    let propagation = match propagation {
        Propagation::None => return None,
        Propagation::HostToContainer => MountBindOptionsPropagationEnum::RSLAVE,
        Propagation::Bidirectional => MountBindOptionsPropagationEnum::RSHARED,
    };
    Some(MountBindOptions { propagation: Some(propagation), ..MountBindOptions::default() })
}

fn limit(host: &mut HostConfig, resources: &Resources) {
    let set = |value: u64| Some(signed(value)).filter(|value| *value > 0);
    host.cpu_shares = set(resources.cpu_shares);
    host.cpu_quota = set(resources.cpu_quota);
    host.cpu_period = host.cpu_quota.map(|_| CPU_PERIOD);
    host.memory = set(resources.memory);
    host.memory_swap = host.memory; // memory and swap together: none of it is swap
    host.pids_limit = set(resources.pids);
    host.oom_score_adj = Some(i64::from(resources.oom_score_adj));
}

fn secure(host: &mut HostConfig, security: &Security) {
    host.group_add = Some(security.supplemental_groups.iter().map(i64::to_string).collect());
    host.privileged = Some(security.privileged);
    host.cap_add = filled(&security.add_capabilities);
    host.cap_drop = filled(&security.drop_capabilities);
    host.readonly_rootfs = Some(security.read_only_root);
    host.security_opt = filled(&options(security));
    if security.unmasked_proc {
        host.masked_paths = Some(Vec::new());
        host.readonly_paths = Some(Vec::new());
    }
}

/// What Docker takes as words.
fn options(security: &Security) -> Vec<String> {
    let mut options = Vec::new();
    if security.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    match &security.seccomp {
        Seccomp::RuntimeDefault => {}
        Seccomp::Unconfined => options.push("seccomp=unconfined".to_owned()),
        Seccomp::Profile(profile) => options.push(format!("seccomp={profile}")),
    }
    options.extend(security.selinux.iter().map(|(part, value)| format!("label={part}:{value}")));
    options.extend(security.apparmor.iter().map(|profile| format!("apparmor={profile}")));
    options
}

/// `user:group` as Docker reads it. A group alone goes with root: Docker cannot keep the image's user and
/// replace its group.
fn user(security: &Security) -> Option<String> {
    match (security.user, security.group) {
        (None, None) => None,
        (Some(user), None) => Some(user.to_string()),
        (user, Some(group)) => Some(format!("{}:{group}", user.unwrap_or(0))),
    }
}

fn log_config(limits: &LogLimits) -> HostConfigLogConfig {
    let mut config = HashMap::new();
    if limits.max_size > 0 {
        config.insert("max-size".to_owned(), limits.max_size.to_string());
        config.insert("max-file".to_owned(), limits.max_files.max(1).to_string());
    }
    HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(config) }
}

fn filled(words: &[String]) -> Option<Vec<String>> {
    (!words.is_empty()).then(|| words.to_vec())
}

/// Docker counts in signed numbers; what does not fit is as good as unlimited.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{app, infra};

    fn owner() -> Owner {
        Owner { cluster: "c".into(), node: "n".into() }
    }

    fn host(spec: &ContainerSpec) -> HostConfig {
        body(&owner(), spec).unwrap().host_config.unwrap()
    }

    #[test]
    fn infra_holds_the_namespaces() {
        let mut spec = infra("web");
        let Process::Infra(infra) = &mut spec.process else { panic!("infra") };
        infra.dns.servers = vec!["10.0.0.10".parse().unwrap()];
        infra.dns.options = vec!["ndots:5".into()];
        let port = |host_ip: Option<&str>, host_port| PortMapping {
            host_ip: host_ip.map(|ip| ip.parse().unwrap()),
            host_port,
            container_port: 53,
            protocol: "UDP".into(),
        };
        infra.network = Some(PodNetwork {
            ports: vec![port(None, 53), port(Some("127.0.0.1"), 5353)],
            hosts: vec![("10.1.1.1".parse().unwrap(), vec!["a".into(), "b".into()])],
        });
        let body = body(&owner(), &spec).unwrap();
        assert_eq!(body.image.as_deref(), Some(PAUSE_IMAGE));
        assert_eq!(body.hostname.as_deref(), Some("web"));
        assert_eq!(body.exposed_ports, Some(vec!["53/udp".to_owned()]));
        let host = body.host_config.unwrap();
        assert_eq!(host.ipc_mode.as_deref(), Some("shareable"));
        assert_eq!(host.network_mode.as_deref(), Some("bridge"));
        assert_eq!(host.dns, Some(vec!["10.0.0.10".to_owned()]));
        assert_eq!(host.extra_hosts, Some(vec!["a:10.1.1.1".to_owned(), "b:10.1.1.1".to_owned()]));
        assert_eq!(host.port_bindings.unwrap()["53/udp"].as_ref().unwrap().len(), 2);
    }

    #[test]
    fn a_pod_on_the_hosts_network_has_no_name_and_no_ports() {
        let mut spec = infra("web");
        spec.process = Process::Infra(Infra {
            hostname: "web".into(),
            network: None,
            host_ipc: true,
            dns: Default::default(),
            sysctls: Default::default(),
        });
        let body = body(&owner(), &spec).unwrap();
        assert_eq!((body.hostname, body.exposed_ports), (None, None));
        let host = body.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some("host"));
        assert_eq!(host.ipc_mode.as_deref(), Some("host"));
    }

    #[test]
    fn the_others_join() {
        for (host_pid, share_pid, expected) in [
            (false, false, None),
            (true, false, Some("host")),
            (true, true, Some("host")),
            (false, true, Some("container:i")),
        ] {
            let mut spec = app("web", "i", "image", &[]);
            spec.process = Process::Join { infra: "i".into(), host_pid, share_pid, host_ipc: false };
            let host = host(&spec);
            assert_eq!(host.pid_mode.as_deref(), expected);
            assert_eq!(host.ipc_mode.as_deref(), Some("container:i"));
            assert_eq!(host.network_mode.as_deref(), Some("container:i"));
            assert_eq!(host.dns, None, "Docker refuses DNS options on a joined network");
        }
    }

    #[test]
    fn limits_are_absent_rather_than_zero() {
        let mut spec = app("web", "i", "image", &[]);
        assert_eq!((host(&spec).memory, host(&spec).cpu_period), (None, None));
        spec.resources =
            Resources { cpu_shares: 512, cpu_quota: 50_000, memory: 1 << 20, pids: 7, oom_score_adj: 999 };
        let host = host(&spec);
        assert_eq!(host.pids_limit, Some(7));
        assert_eq!(
            (host.cpu_shares, host.cpu_quota, host.cpu_period),
            (Some(512), Some(50_000), Some(100_000))
        );
        assert_eq!(
            (host.memory, host.memory_swap, host.oom_score_adj),
            (Some(1 << 20), Some(1 << 20), Some(999))
        );
    }

    #[test]
    fn users_and_groups() {
        let of = |user, group| super::user(&Security { user, group, ..Security::default() });
        assert_eq!(of(None, None), None);
        assert_eq!(of(Some(1000), None).as_deref(), Some("1000"));
        assert_eq!(of(Some(1000), Some(5)).as_deref(), Some("1000:5"));
        assert_eq!(of(None, Some(5)).as_deref(), Some("0:5"));
    }

    #[test]
    fn security_is_passed_on() {
        let security = Security {
            no_new_privileges: true,
            seccomp: Seccomp::Unconfined,
            selinux: vec![("type", "spc_t".into()), ("level", "s0".into())],
            apparmor: Some("unconfined".into()),
            unmasked_proc: true,
            ..Security::default()
        };
        let mut host = HostConfig::default();
        secure(&mut host, &security);
        let expected = [
            "no-new-privileges",
            "seccomp=unconfined",
            "label=type:spc_t",
            "label=level:s0",
            "apparmor=unconfined",
        ];
        assert_eq!(host.security_opt.unwrap(), expected);
        assert_eq!((host.masked_paths, host.readonly_paths), (Some(Vec::new()), Some(Vec::new())));
        let mut host = HostConfig::default();
        secure(&mut host, &Security::default());
        assert_eq!((host.security_opt, host.masked_paths), (None, None), "Docker's own are kept");
        let own = Seccomp::Profile("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}".into());
        let options = options(&Security { seccomp: own, ..Security::default() });
        assert_eq!(options, ["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"]);
    }

    #[test]
    fn memory_is_mounted_as_tmpfs() {
        let memory = Mount {
            source: MountSource::Memory(4096),
            container_path: "/m".into(),
            read_only: false,
            propagation: Propagation::None,
        };
        let mounted = mount(&memory).unwrap();
        assert_eq!(mounted.typ, Some(MountType::TMPFS));
        assert_eq!(mounted.tmpfs_options.unwrap().size_bytes, Some(4096));
    }
}
