//! The table of kinds: `Object` implementations for every message that is a kind with metadata.

use std::collections::BTreeMap;
use std::fmt::Write;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use crate::names;

/// The kind option of a message, if it has one.
pub(crate) fn kind_of(message: &MessageDescriptor) -> Option<DynamicMessage> {
    let extension = message.parent_pool().get_extension_by_name("keelson.options.kind")?;
    let options = message.options();
    if !options.has_extension(&extension) {
        return None;
    }
    options.get_extension(&extension).as_message().cloned()
}

/// A text field of a kind option; "" if it is not set.
pub(crate) fn text(kind: &DynamicMessage, field: &str) -> String {
    kind.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn flag(kind: &DynamicMessage, field: &str) -> bool {
    kind.get_field_by_name(field).and_then(|value| value.as_bool()).unwrap_or(false)
}

fn texts(kind: &DynamicMessage, field: &str) -> Vec<String> {
    let value = kind.get_field_by_name(field);
    let list = value.as_ref().and_then(|value| value.as_list()).unwrap_or_default();
    list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Generates `kinds.rs`.
pub(crate) fn generate(pool: &DescriptorPool) -> String {
    let services = services(pool);
    let mut code = String::new();
    let mut all = Vec::new();
    for message in pool.all_messages() {
        let Some(kind) = kind_of(&message) else { continue };
        let name = text(&kind, "kind");
        let meta = message.get_field_by_name("metadata").and_then(|field| field.kind().as_message().cloned());
        if meta.is_none_or(|meta| meta.name() != "ObjectMeta") {
            continue;
        }
        let path = names::type_path(&message);
        let constant = format!("{path}::INFO");
        let _ = write!(
            code,
            "impl {path} {{
    /// What kind this is, and how it is served.
    pub const INFO: crate::Kind = crate::Kind {{
        group: {:?}, version: {:?}, kind: {name:?}, plural: {:?}, singular: {:?}, short: &{:?}, categories: &{:?},
        namespaced: {}, service: {:?}, message: {:?},
    }};
}}
impl crate::Object for {path} {{
    const KIND: &'static crate::Kind = &{constant};
    fn metadata(&self) -> &crate::meta::ObjectMeta {{ &self.metadata }}
    fn metadata_mut(&mut self) -> &mut crate::meta::ObjectMeta {{ &mut self.metadata }}
}}
",
            text(&kind, "group"),
            text(&kind, "version"),
            text(&kind, "plural"),
            text(&kind, "singular"),
            texts(&kind, "short"),
            texts(&kind, "category"),
            flag(&kind, "namespaced"),
            services.get(message.full_name()).map(String::as_str).unwrap_or_default(),
            message.full_name(),
        );
        if services.contains_key(message.full_name()) {
            all.push(constant);
        }
    }
    let _ = writeln!(
        code,
        "/// The kinds that have a registry of their own.\npub const REGISTERED: &[crate::Kind] = &[{}];",
        all.join(", ")
    );
    code
}

/// The service that keeps each kind: the one whose `Get` answers with it.
fn services(pool: &DescriptorPool) -> BTreeMap<String, String> {
    pool.services()
        .filter_map(|service| {
            let get = service.methods().find(|method| method.name() == "Get")?;
            Some((get.output().full_name().to_owned(), service.full_name().to_owned()))
        })
        .collect()
}
