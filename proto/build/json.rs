//! The Kubernetes JSON form of every object, generated from the descriptors and their options.
//!
//! For each message: an implementation of `json::Message` (its fields, to and from an open JSON object,
//! so that an inlined message can share the object of the message that holds it) and serde's two traits.

use std::fmt::Write;

use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use crate::kinds;
use crate::names;
use crate::rewrite::{flag, is_time};

/// Generates `json.rs`.
pub(crate) fn generate(pool: &DescriptorPool) -> String {
    let mut code = String::new();
    for message in pool.all_messages() {
        if message.package_name().starts_with("k8s.io") && !message.is_map_entry() && !hand_written(&message)
        {
            message_impl(&mut code, &message);
        }
    }
    code
}

fn hand_written(message: &MessageDescriptor) -> bool {
    let Some(extension) = message.parent_pool().get_extension_by_name("keelson.options.hand_json") else {
        return false;
    };
    message.options().get_extension(&extension).as_bool().unwrap_or(false)
}

fn message_impl(code: &mut String, message: &MessageDescriptor) {
    let path = names::type_path(message);
    let fields: Vec<FieldDescriptor> = message.fields().collect();
    let kind = kinds::kind_of(message);
    let gvk = kind.map_or_else(
        || "None".to_owned(),
        |kind| {
            let (group, version) = (kinds::text(&kind, "group"), kinds::text(&kind, "version"));
            let api = if group.is_empty() { version } else { format!("{group}/{version}") };
            format!("Some(({api:?}, {:?}))", kinds::text(&kind, "kind"))
        },
    );
    let _ = write!(
        code,
        "impl json::Message for {path} {{
    const TYPE_META: Option<(&'static str, &'static str)> = {gvk};
    const FIELDS: u32 = {};
    fn write_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {{
        let _ = &map;
{}        Ok(())
    }}
    fn read_field<'de, M: MapAccess<'de>>(&mut self, key: &str, base: u32, map: &mut M, seen: &mut json::Seen, at: &json::At<'_>) -> Result<bool, M::Error> {{
        let _ = (base, &map, &seen, at);
        match key {{
{}            _ => {{
{}                Ok(false)
            }}
        }}
    }}
}}
json::message!({path});
",
        field_count(&fields),
        fields.iter().map(write_line).collect::<String>(),
        read_arms(&fields),
        inline_reads(&fields),
    );
}

/// Fields of the message's JSON object, inlined ones included: each has a bit in `Seen`.
fn field_count(fields: &[FieldDescriptor]) -> String {
    let own = fields.iter().filter(|field| !flag(field, "inline")).count();
    let inlined: String =
        inlined(fields).map(|(_, path)| format!(" + <{path} as json::Message>::FIELDS")).collect();
    format!("{own}{inlined}")
}

fn inlined(fields: &[FieldDescriptor]) -> impl Iterator<Item = (&FieldDescriptor, String)> {
    fields.iter().filter(|field| flag(field, "inline")).filter_map(|field| match field.kind() {
        Kind::Message(message) => Some((field, names::type_path(&message))),
        _ => None,
    })
}

fn write_line(field: &FieldDescriptor) -> String {
    let ident = names::field_ident(field);
    if flag(field, "inline") {
        return format!("        json::Message::write_fields(&self.{ident}, map)?;\n");
    }
    let single_message =
        matches!(field.kind(), Kind::Message(_)) && field.cardinality() != Cardinality::Repeated;
    let always = flag(field, "always")
        || (single_message && !flag(field, "ptr"))
        || (is_time(field) && !flag(field, "ptr"));
    let how = match (always, field.name()) {
        (true, "items") => "json::write_list",
        (true, _) => "json::write_always",
        (false, _) => "json::write",
    };
    format!("        {how}(map, {:?}, &self.{ident})?;\n", field.name())
}

fn read_arms(fields: &[FieldDescriptor]) -> String {
    fields
        .iter()
        .filter(|field| !flag(field, "inline"))
        .enumerate()
        .map(|(bit, field)| {
            let ident = names::field_ident(field);
            format!(
                "            {:?} => {{ json::read(map, {:?}, &mut self.{ident}, base + {bit}, seen, at)?; Ok(true) }}\n",
                field.name(),
                field.name()
            )
        })
        .collect()
}

fn inline_reads(fields: &[FieldDescriptor]) -> String {
    let mut code = String::new();
    let mut base = format!("base + {}", fields.iter().filter(|field| !flag(field, "inline")).count());
    for (field, path) in inlined(fields) {
        let ident = names::field_ident(field);
        let _ = writeln!(
            code,
            "                if json::Message::read_field(&mut self.{ident}, key, {base}, map, seen, at)? {{ return Ok(true); }}"
        );
        base = format!("{base} + <{path} as json::Message>::FIELDS");
    }
    code
}
