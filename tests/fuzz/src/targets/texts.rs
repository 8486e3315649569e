//! Short texts: selectors, quantities, names, times.

use keelson_base_model::fields::FieldSelector;
use keelson_base_model::labels::Selector;
use keelson_base_model::names;
use keelson_base_model::quantity::Quantity;
use keelson_proto::meta::{MicroTime, Time};
use serde_json::Value;

pub(super) fn label_selector(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(selector) = Selector::parse(&text) {
        let again = Selector::parse(&selector.to_string());
        assert!(again.is_ok_and(|again| again == selector), "{selector} does not read as itself");
        selector.matches(&[("a".to_owned(), "b".to_owned())].into());
    }
}

pub(super) fn field_selector(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(selector) = FieldSelector::parse(&text) {
        let again = FieldSelector::parse(&selector.to_string());
        assert!(again.is_ok_and(|again| again == selector), "{selector} does not read as itself");
        selector.matches(|_| Some("x"));
    }
}

pub(super) fn quantity(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(quantity) = Quantity::parse(&text) {
        let written = quantity.to_string();
        let again = Quantity::parse(&written);
        assert!(
            again.as_ref().is_ok_and(|again| again.nanos() == quantity.nanos()),
            "{text}: {written} {again:?}"
        );
        assert!(again.is_ok_and(|again| again.to_string() == written), "{written} is not canonical");
        let _ = (quantity.value(), quantity.milli(), quantity.as_f64());
    }
}

pub(super) fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for rule in [
        names::dns_label,
        names::dns_subdomain,
        names::dns1035_label,
        names::qualified_name,
        names::label_value,
        names::env_name,
        names::port_name,
        names::config_key,
        names::http_header_name,
        names::path_segment,
        names::ip,
        names::cidr,
    ] {
        rule(&text);
    }
    assert!(names::generate_name(&text).len() <= text.len() + 5);
}

pub(super) fn time(bytes: &[u8]) {
    let text = Value::String(String::from_utf8_lossy(bytes).into_owned());
    if let Ok(time) = serde_json::from_value::<Time>(text.clone()) {
        let again = serde_json::to_value(time).and_then(serde_json::from_value::<Time>);
        assert!(again.is_ok_and(|again| again == time), "{text} does not read as itself");
    }
    if let Ok(time) = serde_json::from_value::<MicroTime>(text.clone()) {
        let again = serde_json::to_value(time).and_then(serde_json::from_value::<MicroTime>);
        assert!(again.is_ok_and(|again| again == time), "{text} does not read as itself");
    }
}
