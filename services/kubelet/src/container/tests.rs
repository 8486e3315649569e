use keelson_proto::core::{
    Capabilities, PodDnsConfig, PodDnsConfigOption, PodSecurityContext, SecurityContext,
};
use keelson_proto::resource::Quantity;

use super::*;
use crate::runtime::{Dns, Resources};

fn mk_pod(name: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.to_owned();
    pod.metadata.namespace = "ns".to_owned();
    pod.metadata.uid = "u".to_owned();
    pod.spec.termination_grace_period_seconds = Some(7);
    pod.spec.containers = vec![mk_container("a")];
    pod
}

fn mk_container(name: &str) -> Container {
    Container { name: name.to_owned(), image: "img:1".to_owned(), ..Container::default() }
}

fn infra_of(pod: &Pod, dns: &DnsConfig) -> Infra {
    match infra(pod, 3, "", dns).unwrap().process {
        Process::Infra(infra) => infra,
        Process::Join { .. } => panic!("an infra container joins nothing"),
    }
}

fn app_of(pod: &Pod, container: &Container) -> ContainerSpec {
    app(pod, container, Role::App, Surroundings { node_memory: 1 << 30, ..Surroundings::default() }).unwrap()
}

#[test]
fn only_name_and_image_are_hashed() {
    let base = mk_container("a");
    let same = Container { tty: true, ..base.clone() };
    assert_eq!(hash(&base), hash(&same));
    assert_ne!(hash(&base), hash(&Container { image: "img:2".to_owned(), ..base.clone() }));
    assert_ne!(hash(&base), hash(&mk_container("b")));
    assert_eq!(hash(&base).len(), 16);
}

#[test]
fn identity_says_all_that_a_restarted_kubelet_needs() {
    let pod = mk_pod("web");
    let spec =
        app(&pod, &pod.spec.containers[0], Role::App, Surroundings { attempt: 4, ..Surroundings::default() });
    let identity = spec.unwrap().identity;
    assert_eq!(identity.pod, PodRef { uid: "u".into(), namespace: "ns".into(), name: "web".into() });
    assert_eq!((identity.container.as_str(), identity.attempt), ("a", 4));
    assert_eq!((identity.hash, identity.grace), (hash(&pod.spec.containers[0]), Duration::from_secs(7)));
    assert_eq!(infra(&pod, 3, "", &DnsConfig::default()).unwrap().identity.container, INFRA);
}

#[test]
fn host_names_are_cut_cleanly() {
    let dns = DnsConfig::default();
    assert_eq!(infra_of(&mk_pod("web"), &dns).hostname, "web");
    let long = format!("{}-{}", "x".repeat(62), "y".repeat(20));
    assert_eq!(infra_of(&mk_pod(&long), &dns).hostname, "x".repeat(62));
    let mut pod = mk_pod("web");
    pod.spec.hostname = "front".to_owned();
    assert_eq!(infra_of(&pod, &dns).hostname, "front");
}

#[test]
fn infra_opens_the_host_ports_of_all_containers() {
    let port = |host_port, host_ip: &str| ContainerPort {
        host_port,
        container_port: 80,
        host_ip: host_ip.to_owned(),
        ..ContainerPort::default()
    };
    let mut pod = mk_pod("web");
    pod.spec.containers[0].ports = vec![port(0, ""), port(8080, "0.0.0.0")];
    pod.spec.containers.push(mk_container("b"));
    pod.spec.containers[1].ports = vec![port(8081, "127.0.0.1")];
    let ports = infra_of(&pod, &DnsConfig::default()).network.unwrap().ports;
    let mapping = |host_port, host_ip: Option<&str>| PortMapping {
        host_ip: host_ip.map(|ip| ip.parse().unwrap()),
        host_port,
        container_port: 80,
        protocol: "TCP".to_owned(),
    };
    assert_eq!(ports, [mapping(8080, None), mapping(8081, Some("127.0.0.1"))]);
    pod.spec.host_network = true;
    assert_eq!(infra_of(&pod, &DnsConfig::default()).network, None);
}

#[test]
fn dns_table() {
    let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let config = DnsConfig {
        servers: vec!["10.0.0.10".parse().unwrap()],
        domain: "cluster.local".to_owned(),
        host_searches: strings(&["corp.example"]),
    };
    let cluster = Dns {
        servers: config.servers.clone(),
        searches: strings(&["ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"]),
        options: strings(&["ndots:5"]),
    };
    let table = [
        ("ClusterFirst", false, cluster.clone()),
        ("", false, cluster.clone()),
        ("ClusterFirst", true, Dns::default()),
        ("ClusterFirstWithHostNet", true, cluster),
        ("Default", false, Dns::default()),
        ("None", false, Dns::default()),
    ];
    for (policy, host_network, expected) in table {
        let mut pod = mk_pod("web");
        pod.spec.dns_policy = policy.to_owned();
        pod.spec.host_network = host_network;
        assert_eq!(infra_of(&pod, &config).dns, expected, "{policy} host network {host_network}");
    }
    let mut pod = mk_pod("web");
    let option = |name: &str, value: Option<&str>| PodDnsConfigOption {
        name: name.to_owned(),
        value: value.map(str::to_owned),
    };
    pod.spec.dns_config = Some(PodDnsConfig {
        nameservers: strings(&["192.0.2.53"]),
        searches: strings(&["cluster.local", "more.example"]),
        options: vec![option("ndots", Some("2")), option("edns0", None)],
    });
    let dns = infra_of(&pod, &config).dns;
    assert_eq!(dns.servers.len(), 2);
    assert_eq!(dns.searches.last().map(String::as_str), Some("more.example"));
    assert_eq!(dns.searches.len(), 5);
    assert_eq!(dns.options, ["ndots:2", "edns0"]);
}

#[test]
fn resources_table() {
    let list = |pairs: &[(&str, &str)]| -> BTreeMap<String, Quantity> {
        pairs.iter().map(|(n, q)| ((*n).to_owned(), Quantity { string: (*q).to_owned() })).collect()
    };
    let with = |shares, quota, memory, score| Resources {
        pids: 0,
        cpu_shares: shares,
        cpu_quota: quota,
        memory,
        oom_score_adj: score,
    };
    let table = [
        ("nothing", "BestEffort", list(&[]), list(&[]), with(2, 0, 0, 1000)),
        ("half a core", "Burstable", list(&[("cpu", "500m")]), list(&[]), with(512, 0, 0, 999)),
        ("limit only", "Burstable", list(&[]), list(&[("cpu", "2")]), with(2048, 200_000, 0, 999)),
        ("tiny limit", "Burstable", list(&[]), list(&[("cpu", "1m")]), with(2, 1000, 0, 999)),
        (
            "memory",
            "Burstable",
            list(&[("memory", "512Mi")]),
            list(&[("memory", "600Mi")]),
            with(2, 0, 600 << 20, 500),
        ),
        (
            "all of it",
            "Guaranteed",
            list(&[("cpu", "1"), ("memory", "1Gi")]),
            list(&[("cpu", "1"), ("memory", "1Gi")]),
            with(1024, 100_000, 1 << 30, -997),
        ),
    ];
    for (name, qos, requests, limits, expected) in table {
        let mut pod = mk_pod("web");
        pod.status.qos_class = qos.to_owned();
        let mut container = mk_container("a");
        container.resources.requests = requests;
        container.resources.limits = limits;
        assert_eq!(app_of(&pod, &container).resources, expected, "{name}");
    }
}

#[test]
fn a_container_overrides_its_pod() {
    let mut pod = mk_pod("web");
    pod.spec.security_context = Some(PodSecurityContext {
        run_as_user: Some(1000),
        run_as_group: Some(1000),
        fs_group: Some(2000),
        ..PodSecurityContext::default()
    });
    let mut container = mk_container("a");
    container.security_context = Some(SecurityContext {
        run_as_user: Some(5),
        capabilities: Some(Capabilities { add: vec!["NET_ADMIN".to_owned()], drop: vec!["ALL".to_owned()] }),
        allow_privilege_escalation: Some(false),
        ..SecurityContext::default()
    });
    let security = app_of(&pod, &container).security;
    assert_eq!((security.user, security.group), (Some(5), Some(1000)));
    assert_eq!(security.supplemental_groups, [2000]);
    assert_eq!(
        (security.add_capabilities, security.drop_capabilities),
        (vec!["NET_ADMIN".into()], vec!["ALL".into()])
    );
    assert!(security.no_new_privileges && !security.privileged && !security.read_only_root);
}

#[test]
fn root_is_refused_where_it_must_not_be() {
    let refused = |user: Option<i64>, image_user: &str| {
        let mut container = mk_container("a");
        container.security_context = Some(SecurityContext {
            run_as_user: user,
            run_as_non_root: Some(true),
            ..SecurityContext::default()
        });
        let surroundings = Surroundings { image_user: image_user.to_owned(), ..Surroundings::default() };
        app(&mk_pod("web"), &container, Role::App, surroundings).err()
    };
    let a = || "a".to_owned();
    assert_eq!(refused(Some(0), ""), Some(RootRefused::User(a())));
    assert_eq!(refused(Some(1), ""), None);
    assert_eq!(refused(None, ""), Some(RootRefused::Image(a())));
    assert_eq!(refused(None, "0:0"), Some(RootRefused::Image(a())));
    assert_eq!(refused(None, "1000:1000"), None);
    assert_eq!(refused(None, "www"), Some(RootRefused::Name(a(), "www".to_owned())));
}

#[test]
fn commands_are_expanded_with_the_final_environment() {
    let mut container = mk_container("a");
    container.command = vec!["/bin/$(X)".to_owned()];
    container.args = vec!["$(X)".to_owned(), "$$(X)".to_owned(), "$(Y)".to_owned()];
    let env = vec![("X".to_owned(), "run".to_owned())];
    let spec =
        app(&mk_pod("web"), &container, Role::App, Surroundings { env, ..Surroundings::default() }).unwrap();
    assert_eq!(spec.command, ["/bin/run"]);
    assert_eq!(spec.args, ["run", "$(X)", "$(Y)"]);
}
