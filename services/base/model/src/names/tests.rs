use proptest::prelude::*;

use super::*;

type Validator = fn(&str) -> Vec<String>;

fn assert_all(validator: Validator, good: &[&str], bad: &[&str]) {
    for value in good {
        assert_eq!(validator(value), [] as [String; 0], "{value:?}");
    }
    for value in bad {
        assert!(!validator(value).is_empty(), "{value:?}");
    }
}

#[test]
fn labels_and_subdomains() {
    let long = "a".repeat(63);
    let too_long = "a".repeat(64);
    let longest = format!("{long}.{long}.{long}.{}", &long[..61]);
    let bad = ["", "A", "-a", "a-", "a_b", "a b", "ä", "a.", ".a", "a..b", "a\n"];
    assert_all(dns_label, &["a", "0", "a-b", "a--b", &long], &[&bad[..], &["a.b", &too_long]].concat());
    assert_all(dns_subdomain, &["a", "0.1", "a-b.c", &too_long, &longest], &bad);
    assert_eq!(longest.len(), DNS_SUBDOMAIN_MAX);
    assert_eq!(dns_subdomain(&format!("{longest}a")), ["must be no more than 253 characters"]);
    assert_all(dns1035_label, &["a", "a0", "a-b"], &[&bad[..], &["0a", "a.b"]].concat());
}

#[test]
fn the_words_are_those_that_kubectl_users_know() {
    assert_eq!(
        dns_subdomain("Bad_Name"),
        [
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
             must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ]
    );
    assert_eq!(
        dns_label("Bad"),
        [
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
             and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        ]
    );
    assert_eq!(dns_label("a.b"), ["must not contain dots"]);
    assert_eq!(
        label_value("-"),
        [
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
             for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        ]
    );
}

#[test]
fn qualified_names() {
    let long = "a".repeat(63);
    assert_all(
        qualified_name,
        &["a", "A.b_c-d", "example.com/A", "1/2", &long],
        &["", "/a", "a/", "a/b/c", "Ex.com/a", "a_b/c", "-a", "a b", "a/-", &format!("{long}a")],
    );
    assert_eq!(qualified_name("/a"), ["prefix part must be non-empty"]);
    assert_eq!(qualified_name("a/")[0], "name part must be non-empty");
    assert!(qualified_name("a/b/c")[0].starts_with("a qualified name must consist of alphanumeric"));
    assert_all(label_value, &["", "a", "A_b.c-d", &long], &["-a", "a-", "a/b", &format!("{long}a")]);
}

#[test]
fn environment_ports_and_keys() {
    assert_all(env_name, &["A", "a.b", "1", "a b", "-"], &["", "A=B", "ä", "a\n"]);
    assert_all(port_name, &["http", "a1-b", "80a"], &["", "80", "A", "a--b", "-a", "a-", "sixteen-letters-"]);
    assert_eq!(port_name("80"), ["must contain at least one letter (a-z)"]);
    assert_all(config_key, &["a", ".a", "A_b"], &["", ".", "..", "..a", "a/b"]);
    assert_all(http_header_name, &["X-A"], &["", "X_A"]);
    assert_all(path_segment, &["a", "..."], &[".", "..", "a/b", "100%"]);
    assert_eq!(port_number(0), ["must be between 1 and 65535, inclusive"]);
    assert!(port_number(65536).len() == 1 && port_number(1).is_empty() && port_number(65535).is_empty());
}

#[test]
fn addresses() {
    assert_all(ip, &["10.0.0.1", "::1"], &["", "10.0.0", "10.0.0.01", "a", "10.0.0.256"]);
    assert_all(
        cidr,
        &["10.0.0.0/8", "::/0", "fd00::/128", "10.1.2.3/32"],
        &["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/+8", "a/8"],
    );
}

#[test]
fn a_prefix_may_end_in_a_dash() {
    assert_eq!(mask_trailing_dash("web-"), "weba");
    assert_eq!(mask_trailing_dash("web"), "web");
    assert!(!dns_subdomain(&mask_trailing_dash("-")).is_empty());
    assert_eq!(mask_trailing_dash("web--"), "web-a");
}

proptest! {
    #[test]
    fn generated_names_keep_the_base_and_stay_labels(base in "[a-z]([a-z0-9-]{0,80})") {
        let name = generate_name(&base);
        prop_assert!(name.len() <= DNS_LABEL_MAX);
        prop_assert!(name.starts_with(&base[..base.len().min(58)]));
        prop_assert_eq!(dns_label(&name), [] as [String; 0]);
    }

    #[test]
    fn generating_never_splits_a_character(base in "\\PC{0,40}") {
        prop_assert!(generate_name(&base).len() >= RANDOM_LEN);
    }
}

#[test]
fn generated_names_differ() {
    let names: std::collections::BTreeSet<_> = (0..50).map(|_| generate_name("web-")).collect();
    assert!(names.len() > 45, "{names:?}");
}
