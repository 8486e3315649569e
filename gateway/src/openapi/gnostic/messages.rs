//! The messages: names shortened, numbers as published (a field of a oneof is an ordinary field on the wire).

use prost::Message;

/// A document.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Document {
    /// Version of the dialect.
    #[prost(string, tag = "1")]
    pub(in super::super) swagger: String,
    /// What it describes.
    #[prost(message, optional, tag = "2")]
    pub(in super::super) info: Option<Info>,
    /// Its paths.
    #[prost(message, optional, tag = "8")]
    pub(in super::super) paths: Option<Paths>,
    /// Its schemas.
    #[prost(message, optional, tag = "9")]
    pub(in super::super) definitions: Option<Definitions>,
}

/// What a document describes.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Info {
    /// Its name.
    #[prost(string, tag = "1")]
    pub(in super::super) title: String,
    /// Its version.
    #[prost(string, tag = "2")]
    pub(in super::super) version: String,
}

/// Paths.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Paths {
    /// The paths by name.
    #[prost(message, repeated, tag = "2")]
    pub(in super::super) path: Vec<NamedPathItem>,
}

/// A path and what can be done on it.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct NamedPathItem {
    /// The path.
    #[prost(string, tag = "1")]
    pub(in super::super) name: String,
    /// What can be done.
    #[prost(message, optional, tag = "2")]
    pub(in super::super) value: Option<PathItem>,
}

/// What can be done on a path.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct PathItem {
    /// GET.
    #[prost(message, optional, tag = "2")]
    pub(in super::super) get: Option<Operation>,
    /// PUT.
    #[prost(message, optional, tag = "3")]
    pub(in super::super) put: Option<Operation>,
    /// POST.
    #[prost(message, optional, tag = "4")]
    pub(in super::super) post: Option<Operation>,
    /// DELETE.
    #[prost(message, optional, tag = "5")]
    pub(in super::super) delete: Option<Operation>,
    /// PATCH.
    #[prost(message, optional, tag = "8")]
    pub(in super::super) patch: Option<Operation>,
    /// Parameters of all operations.
    #[prost(message, repeated, tag = "9")]
    pub(in super::super) parameters: Vec<ParameterItem>,
}

/// One operation.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Operation {
    /// Its section.
    #[prost(string, repeated, tag = "1")]
    pub(in super::super) tags: Vec<String>,
    /// What it does.
    #[prost(string, tag = "3")]
    pub(in super::super) description: String,
    /// Its name.
    #[prost(string, tag = "5")]
    pub(in super::super) operation_id: String,
    /// Media types of the answer.
    #[prost(string, repeated, tag = "6")]
    pub(in super::super) produces: Vec<String>,
    /// Media types of the body.
    #[prost(string, repeated, tag = "7")]
    pub(in super::super) consumes: Vec<String>,
    /// Its parameters.
    #[prost(message, repeated, tag = "8")]
    pub(in super::super) parameters: Vec<ParameterItem>,
    /// Its answers.
    #[prost(message, optional, tag = "9")]
    pub(in super::super) responses: Option<Responses>,
    /// How it is reached.
    #[prost(string, repeated, tag = "10")]
    pub(in super::super) schemes: Vec<String>,
    /// Extensions.
    #[prost(message, repeated, tag = "13")]
    pub(in super::super) vendor_extension: Vec<NamedAny>,
}

/// A parameter, or (unused here) a reference to one.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct ParameterItem {
    /// The parameter.
    #[prost(message, optional, tag = "1")]
    pub(in super::super) parameter: Option<Parameter>,
}

/// A parameter of either sort.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Parameter {
    /// A body.
    #[prost(message, optional, tag = "1")]
    pub(in super::super) body_parameter: Option<BodyParameter>,
    /// Anything else.
    #[prost(message, optional, tag = "2")]
    pub(in super::super) non_body_parameter: Option<NonBodyParameter>,
}

/// What is sent as the body.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct BodyParameter {
    /// What it is about.
    #[prost(string, tag = "1")]
    pub(in super::super) description: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub(in super::super) name: String,
    /// Always `body`.
    #[prost(string, tag = "3")]
    pub(in super::super) place: String,
    /// Whether it must be sent.
    #[prost(bool, tag = "4")]
    pub(in super::super) required: bool,
    /// Its schema.
    #[prost(message, optional, tag = "5")]
    pub(in super::super) schema: Option<Schema>,
}

/// A parameter outside the body.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct NonBodyParameter {
    /// In the query.
    #[prost(message, optional, tag = "3")]
    pub(in super::super) query_parameter: Option<QueryParameter>,
    /// In the path.
    #[prost(message, optional, tag = "4")]
    pub(in super::super) path_parameter: Option<PathParameter>,
}

/// A parameter of the query.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct QueryParameter {
    /// Whether it must be given.
    #[prost(bool, tag = "1")]
    pub(in super::super) required: bool,
    /// Always `query`.
    #[prost(string, tag = "2")]
    pub(in super::super) place: String,
    /// What it is about.
    #[prost(string, tag = "3")]
    pub(in super::super) description: String,
    /// Its name.
    #[prost(string, tag = "4")]
    pub(in super::super) name: String,
    /// Its type.
    #[prost(string, tag = "6")]
    pub(in super::super) kind: String,
    /// Whether it may be given once only.
    #[prost(bool, tag = "20")]
    pub(in super::super) unique_items: bool,
}

/// A parameter of the path.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct PathParameter {
    /// Whether it must be given.
    #[prost(bool, tag = "1")]
    pub(in super::super) required: bool,
    /// Always `path`.
    #[prost(string, tag = "2")]
    pub(in super::super) place: String,
    /// What it is about.
    #[prost(string, tag = "3")]
    pub(in super::super) description: String,
    /// Its name.
    #[prost(string, tag = "4")]
    pub(in super::super) name: String,
    /// Its type.
    #[prost(string, tag = "5")]
    pub(in super::super) kind: String,
    /// Whether it may be given once only.
    #[prost(bool, tag = "19")]
    pub(in super::super) unique_items: bool,
}

/// Answers by code.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Responses {
    /// The answers.
    #[prost(message, repeated, tag = "1")]
    pub(in super::super) response_code: Vec<NamedResponse>,
}

/// A code and its answer.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct NamedResponse {
    /// The code.
    #[prost(string, tag = "1")]
    pub(in super::super) name: String,
    /// The answer.
    #[prost(message, optional, tag = "2")]
    pub(in super::super) value: Option<ResponseValue>,
}

/// An answer, or (unused here) a reference to one.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct ResponseValue {
    /// The answer.
    #[prost(message, optional, tag = "1")]
    pub(in super::super) response: Option<Response>,
}

/// An answer.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Response {
    /// What it means.
    #[prost(string, tag = "1")]
    pub(in super::super) description: String,
    /// What it holds.
    #[prost(message, optional, tag = "2")]
    pub(in super::super) schema: Option<SchemaItem>,
}

/// A schema, or (unused here) a file.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct SchemaItem {
    /// The schema.
    #[prost(message, optional, tag = "1")]
    pub(in super::super) schema: Option<Schema>,
}

/// Schemas by name.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Definitions {
    /// The schemas.
    #[prost(message, repeated, tag = "1")]
    pub(in super::super) additional_properties: Vec<NamedSchema>,
}

/// The properties of an object.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Properties {
    /// The properties.
    #[prost(message, repeated, tag = "1")]
    pub(in super::super) additional_properties: Vec<NamedSchema>,
}

/// A name and its schema.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct NamedSchema {
    /// The name.
    #[prost(string, tag = "1")]
    pub(in super::super) name: String,
    /// The schema.
    #[prost(message, optional, tag = "2")]
    pub(in super::super) value: Option<Schema>,
}

/// A schema.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Schema {
    /// Where it is; all else is empty then, but for the description.
    #[prost(string, tag = "1")]
    pub(in super::super) reference: String,
    /// What a value of the type is.
    #[prost(string, tag = "2")]
    pub(in super::super) format: String,
    /// What it is about.
    #[prost(string, tag = "4")]
    pub(in super::super) description: String,
    /// Properties that must be given.
    #[prost(string, repeated, tag = "19")]
    pub(in super::super) required: Vec<String>,
    /// The values of a map.
    #[prost(message, optional, boxed, tag = "21")]
    pub(in super::super) additional_properties: Option<Box<AdditionalProperties>>,
    /// Its type.
    #[prost(message, optional, tag = "22")]
    pub(in super::super) types: Option<Types>,
    /// The elements of a list.
    #[prost(message, optional, tag = "23")]
    pub(in super::super) items: Option<Items>,
    /// The properties of an object.
    #[prost(message, optional, tag = "25")]
    pub(in super::super) properties: Option<Properties>,
    /// Extensions.
    #[prost(message, repeated, tag = "31")]
    pub(in super::super) vendor_extension: Vec<NamedAny>,
}

/// The values of a map.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct AdditionalProperties {
    /// Their schema.
    #[prost(message, optional, boxed, tag = "1")]
    pub(in super::super) schema: Option<Box<Schema>>,
}

/// Types.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Types {
    /// The types; one.
    #[prost(string, repeated, tag = "1")]
    pub(in super::super) value: Vec<String>,
}

/// The elements of a list.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct Items {
    /// Their schemas; one.
    #[prost(message, repeated, tag = "1")]
    pub(in super::super) schema: Vec<Schema>,
}

/// A name and a value of any form.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct NamedAny {
    /// The name.
    #[prost(string, tag = "1")]
    pub(in super::super) name: String,
    /// The value.
    #[prost(message, optional, tag = "2")]
    pub(in super::super) value: Option<AnyYaml>,
}

/// A value of any form.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct AnyYaml {
    /// The value in YAML.
    #[prost(string, tag = "2")]
    pub(in super::super) yaml: String,
}
