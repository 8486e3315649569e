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
    let kept = services(pool, "Get");
    let asked = services(pool, "Create");
    let mut code = String::new();
    let (mut all, mut observed, mut aliases, mut questions) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
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
            kept.get(message.full_name())
                .or_else(|| kept.get(&text(&kind, "same_as")))
                .or_else(|| asked.get(message.full_name()))
                .map(String::as_str)
                .unwrap_or_default(),
            message.full_name(),
        );
        match kept.get(message.full_name()) {
            Some(service) if keeps(pool, service) => all.push(constant),
            Some(_) => observed.push(constant),
            None if !text(&kind, "same_as").is_empty() => aliases.push(constant),
            None if asked.contains_key(message.full_name()) => questions.push(constant),
            None => {}
        }
    }
    for (doc, name, kinds) in [
        ("The kinds that have a registry of their own.", "REGISTERED", all),
        ("The kinds that can be read, but are not kept: they are observed.", "OBSERVED", observed),
        ("The kinds whose objects are those of a registered kind, under another group.", "ALIASES", aliases),
        ("The kinds that are created to be answered, and not kept.", "QUESTIONS", questions),
    ] {
        let _ = writeln!(code, "/// {doc}\npub const {name}: &[crate::Kind] = &[{}];", kinds.join(", "));
    }
    code
}

/// Whether a service keeps the objects that it answers with: there is a way to make them.
fn keeps(pool: &DescriptorPool, service: &str) -> bool {
    let service = pool.get_service_by_name(service);
    service.is_some_and(|service| service.methods().any(|method| method.name() == "Create"))
}

/// The service whose method of this name answers with each kind: with `Get`, the one that keeps it.
fn services(pool: &DescriptorPool, name: &str) -> BTreeMap<String, String> {
    pool.services()
        .filter_map(|service| {
            let method = service.methods().find(|method| method.name() == name)?;
            Some((method.output().full_name().to_owned(), service.full_name().to_owned()))
        })
        .collect()
}
