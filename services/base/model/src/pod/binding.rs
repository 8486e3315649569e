//! Bindings: requests to give a pod a node.

use keelson_proto::core::Binding;

use crate::field::{ErrorList, FieldError, Path};
use crate::names;

/// Checks a binding: its target is a node (or does not say), and has a name.
pub fn validate_binding(binding: &Binding) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("target");
    let kind = binding.target.kind.as_str();
    if !matches!(kind, "" | "Node") {
        errors.push(FieldError::not_supported(&path.child("kind"), kind, &["Node", "<empty>"]));
    }
    let name = path.child("name");
    match binding.target.name.as_str() {
        "" => errors.push(FieldError::required(&name, "")),
        given => errors.push_invalid(&name, given, names::dns_subdomain(given)),
    }
    errors
}
