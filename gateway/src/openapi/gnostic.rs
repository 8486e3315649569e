//! OpenAPI v2 in protobuf, as kubectl before 1.27 wants it. The messages are those of gnostic's OpenAPIv2.proto, as
//! far as our documents use them; they are filled in from the JSON document, so that both forms are the same.

mod messages;

use prost::Message as _;
use serde_json::{Map, Value};

use self::messages::{
    AdditionalProperties, AnyYaml, BodyParameter, Definitions, Document, Info, Items, NamedAny,
    NamedPathItem, NamedResponse, NamedSchema, NonBodyParameter, Operation, Parameter, ParameterItem,
    PathItem, PathParameter, Paths, Properties, QueryParameter, Response, ResponseValue, Responses, Schema,
    SchemaItem, Types,
};

/// Encodes a document.
pub(super) fn encode(document: &Value) -> Vec<u8> {
    let info = &document["info"];
    let message = Document {
        swagger: text(document, "swagger"),
        info: Some(Info { title: text(info, "title"), version: text(info, "version") }),
        paths: Some(Paths { path: members(document, "paths").map(path_item).collect() }),
        definitions: Some(Definitions { additional_properties: named(document, "definitions") }),
    };
    message.encode_to_vec()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let list = value[name].as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn members<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value[name].as_object().into_iter().flat_map(Map::iter)
}

fn named(value: &Value, name: &str) -> Vec<NamedSchema> {
    let one =
        |(name, value): (&String, &Value)| NamedSchema { name: name.clone(), value: Some(schema(value)) };
    members(value, name).map(one).collect()
}

fn schema(value: &Value) -> Schema {
    let additional = value
        .get("additionalProperties")
        .map(|values| Box::new(AdditionalProperties { schema: Some(Box::new(schema(values))) }));
    Schema {
        reference: text(value, "$ref"),
        format: text(value, "format"),
        description: text(value, "description"),
        required: texts(value, "required"),
        additional_properties: additional,
        types: value["type"].as_str().map(|kind| Types { value: vec![kind.to_owned()] }),
        items: value.get("items").map(|items| Items { schema: vec![schema(items)] }),
        properties: value
            .get("properties")
            .map(|_| Properties { additional_properties: named(value, "properties") }),
        vendor_extension: extensions(value),
    }
}

/// Everything that begins with `x-`, as YAML, of which JSON is a part.
fn extensions(value: &Value) -> Vec<NamedAny> {
    let all = value.as_object().into_iter().flat_map(Map::iter).filter(|(name, _)| name.starts_with("x-"));
    let one = |(name, value): (&String, &Value)| NamedAny {
        name: name.clone(),
        value: Some(AnyYaml { yaml: format!("{value}\n") }),
    };
    all.map(one).collect()
}

fn path_item((path, value): (&String, &Value)) -> NamedPathItem {
    let method = |name: &str| value.get(name).map(operation);
    let item = PathItem {
        get: method("get"),
        put: method("put"),
        post: method("post"),
        delete: method("delete"),
        patch: method("patch"),
        parameters: parameters(value),
    };
    NamedPathItem { name: path.clone(), value: Some(item) }
}

fn operation(value: &Value) -> Operation {
    let response = |(code, value): (&String, &Value)| {
        let schema = value.get("schema").map(|answer| SchemaItem { schema: Some(schema(answer)) });
        let response = Response { description: text(value, "description"), schema };
        NamedResponse { name: code.clone(), value: Some(ResponseValue { response: Some(response) }) }
    };
    Operation {
        tags: texts(value, "tags"),
        description: text(value, "description"),
        operation_id: text(value, "operationId"),
        produces: texts(value, "produces"),
        consumes: texts(value, "consumes"),
        parameters: parameters(value),
        responses: Some(Responses { response_code: members(value, "responses").map(response).collect() }),
        schemes: texts(value, "schemes"),
        vendor_extension: extensions(value),
    }
}

fn parameters(value: &Value) -> Vec<ParameterItem> {
    let list = value["parameters"].as_array().into_iter().flatten();
    list.map(|value| ParameterItem { parameter: Some(parameter(value)) }).collect()
}

fn parameter(value: &Value) -> Parameter {
    let (description, name, place) = (text(value, "description"), text(value, "name"), text(value, "in"));
    let required = value["required"].as_bool().unwrap_or(false);
    let (kind, unique_items) = (text(value, "type"), value["uniqueItems"].as_bool().unwrap_or(false));
    match place.as_str() {
        "body" => {
            let schema = value.get("schema").map(schema);
            let body = BodyParameter { description, name, place, required, schema };
            Parameter { body_parameter: Some(body), non_body_parameter: None }
        }
        "path" => {
            let path = PathParameter { required, place, description, name, kind, unique_items };
            let other = NonBodyParameter { query_parameter: None, path_parameter: Some(path) };
            Parameter { body_parameter: None, non_body_parameter: Some(other) }
        }
        _ => {
            let query = QueryParameter { required, place, description, name, kind, unique_items };
            let other = NonBodyParameter { query_parameter: Some(query), path_parameter: None };
            Parameter { body_parameter: None, non_body_parameter: Some(other) }
        }
    }
}

#[cfg(test)]
pub(super) use self::messages::Document as Decoded;
