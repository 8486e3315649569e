//! Config maps: their rules.

use std::borrow::Cow;

use keelson_proto::core::ConfigMap;

use crate::field::{ErrorList, FieldError, Path};
use crate::secret::{GIVEN_UP, MAX_BYTES};
use crate::{meta, names};

/// The fields that config maps can be selected by.
pub const FIELDS: &[&str] = meta::FIELDS;

/// The value of one of [`FIELDS`]; none for other fields.
pub fn fields<'a>(map: &'a ConfigMap, field: &str) -> Option<Cow<'a, str>> {
    meta::fields(&map.metadata, field)
}

/// A config map has no defaults; the function is here because every kind has it.
pub fn set_defaults(_: &mut ConfigMap) {}

/// Carries over what an update does not touch.
pub fn prepare_update(new: &mut ConfigMap, old: &ConfigMap) {
    meta::prepare_update(&mut new.metadata, &old.metadata);
}

/// Checks a config map: keys that can be names of files, each in one of the two bags, a mebibyte at most in all.
pub fn validate(map: &ConfigMap) -> ErrorList {
    let mut errors = meta::validate(&map.metadata, true, names::dns_subdomain, &Path::new("metadata"));
    let mut key = |bag: &str, key: &str, twice: Option<&str>| {
        let path = Path::new(bag).key(key);
        errors.push_invalid(&path, key, names::config_key(key));
        if let Some(other) = twice {
            errors.push(FieldError::invalid(&path, key, format!("duplicate of key present in {other}")));
        }
    };
    for name in map.data.keys() {
        key("data", name, map.binary_data.contains_key(name).then_some("binaryData"));
    }
    for name in map.binary_data.keys() {
        key("binaryData", name, map.data.contains_key(name).then_some("data"));
    }
    let texts: usize = map.data.values().map(String::len).sum();
    if texts + map.binary_data.values().map(Vec::len).sum::<usize>() > MAX_BYTES {
        // So Kubernetes names the whole object.
        errors.push(FieldError::too_long(&Path::new("").key(""), MAX_BYTES));
    }
    errors
}

/// Checks a changed config map: nothing of its data changes once it is immutable.
pub fn validate_update(new: &ConfigMap, old: &ConfigMap) -> ErrorList {
    let mut errors = meta::validate_update(&new.metadata, &old.metadata, &Path::new("metadata"));
    if old.immutable == Some(true) {
        let changes = [
            ("immutable", new.immutable != Some(true)),
            ("data", new.data != old.data),
            ("binaryData", new.binary_data != old.binary_data),
        ];
        for (field, _) in changes.into_iter().filter(|(_, changed)| *changed) {
            errors.push(FieldError::forbidden(&Path::new(field), GIVEN_UP));
        }
    }
    errors.extend(validate(new));
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{text, with};

    fn mk_map(patch: Value) -> ConfigMap {
        let mut map = ConfigMap::default();
        map.metadata.name = "settings".to_owned();
        map.metadata.namespace = "default".to_owned();
        with(&map, patch)
    }

    #[test]
    fn config_maps_keep_their_rules() {
        let both = "[data[a]: Invalid value: \"a\": duplicate of key present in binaryData, binaryData[a]: Invalid value: \"a\": duplicate of key present in data]";
        let table = [
            (json!({}), ""),
            (json!({"data": {"a.conf": "x"}, "binaryData": {"b_1": "eA=="}}), ""),
            (json!({"data": {"a": "x"}, "binaryData": {"a": "eA=="}}), both),
            (json!({"data": {"..": ""}}), "data[..]: Invalid value: \"..\": must not be '..'"),
        ];
        for (patch, expected) in table {
            assert_eq!(text(&validate(&mk_map(patch))), expected);
        }
        let mut big = mk_map(json!({}));
        big.data.insert("a".to_owned(), " ".repeat(MAX_BYTES));
        assert_eq!(text(&validate(&big)), "");
        big.binary_data.insert("b".to_owned(), vec![0]);
        assert_eq!(text(&validate(&big)), "[]: Too long: may not be more than 1048576 bytes");
    }

    #[test]
    fn an_immutable_map_stays_as_it_is() {
        let old = mk_map(json!({"data": {"a": "1"}, "immutable": true}));
        let change = |patch: Value| text(&validate_update(&with(&old, patch), &old));
        assert_eq!(change(json!({"metadata": {"labels": {"a": "b"}}})), "");
        assert_eq!(change(json!({"data": {"a": "2"}})), format!("data: Forbidden: {GIVEN_UP}"));
        assert_eq!(change(json!({"binaryData": {"b": ""}})), format!("binaryData: Forbidden: {GIVEN_UP}"));
        assert_eq!(change(json!({"immutable": false})), format!("immutable: Forbidden: {GIVEN_UP}"));
    }
}
