//! The descriptor set as prost is to see it. Kubernetes' Go types hold most fields by value and always
//! write them; proto2's `optional` would make an `Option` of each. So every singular field that is not
//! marked `ptr` becomes `required` here, which changes neither what is accepted nor what others read.

use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind};
use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, FileDescriptorSet};

use crate::names;

/// Rewrites the files of the objects and drops those that only other generators read.
pub(crate) fn for_codegen(mut set: FileDescriptorSet, pool: &DescriptorPool) -> FileDescriptorSet {
    set.file.retain(|file| file.name() != "keelson/options.proto" && file.package() != "google.protobuf");
    for file in set.file.iter_mut().filter(|file| file.package().starts_with("k8s.io")) {
        let package = file.package().to_owned();
        for message in &mut file.message_type {
            rewrite_message(message, &package, pool);
        }
    }
    set
}

fn rewrite_message(message: &mut DescriptorProto, package: &str, pool: &DescriptorPool) {
    let Some(descriptor) = pool.get_message_by_name(&format!("{package}.{}", message.name())) else { return };
    for field in &mut message.field {
        let Some(described) = descriptor.get_field(field.number() as u32) else { continue };
        if by_value(&described) {
            field.label = Some(Label::Required as i32);
        }
        field.name = Some(names::snake(field.name()));
    }
}

/// Whether Rust holds the field as `T` rather than `Option<T>`, `Vec<T>` or a map. A time that is not a
/// pointer is an `Option` all the same, since Go's zero time is "none".
pub(crate) fn by_value(field: &FieldDescriptor) -> bool {
    field.cardinality() != Cardinality::Repeated && !flag(field, "ptr") && !is_time(field)
}

/// Whether the field is a point in time.
pub(crate) fn is_time(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(message)
        if matches!(message.full_name(), "k8s.io.apimachinery.pkg.apis.meta.v1.Time" | "k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime"))
}

/// Whether a boolean option of options.proto is set on the field.
pub(crate) fn flag(field: &FieldDescriptor, option: &str) -> bool {
    let Some(extension) = field.parent_pool().get_extension_by_name(&format!("keelson.options.{option}"))
    else {
        return false;
    };
    field.options().get_extension(&extension).as_bool().unwrap_or(false)
}
