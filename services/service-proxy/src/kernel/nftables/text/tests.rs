use std::num::NonZeroU32;

use super::*;
use crate::instance::Instance;
use crate::table::tests::{mk_port, mk_table};

fn mk_settings() -> Settings {
    Settings {
        instance: Instance::new("dev"),
        service_cidr: "10.0.0.0/24".parse().unwrap(),
        pod_cidrs: vec!["172.17.0.0/16".parse().unwrap()],
    }
}

fn between(old: &[ServicePort], new: &[ServicePort]) -> String {
    changes(&mk_settings(), &diff(&mk_table(old), &mk_table(new)))
}

#[test]
fn a_service_without_affinity_is_one_chain() {
    let web = mk_port("web", "10.0.0.9", 30080, &["10.1.0.1:80", "10.1.0.2:80"]);
    let made = "\
add chain ip keelson_dev service/default/web/tcp/80
flush chain ip keelson_dev service/default/web/tcp/80
add rule ip keelson_dev service/default/web/tcp/80 meta l4proto tcp dnat to numgen inc mod 2 map { 0 : 10.1.0.1 . 80, 1 : 10.1.0.2 . 80 }
add element ip keelson_dev node_ports { tcp . 30080 : goto service/default/web/tcp/80 }
add element ip keelson_dev tcp_node_ports { 30080 }
add element ip keelson_dev services { 10.0.0.9 . tcp . 80 : goto service/default/web/tcp/80 }
";
    let unmade = "\
delete element ip keelson_dev node_ports { tcp . 30080 }
delete element ip keelson_dev tcp_node_ports { 30080 }
delete element ip keelson_dev services { 10.0.0.9 . tcp . 80 }
delete chain ip keelson_dev service/default/web/tcp/80
";
    assert_eq!(between(&[], std::slice::from_ref(&web)), made);
    assert_eq!(between(std::slice::from_ref(&web), &[]), unmade);
    assert_eq!(between(std::slice::from_ref(&web), std::slice::from_ref(&web)), "");
    let all = all(&mk_settings(), mk_settings().instance.table(), &mk_table(&[web]));
    assert!(
        all.starts_with("add table ip keelson_dev\ndelete table ip keelson_dev\ntable ip keelson_dev {"),
        "{all}"
    );
    assert!(all.ends_with(made), "{all}");
}

#[test]
fn a_change_of_backends_touches_one_chain() {
    let web = |backends: &[&str]| mk_port("web", "10.0.0.9", 30080, backends);
    let other = mk_port("other", "10.0.0.8", 0, &["10.1.0.9:80"]);
    let expected = "\
add chain ip keelson_dev service/default/web/tcp/80
flush chain ip keelson_dev service/default/web/tcp/80
add rule ip keelson_dev service/default/web/tcp/80 meta l4proto tcp dnat to 10.1.0.2:80
";
    let found = between(&[web(&["10.1.0.1:80"]), other.clone()], &[web(&["10.1.0.2:80"]), other]);
    assert_eq!(found, expected);
}

#[test]
fn without_backends_the_node_port_is_refused() {
    let web = |backends: &[&str]| mk_port("web", "10.0.0.9", 30080, backends);
    let expected = "\
delete element ip keelson_dev node_ports { tcp . 30080 }
delete element ip keelson_dev tcp_node_ports { 30080 }
delete element ip keelson_dev services { 10.0.0.9 . tcp . 80 }
delete chain ip keelson_dev service/default/web/tcp/80
add element ip keelson_dev dead_node_ports { tcp . 30080 }
";
    assert_eq!(between(&[web(&["10.1.0.1:80"])], &[web(&[])]), expected);
}

#[test]
fn with_affinity_each_backend_has_a_chain_and_the_set_of_its_clients() {
    let web = |backends: &[&str]| ServicePort {
        affinity: NonZeroU32::new(60),
        ..mk_port("web", "10.0.0.9", 0, backends)
    };
    let expected = "\
add set ip keelson_dev clients/default/web/tcp/80/10.1.0.3/80 { type ipv4_addr; size 65536; flags dynamic,timeout; }
add chain ip keelson_dev backend/default/web/tcp/80/10.1.0.3/80
flush chain ip keelson_dev backend/default/web/tcp/80/10.1.0.3/80
add chain ip keelson_dev service/default/web/tcp/80
flush chain ip keelson_dev service/default/web/tcp/80
add rule ip keelson_dev backend/default/web/tcp/80/10.1.0.3/80 update @clients/default/web/tcp/80/10.1.0.3/80 { ip saddr timeout 60s }
add rule ip keelson_dev backend/default/web/tcp/80/10.1.0.3/80 meta l4proto tcp dnat to 10.1.0.3:80
add rule ip keelson_dev service/default/web/tcp/80 ip saddr @clients/default/web/tcp/80/10.1.0.2/80 goto backend/default/web/tcp/80/10.1.0.2/80
add rule ip keelson_dev service/default/web/tcp/80 ip saddr @clients/default/web/tcp/80/10.1.0.3/80 goto backend/default/web/tcp/80/10.1.0.3/80
add rule ip keelson_dev service/default/web/tcp/80 numgen inc mod 2 vmap { 0 : goto backend/default/web/tcp/80/10.1.0.2/80, 1 : goto backend/default/web/tcp/80/10.1.0.3/80 }
delete chain ip keelson_dev backend/default/web/tcp/80/10.1.0.1/80
delete set ip keelson_dev clients/default/web/tcp/80/10.1.0.1/80
";
    assert_eq!(
        between(&[web(&["10.1.0.1:80", "10.1.0.2:80"])], &[web(&["10.1.0.2:80", "10.1.0.3:80"])]),
        expected
    );
}
