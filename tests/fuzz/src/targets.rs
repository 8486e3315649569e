//! What is tried: a function of bytes for each parser.

mod objects;
mod patches;
mod texts;

/// A parser, and what must hold of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Asserts what must hold of these bytes.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "json", run: objects::json },
    Target { name: "yaml", run: objects::yaml },
    Target { name: "protobuf", run: objects::protobuf },
    Target { name: "json-patch", run: patches::json },
    Target { name: "merge-patch", run: patches::merge },
    Target { name: "strategic-patch", run: patches::strategic },
    Target { name: "apply-patch", run: patches::apply },
    Target { name: "managed-fields", run: patches::managed_fields },
    Target { name: "label-selector", run: texts::label_selector },
    Target { name: "field-selector", run: texts::field_selector },
    Target { name: "quantity", run: texts::quantity },
    Target { name: "names", run: texts::names },
    Target { name: "time", run: texts::time },
];
