//! Rust names of protobuf names: as prost makes them, but for acronyms in the plural.

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{FieldDescriptor, MessageDescriptor};

/// `externalIPs` becomes `external_ips`, where prost alone would make `external_i_ps` of it.
pub(crate) fn snake(field: &str) -> String {
    let chars: Vec<char> = field.chars().collect();
    let mut eased = String::with_capacity(field.len());
    for (i, &c) in chars.iter().enumerate() {
        let plural_s = c == 's'
            && i >= 2
            && chars[i - 1].is_ascii_uppercase()
            && chars[i - 2].is_ascii_uppercase()
            && chars.get(i + 1).is_none_or(|next| next.is_ascii_uppercase());
        eased.push(if plural_s { 'S' } else { c });
    }
    eased.to_snake_case()
}

/// The Rust identifier of a field.
pub(crate) fn field_ident(field: &FieldDescriptor) -> String {
    let name = snake(field.name());
    match name.as_str() {
        "type" | "continue" | "ref" | "static" | "match" => format!("r#{name}"),
        _ => name,
    }
}

/// The path of a message's Rust type from the crate root's `modules`.
pub(crate) fn type_path(message: &MessageDescriptor) -> String {
    let package: Vec<String> = message.package_name().split('.').map(ToSnakeCase::to_snake_case).collect();
    format!("crate::modules::{}::{}", package.join("::"), message.name().to_upper_camel_case())
}
