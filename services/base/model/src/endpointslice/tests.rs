use serde_json::{Value, json};

use super::*;
use crate::fixtures::{text, with};

fn mk_slice(patch: Value) -> EndpointSlice {
    let mut slice = EndpointSlice::default();
    slice.metadata.name = "web-abc12".to_owned();
    slice.metadata.namespace = "default".to_owned();
    slice.address_type = address_type::IPV4.to_owned();
    let mut slice = with(&slice, patch);
    set_defaults(&mut slice);
    slice
}

#[test]
fn a_port_is_nameless_and_of_tcp_unless_it_says_otherwise() {
    let slice = mk_slice(json!({"ports": [{"port": 80}, {"name": "dns", "protocol": "UDP"}]}));
    let ports = serde_json::to_value(&slice.ports).unwrap();
    assert_eq!(ports[0], json!({"name": "", "protocol": "TCP", "port": 80}));
    assert_eq!(ports[1], json!({"name": "dns", "protocol": "UDP"}));
}

#[test]
fn slices_keep_their_rules() {
    let of = |address_type: &str, address: &str| json!({"addressType": address_type, "endpoints": [{"addresses": [address]}]});
    let at = "endpoints[0].addresses[0]: Invalid value:";
    let table = [
        (of("IPv4", "10.0.0.1"), String::new()),
        (of("IPv6", "fd00::1"), String::new()),
        (of("FQDN", "db.example.com"), String::new()),
        (of("IPv4", "fd00::1"), format!("{at} \"fd00::1\": must be a valid IPv4 address")),
        (of("IPv6", "10.0.0.1"), format!("{at} \"10.0.0.1\": must be a valid IPv6 address")),
        (
            of("IPv4", "127.0.0.1"),
            format!("{at} \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        ),
        (
            of("FQDN", "db"),
            format!("{at} \"db\": should be a domain with at least two segments separated by dots"),
        ),
        (json!({"addressType": ""}), "addressType: Required value".to_owned()),
        (
            json!({"addressType": "IP"}),
            "addressType: Unsupported value: \"IP\": supported values: \"FQDN\", \"IPv4\", \"IPv6\""
                .to_owned(),
        ),
        (
            json!({"endpoints": [{"addresses": []}]}),
            "endpoints[0].addresses: Required value: must contain at least 1 address".to_owned(),
        ),
        (json!({"ports": [{"port": 80}, {"port": 81}]}), "ports[1].name: Duplicate value: \"\"".to_owned()),
        (
            json!({"ports": [{"protocol": "ICMP"}]}),
            "ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\""
                .to_owned(),
        ),
        (
            json!({"endpoints": [{"addresses": ["10.0.0.1"], "hints": {"forZones": [{"name": "a"}, {"name": "a"}]}}]}),
            "endpoints[0].hints.forZones[1].name: Duplicate value: \"a\"".to_owned(),
        ),
    ];
    for (patch, expected) in table {
        assert_eq!(text(&validate(&mk_slice(patch))), expected);
    }
}

#[test]
fn slices_are_of_bounded_size() {
    let endpoint = json!({"addresses": ["10.0.0.1"]});
    let full = mk_slice(json!({"endpoints": vec![endpoint.clone(); 1000]}));
    assert_eq!(text(&validate(&full)), "");
    let over = mk_slice(json!({"endpoints": vec![endpoint; 1001]}));
    assert_eq!(text(&validate(&over)), "endpoints: Too many: 1001: must have at most 1000 items");
    let many = mk_slice(json!({"endpoints": [{"addresses": vec!["10.0.0.1"; 101]}]}));
    assert_eq!(text(&validate(&many)), "endpoints[0].addresses: Too many: 101: must have at most 100 items");
}

#[test]
fn the_type_of_addresses_stays_and_changes_are_counted() {
    let mut old = mk_slice(json!({"endpoints": [{"addresses": ["10.0.0.1"]}]}));
    prepare_create(&mut old);
    assert_eq!(old.metadata.generation, 1);
    let change = |patch: Value| {
        let mut new = with(&old, patch);
        prepare_update(&mut new, &old);
        (new.metadata.generation, text(&validate_update(&new, &old)))
    };
    let immutable = "addressType: Invalid value: \"FQDN\": field is immutable".to_owned();
    assert_eq!(change(json!({"metadata": {"annotations": {"a": "b"}}})), (1, String::new()));
    assert_eq!(change(json!({"metadata": {"labels": {"a": "b"}}})), (2, String::new()));
    assert_eq!(change(json!({"endpoints": [{"addresses": ["10.0.0.2"]}]})), (2, String::new()));
    let fqdn = json!({"addressType": "FQDN", "endpoints": [{"addresses": ["a.b"]}]});
    assert_eq!(change(fqdn), (2, immutable));
}
