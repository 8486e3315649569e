//! Rules that fields of several kinds share; each adds at most the faults of one field.

use std::net::IpAddr;

use keelson_proto::intstr::IntOrString;

use crate::field::{ErrorList, FieldError, Path};
use crate::names;

/// The transport protocols of ports.
pub(crate) const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

/// The text of a value below zero.
pub(crate) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// A value that must be given, and be one of `supported`.
pub(crate) fn one_of(value: &str, supported: &[&str], path: &Path, errors: &mut ErrorList) {
    match value {
        "" => errors.push(FieldError::required(path, "")),
        value if supported.contains(&value) => {}
        value => errors.push(FieldError::not_supported(path, value, supported)),
    }
}

/// A value that, if given, must be one of `supported`.
pub(crate) fn none_or_one_of(value: Option<&str>, supported: &[&str], path: &Path, errors: &mut ErrorList) {
    if let Some(value) = value.filter(|value| !supported.contains(value)) {
        errors.push(FieldError::not_supported(path, value, supported));
    }
}

/// A text that must be given.
pub(crate) fn given(value: &str, path: &Path, errors: &mut ErrorList) {
    if value.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
}

/// A number that may not be negative.
pub(crate) fn not_negative(value: impl Into<i64>, path: &Path, errors: &mut ErrorList) {
    let value = value.into();
    if value < 0 {
        errors.push(FieldError::invalid(path, value, NOT_NEGATIVE));
    }
}

/// A number between two bounds, both allowed.
pub(crate) fn within(value: impl Into<i64>, (low, high): (i64, i64), path: &Path, errors: &mut ErrorList) {
    let value = value.into();
    if !(low..=high).contains(&value) {
        let why = format!("must be between {low} and {high}, inclusive");
        errors.push(FieldError::invalid(path, value, why));
    }
}

/// A port number.
pub(crate) fn port(value: i32, path: &Path, errors: &mut ErrorList) {
    within(value, (1, 65535), path, errors);
}

/// A port's number or name.
pub(crate) fn port_or_name(value: &IntOrString, path: &Path, errors: &mut ErrorList) {
    match value.as_str() {
        Some(name) => errors.push_invalid(path, name, names::port_name(name)),
        None => port(value.int_val, path, errors),
    }
}

/// An address: IPv4 or IPv6.
pub(crate) fn ip(value: &str, path: &Path, errors: &mut ErrorList) -> Option<IpAddr> {
    errors.push_invalid(path, value, names::ip(value));
    value.parse().ok()
}

/// An address that packets from elsewhere can be sent to: not unspecified, loopback or local to a link.
pub(crate) fn reachable_ip(value: &str, path: &Path, errors: &mut ErrorList) {
    let Some(address) = ip(value, path, errors) else {
        return;
    };
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0 == 0xfe80, v6.segments()[0] & 0xff0f == 0xff02),
    };
    let faults = [
        (address.is_unspecified(), "may not be unspecified (0.0.0.0 or ::)"),
        (address.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (link_local_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    ];
    for (_, why) in faults.into_iter().filter(|(is, _)| *is) {
        errors.push(FieldError::invalid(path, value, why));
    }
}

/// An address range in CIDR notation.
pub(crate) fn cidr(value: &str, path: &Path, errors: &mut ErrorList) {
    errors.push_invalid(path, value, names::cidr(value));
}

/// A path below some directory: relative and without "..".
pub(crate) fn descending_path(value: &str, path: &Path, errors: &mut ErrorList) {
    if value.starts_with('/') {
        errors.push(FieldError::invalid(path, value, "must be a relative path"));
    }
    no_backsteps(value, path, errors);
}

/// A path without "..".
pub(crate) fn no_backsteps(value: &str, path: &Path, errors: &mut ErrorList) {
    if value.split('/').any(|step| step == "..") {
        errors.push(FieldError::invalid(path, value, "must not contain '..'"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(check: impl FnOnce(&Path, &mut ErrorList)) -> usize {
        let mut errors = ErrorList::new();
        check(&Path::new("f"), &mut errors);
        errors.len()
    }

    #[test]
    fn addresses_that_nobody_can_reach_are_refused() {
        let table = [
            ("10.0.0.1", 0),
            ("fd00::1", 0),
            ("0.0.0.0", 1),
            ("::", 1),
            ("127.0.0.1", 1),
            ("::1", 1),
            ("169.254.1.1", 1),
            ("fe80::1", 1),
            ("224.0.0.7", 1),
            ("ff02::2", 1),
            ("10.0.0", 1),
            ("host", 1),
        ];
        for (address, expected) in table {
            assert_eq!(faults(|path, errors| reachable_ip(address, path, errors)), expected, "{address}");
        }
    }

    #[test]
    fn paths_stay_below_their_directory() {
        for (value, expected) in [("a/b", 0), ("", 0), ("a..b/c", 0), ("/a", 1), ("a/../b", 1), ("/..", 2)] {
            assert_eq!(faults(|path, errors| descending_path(value, path, errors)), expected, "{value}");
        }
    }

    #[test]
    fn ports_are_numbers_or_names() {
        let table: [(IntOrString, bool); 6] = [
            (1.into(), true),
            (65535.into(), true),
            (0.into(), false),
            (65536.into(), false),
            ("http".to_owned().into(), true),
            ("80".to_owned().into(), false),
        ];
        for (port, good) in table {
            assert_eq!(faults(|path, errors| port_or_name(&port, path, errors)) == 0, good, "{port}");
        }
    }
}
