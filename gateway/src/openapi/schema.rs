//! A message as a JSON schema: its fields, their documentation, and what the options of the .proto files say.

use std::collections::{BTreeMap, HashMap};

use keelson_base_model::status::ApiError;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor,
    Value as OptionValue,
};
use serde_json::{Map, Value, json};

/// The two dialects of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V2,
    V3,
}

/// Collects the schemas of messages and of all messages that they refer to.
pub(super) struct Schemas {
    pool: DescriptorPool,
    dialect: Dialect,
    comments: Comments,
    schemas: BTreeMap<String, Value>,
    /// Messages that something refers to and that have no schema yet.
    open: Vec<MessageDescriptor>,
}

/// The comments of all files: by file name and path in it.
type Comments = HashMap<String, HashMap<Vec<i32>, String>>;

/// The name by which a message is known in OpenAPI.
pub(super) fn name_of(message: &str) -> String {
    match message.strip_prefix("k8s.io.") {
        Some(rest) => format!("io.k8s.{rest}"),
        None => message.to_owned(),
    }
}

// === impl Dialect ===

impl Dialect {
    /// A reference to a schema.
    pub(super) fn reference(self, message: &str) -> Value {
        let place = match self {
            Self::V2 => "#/definitions",
            Self::V3 => "#/components/schemas",
        };
        json!({ "$ref": format!("{place}/{}", name_of(message)) })
    }
}

// === impl Schemas ===

impl Schemas {
    pub(super) fn new(dialect: Dialect) -> Result<Self, ApiError> {
        let pool = DescriptorPool::decode(keelson_proto::DESCRIPTORS)
            .map_err(|error| ApiError::internal(format!("cannot read the descriptors: {error}")))?;
        let comments = comments(&pool);
        Ok(Self { pool, dialect, comments, schemas: BTreeMap::new(), open: Vec::new() })
    }

    /// Adds a message and all that it refers to.
    pub(super) fn add(&mut self, message: &str) -> Result<(), ApiError> {
        let found = self.pool.get_message_by_name(message);
        let found = found.ok_or_else(|| ApiError::internal(format!("there is no message {message}")))?;
        self.open.push(found);
        while let Some(next) = self.open.pop() {
            let name = name_of(next.full_name());
            if !self.schemas.contains_key(&name) {
                let schema = self.schema(&next);
                self.schemas.insert(name, schema);
            }
        }
        Ok(())
    }

    /// All schemas by name.
    pub(super) fn finish(self) -> Map<String, Value> {
        self.schemas.into_iter().collect()
    }

    fn schema(&mut self, message: &MessageDescriptor) -> Value {
        let mut schema = leaf(message.full_name(), self.dialect).unwrap_or_else(|| self.fields(message));
        if let Some(text) = self.comment(message.parent_file().name(), message.path()) {
            schema.insert("description".to_owned(), text.into());
        }
        if is_atomic(message) {
            schema.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
        }
        if let Some(kind) = kind_of(message) {
            schema.insert("x-kubernetes-group-version-kind".to_owned(), json!([kind]));
        }
        Value::Object(schema)
    }

    fn fields(&mut self, message: &MessageDescriptor) -> Map<String, Value> {
        let mut properties = BTreeMap::new();
        if kind_of(message).is_some() {
            properties
                .insert("apiVersion".to_owned(), text_property("Group and version of the object's form."));
            properties.insert("kind".to_owned(), text_property("Kind of the object."));
        }
        let mut required = Vec::new();
        self.collect(message, &mut properties, &mut required);
        required.sort_unstable();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        if !properties.is_empty() {
            schema.insert("properties".to_owned(), properties.into_iter().collect::<Map<_, _>>().into());
        }
        schema
    }

    /// The fields of a message; those of an inlined message count as its own.
    fn collect(
        &mut self,
        message: &MessageDescriptor,
        properties: &mut BTreeMap<String, Value>,
        required: &mut Vec<String>,
    ) {
        for field in message.fields() {
            if let (true, Kind::Message(inlined)) = (flag(&field, "inline"), field.kind()) {
                self.collect(&inlined, properties, required);
                continue;
            }
            if flag(&field, "required") {
                required.push(field.name().to_owned());
            }
            let property = self.property(&field);
            properties.insert(field.name().to_owned(), property);
        }
    }

    fn property(&mut self, field: &FieldDescriptor) -> Value {
        let mut property = Map::new();
        if let Some(text) = self.comment(field.parent_file().name(), field.path()) {
            property.insert("description".to_owned(), text.into());
        }
        let value = if field.is_map() {
            let values = field.kind().as_message().map(MessageDescriptor::map_entry_value_field);
            let values = values.map(|values| self.value(&values.kind())).unwrap_or_default();
            json!({ "type": "object", "additionalProperties": values })
        } else if field.cardinality() == Cardinality::Repeated {
            json!({ "type": "array", "items": self.value(&field.kind()) })
        } else {
            self.single(&field.kind())
        };
        if let Value::Object(value) = value {
            property.extend(value);
        }
        extensions(field, &mut property);
        Value::Object(property)
    }

    /// A single value beside its description: v3 allows nothing beside a reference.
    fn single(&mut self, kind: &Kind) -> Value {
        match (self.dialect, kind) {
            (Dialect::V3, Kind::Message(_)) => json!({ "allOf": [self.value(kind)] }),
            _ => self.value(kind),
        }
    }

    fn value(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Message(message) => {
                self.open.push(message.clone());
                self.dialect.reference(message.full_name())
            }
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Bytes => json!({ "type": "string", "format": "byte" }),
            Kind::Float | Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => {
                json!({ "type": "integer", "format": "int64" })
            }
            Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Fixed32 | Kind::Sfixed32 => {
                json!({ "type": "integer", "format": "int32" })
            }
            Kind::String | Kind::Enum(_) => json!({ "type": "string" }),
        }
    }

    fn comment(&self, file: &str, path: &[i32]) -> Option<String> {
        self.comments.get(file)?.get(path).cloned()
    }
}

fn text_property(description: &str) -> Value {
    json!({ "description": description, "type": "string" })
}

/// The messages whose JSON is not an object.
fn leaf(message: &str, dialect: Dialect) -> Option<Map<String, Value>> {
    let schema = match (message.strip_prefix("k8s.io.apimachinery.pkg.").unwrap_or(message), dialect) {
        ("apis.meta.v1.Time" | "apis.meta.v1.MicroTime", _) => {
            json!({ "type": "string", "format": "date-time" })
        }
        ("apis.meta.v1.Duration", _) => json!({ "type": "string" }),
        (
            "apis.meta.v1.Verbs"
            | "k8s.io.api.authentication.v1.ExtraValue"
            | "k8s.io.api.authorization.v1.ExtraValue",
            _,
        ) => json!({ "type": "array", "items": { "type": "string" } }),
        ("apis.meta.v1.FieldsV1" | "runtime.RawExtension", _) => json!({ "type": "object" }),
        ("api.resource.Quantity", Dialect::V2) => json!({ "type": "string" }),
        ("api.resource.Quantity", Dialect::V3) => {
            json!({ "oneOf": [{ "type": "string" }, { "type": "number" }] })
        }
        ("util.intstr.IntOrString", Dialect::V2) => json!({ "type": "string", "format": "int-or-string" }),
        ("util.intstr.IntOrString", Dialect::V3) => {
            json!({ "format": "int-or-string", "oneOf": [{ "type": "integer" }, { "type": "string" }] })
        }
        _ => return None,
    };
    schema.as_object().cloned()
}

/// What strategic merge patches and server-side apply need to know of a field.
fn extensions(field: &FieldDescriptor, property: &mut Map<String, Value>) {
    for (option, name) in [
        ("patch_strategy", "x-kubernetes-patch-strategy"),
        ("patch_merge_key", "x-kubernetes-patch-merge-key"),
        ("list_type", "x-kubernetes-list-type"),
        ("list_map_key", "x-kubernetes-list-map-keys"),
        ("map_type", "x-kubernetes-map-type"),
    ] {
        match option_of(field, option) {
            Some(OptionValue::String(text)) if !text.is_empty() => {
                property.insert(name.to_owned(), text.into());
            }
            Some(OptionValue::List(keys)) if !keys.is_empty() => {
                let keys = keys.iter().filter_map(OptionValue::as_str).map(Value::from);
                property.insert(name.to_owned(), keys.collect());
            }
            _ => {}
        }
    }
}

/// Whether objects of a message have one owner to server-side apply.
fn is_atomic(message: &MessageDescriptor) -> bool {
    let extension = message.parent_pool().get_extension_by_name("keelson.options.atomic");
    extension.is_some_and(|extension| message.options().get_extension(&extension).as_bool() == Some(true))
}

fn flag(field: &FieldDescriptor, option: &str) -> bool {
    option_of(field, option).and_then(|value| value.as_bool()).unwrap_or(false)
}

fn option_of(field: &FieldDescriptor, option: &str) -> Option<OptionValue> {
    let extension = field.parent_pool().get_extension_by_name(&format!("keelson.options.{option}"))?;
    let options = field.options();
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

/// Group, version and kind of a message that is a kind.
fn kind_of(message: &MessageDescriptor) -> Option<Value> {
    let extension = message.parent_pool().get_extension_by_name("keelson.options.kind")?;
    let options = message.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let value = options.get_extension(&extension);
    let kind = value.as_message()?;
    let text = |field: &str| DynamicMessage::get_field_by_name(kind, field)?.as_str().map(str::to_owned);
    Some(json!({ "group": text("group"), "version": text("version"), "kind": text("kind") }))
}

fn comments(pool: &DescriptorPool) -> Comments {
    let file = |proto: &prost_types::FileDescriptorProto| {
        let places = proto.source_code_info.iter().flat_map(|info| &info.location);
        let commented = places
            .filter_map(|place| Some((place.path.clone(), sentence(place.leading_comments.as_deref()?))));
        (proto.name().to_owned(), commented.collect())
    };
    pool.file_descriptor_protos().map(file).collect()
}

/// A comment as one line.
fn sentence(comment: &str) -> String {
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}
