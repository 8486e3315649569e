//! What may be a name: one validator per rule, each answering with what is wrong (nothing, if all is well),
//! in the words that Kubernetes clients know; and names made up by the server.

mod words;

use std::net::IpAddr;

use self::words::{Rule, too_long};

/// Longest DNS label, in bytes.
pub const DNS_LABEL_MAX: usize = 63;
/// Longest DNS subdomain, in bytes.
pub const DNS_SUBDOMAIN_MAX: usize = 253;
/// Longest label value and longest name part of a qualified name, in bytes.
pub const LABEL_VALUE_MAX: usize = 63;
/// Longest port name, in bytes.
pub const PORT_NAME_MAX: usize = 15;

/// Letters of made-up names: no vowels and nothing that looks like one, so that no words come out.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const RANDOM_LEN: usize = 5;

/// The name that the server gives to an object with `generateName: base`: the base, cut so that the name is
/// a DNS label's length at most, and five random letters.
pub fn generate_name(base: &str) -> String {
    let mut cut = base.len().min(DNS_LABEL_MAX - RANDOM_LEN);
    while !base.is_char_boundary(cut) {
        cut -= 1;
    }
    let mut name = base[..cut].to_owned();
    name.extend((0..RANDOM_LEN).map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())])));
    name
}

/// A `generateName` may end in a dash although a name may not: this is the text to validate in its place.
pub fn mask_trailing_dash(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{rest}a"),
        _ => prefix.to_owned(),
    }
}

/// RFC 1123 label: names of namespaces, containers, volumes.
pub fn dns_label(value: &str) -> Vec<String> {
    let mut wrong = too_long(value, DNS_LABEL_MAX);
    if !is_dns_label(value) {
        // A good subdomain that is no label has dots: say just that.
        wrong.push(match is_dns_subdomain(value) {
            true => "must not contain dots".to_owned(),
            false => words::DNS_LABEL.broken(),
        });
    }
    wrong
}

/// RFC 1123 subdomain: names of pods, nodes and most other objects.
pub fn dns_subdomain(value: &str) -> Vec<String> {
    check(value, DNS_SUBDOMAIN_MAX, is_dns_subdomain, &words::DNS_SUBDOMAIN)
}

/// RFC 1035 label: names of services.
pub fn dns1035_label(value: &str) -> Vec<String> {
    let fits = |value: &str| is_dns_label(value) && value.starts_with(|c: char| c.is_ascii_lowercase());
    check(value, DNS_LABEL_MAX, fits, &words::DNS1035_LABEL)
}

/// `name` or `subdomain/name`: keys of labels and annotations, names of resources.
pub fn qualified_name(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = match value.split_once('/') {
        None => value,
        Some((_, rest)) if rest.contains('/') => {
            return vec![format!(
                "a qualified name {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                words::QUALIFIED.broken()
            )];
        }
        Some(("", name)) => {
            wrong.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            wrong.extend(dns_subdomain(prefix).into_iter().map(|text| format!("prefix part {text}")));
            name
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    }
    let found = check(name, LABEL_VALUE_MAX, is_qualified, &words::QUALIFIED);
    wrong.extend(found.into_iter().map(|text| format!("name part {text}")));
    wrong
}

/// Value of a label; "" is one.
pub fn label_value(value: &str) -> Vec<String> {
    check(value, LABEL_VALUE_MAX, |value| value.is_empty() || is_qualified(value), &words::LABEL_VALUE)
}

/// Name of an environment variable: printable ASCII without `=` (the rule since Kubernetes 1.32).
pub fn env_name(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.is_empty() {
        wrong.push("environment variable name must be non-empty".to_owned());
    }
    if value.bytes().any(|b| !(b' '..=b'~').contains(&b) || b == b'=') {
        wrong.push(words::ENV_NAME.to_owned());
    }
    wrong
}

/// Name of a container port: RFC 6335 service name in lower case.
pub fn port_name(value: &str) -> Vec<String> {
    let mut wrong = too_long(value, PORT_NAME_MAX);
    let mut unless = |holds: bool, text: &str| {
        if !holds {
            wrong.push(text.to_owned());
        }
    };
    unless(
        !value.is_empty() && value.bytes().all(|b| is_lower_alnum(b) || b == b'-'),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    unless(value.bytes().any(|b| b.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    unless(!value.contains("--"), "must not contain consecutive hyphens");
    unless(!value.starts_with('-') && !value.ends_with('-'), "must not begin or end with a hyphen");
    wrong
}

/// Number of a TCP or UDP port that can be connected to.
pub fn port_number(value: i32) -> Vec<String> {
    in_range(i64::from(value), 1, 65535)
}

/// A number between two bounds, both allowed.
pub fn in_range(value: i64, low: i64, high: i64) -> Vec<String> {
    if (low..=high).contains(&value) {
        return Vec::new();
    }
    vec![format!("must be between {low} and {high}, inclusive")]
}

/// Key in the data of a ConfigMap or Secret.
pub fn config_key(value: &str) -> Vec<String> {
    let fits = |value: &str| !value.is_empty() && value.bytes().all(is_qualified_inner);
    let mut wrong = check(value, DNS_SUBDOMAIN_MAX, fits, &words::CONFIG_KEY);
    match value {
        "." => wrong.push("must not be '.'".to_owned()),
        ".." => wrong.push("must not be '..'".to_owned()),
        value if value.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

/// Name of an HTTP header.
pub fn http_header_name(value: &str) -> Vec<String> {
    let fits =
        |value: &str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    check(value, usize::MAX, fits, &words::HTTP_HEADER)
}

/// Name that must at least be usable as one segment of a URL path.
pub fn path_segment(value: &str) -> Vec<String> {
    match value {
        "." | ".." => return vec![format!("may not be '{value}'")],
        _ => {}
    }
    ["/", "%"]
        .into_iter()
        .filter(|bad| value.contains(bad))
        .map(|bad| format!("may not contain '{bad}'"))
        .collect()
}

/// IPv4 or IPv6 address.
pub fn ip(value: &str) -> Vec<String> {
    match value.parse::<IpAddr>() {
        Ok(_) => Vec::new(),
        Err(_) => vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()],
    }
}

/// Network in CIDR notation.
pub fn cidr(value: &str) -> Vec<String> {
    if is_cidr(value) {
        return Vec::new();
    }
    vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned()]
}

fn is_cidr(value: &str) -> bool {
    let Some((address, bits)) = value.split_once('/') else {
        return false;
    };
    let canonical = bits == "0" || !bits.starts_with(['0', '+']);
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(address), Ok(bits)) => canonical && bits <= if address.is_ipv4() { 32 } else { 128 },
        _ => false,
    }
}

fn check(value: &str, max: usize, fits: impl Fn(&str) -> bool, rule: &Rule) -> Vec<String> {
    let mut wrong = too_long(value, max);
    if !fits(value) {
        wrong.push(rule.broken());
    }
    wrong
}

fn is_lower_alnum(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn is_qualified_inner(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')
}

/// First and last byte are `edge`, all are `inner`.
fn is_framed(value: &str, edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    match value.as_bytes() {
        [] => false,
        [only] => edge(*only),
        [first, middle @ .., last] => edge(*first) && edge(*last) && middle.iter().all(|b| inner(*b)),
    }
}

fn is_dns_label(value: &str) -> bool {
    is_framed(value, is_lower_alnum, |b| is_lower_alnum(b) || b == b'-')
}

fn is_dns_subdomain(value: &str) -> bool {
    value.split('.').all(is_dns_label)
}

fn is_qualified(value: &str) -> bool {
    is_framed(value, |b| b.is_ascii_alphanumeric(), is_qualified_inner)
}

#[cfg(test)]
mod tests;
