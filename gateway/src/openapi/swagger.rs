//! Swagger 1.2, as Kubernetes 1.0 described itself: kubectl of that age checks objects by it before it sends them.
//!
//! It is OpenAPI v2 in other words: what that says of a version's paths and schemas is rewritten.

use serde_json::{Map, Value, json};

/// `/swaggerapi`: which declarations there are, by path of the version.
pub(super) fn listing(paths: &[String]) -> Value {
    let apis = paths.iter().map(|path| json!({ "path": format!("/{path}"), "description": "" }));
    json!({
        "swaggerVersion": "1.2",
        "apis": apis.collect::<Vec<_>>(),
        "apiVersion": "",
        "info": { "title": "Keelson", "description": "" },
    })
}

/// The declaration of one version: `paths` and `schemas` as OpenAPI v2 has them, `path` as `api/v1`.
pub(super) fn declaration(
    path: &str,
    version: &str,
    paths: &Map<String, Value>,
    schemas: &Map<String, Value>,
) -> Value {
    let names = Names { version, schemas };
    let apis = paths.iter().map(|(path, item)| names.api(path, item));
    let models = schemas.iter().filter(|(_, schema)| schema.get("properties").is_some());
    let models = models.map(|(name, schema)| (names.id(name), names.model(name, schema)));
    json!({
        "swaggerVersion": "1.2",
        "apiVersion": version,
        "basePath": "/",
        "resourcePath": format!("/{path}"),
        "apis": apis.collect::<Vec<_>>(),
        "models": models.collect::<Map<_, _>>(),
    })
}

/// How the schemas are called, and what they are.
struct Names<'a> {
    version: &'a str,
    schemas: &'a Map<String, Value>,
}

// === impl Names ===

impl Names<'_> {
    /// The model's name: `v1.Pod`.
    fn id(&self, name: &str) -> String {
        format!("{}.{}", self.version, name.rsplit('.').next().unwrap_or(name))
    }

    fn model(&self, name: &str, schema: &Value) -> Value {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let properties = properties.iter().map(|(name, property)| {
            let mut kind = self.kind(property);
            if let (Some(kind), Some(text)) = (kind.as_object_mut(), property.get("description")) {
                kind.insert("description".to_owned(), text.clone());
            }
            (name.clone(), kind)
        });
        let mut model = json!({ "id": self.id(name), "properties": properties.collect::<Map<_, _>>() });
        if let Some(required) = schema.get("required") {
            model["required"] = required.clone();
        }
        model
    }

    /// What a value is: a model, a list, something scalar, or anything, where 1.2 has no word for it.
    fn kind(&self, schema: &Value) -> Value {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            return match self.schemas.get(name) {
                Some(target) if target.get("properties").is_some() => json!({ "$ref": self.id(name) }),
                Some(target) => self.kind(target),
                None => json!({ "type": "any" }),
            };
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("array") => {
                json!({ "type": "array", "items": schema.get("items").map(|items| self.kind(items)) })
            }
            Some(scalar @ ("string" | "boolean" | "integer" | "number")) => match schema.get("format") {
                Some(format) => json!({ "type": scalar, "format": format }),
                None => json!({ "type": scalar }),
            },
            _ => json!({ "type": "any" }),
        }
    }

    /// The name of what is sent or answered.
    fn type_of(&self, schema: &Value) -> Value {
        let kind = self.kind(schema);
        kind.get("$ref").or_else(|| kind.get("type")).cloned().unwrap_or_else(|| "any".into())
    }

    fn api(&self, path: &str, item: &Value) -> Value {
        let none = Map::new();
        let shared = item.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
        let methods = item.as_object().unwrap_or(&none).iter().filter(|(name, _)| *name != "parameters");
        let operations = methods.map(|(method, operation)| {
            let own = operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
            let parameters = own.iter().chain(&shared).map(|parameter| self.parameter(parameter));
            json!({
                "method": method.to_uppercase(),
                "nickname": operation.get("operationId"),
                "summary": operation.get("description"),
                "type": self.answer(operation),
                "parameters": parameters.collect::<Vec<_>>(),
                "produces": operation.get("produces"),
                "consumes": operation.get("consumes"),
            })
        });
        json!({ "path": path, "description": "", "operations": operations.collect::<Vec<_>>() })
    }

    fn answer(&self, operation: &Value) -> Value {
        let responses = operation.get("responses").and_then(Value::as_object);
        let success = responses.and_then(|all| all.iter().find(|(code, _)| code.starts_with('2')));
        let schema = success.and_then(|(_, response)| response.get("schema"));
        schema.map_or_else(|| "any".into(), |schema| self.type_of(schema))
    }

    fn parameter(&self, parameter: &Value) -> Value {
        let schema = parameter.get("schema").unwrap_or(parameter);
        json!({
            "name": parameter.get("name"),
            "paramType": parameter.get("in"),
            "type": self.type_of(schema),
            "description": parameter.get("description").cloned().unwrap_or_else(|| "".into()),
            "required": parameter.get("required").and_then(Value::as_bool).unwrap_or_default(),
            "allowMultiple": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_become_models_that_old_kubectls_can_check_by() {
        let schemas = json!({
            "io.k8s.api.core.v1.Pod": {"type": "object", "required": ["spec"], "properties": {
                "kind": {"type": "string"},
                "metadata": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "description": "d"},
                "list": {"type": "array", "items": {"$ref": "#/definitions/io.k8s.api.core.v1.Pod"}},
                "time": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Time"},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
            }},
            "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object", "properties": {"name": {"type": "string"}}},
            "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"type": "string", "format": "date-time"},
        });
        let paths = json!({"/api/v1/pods/{name}": {
            "parameters": [{"name": "name", "in": "path", "required": true, "type": "string"}],
            "get": {"operationId": "readPod", "description": "Reads.", "responses": {"200": {"schema": {"$ref": "#/definitions/io.k8s.api.core.v1.Pod"}}, "401": {}}},
        }});
        let made = declaration("api/v1", "v1", paths.as_object().unwrap(), schemas.as_object().unwrap());
        let pod = &made["models"]["v1.Pod"];
        assert_eq!(
            pod["properties"],
            json!({
                "kind": {"type": "string"},
                "metadata": {"$ref": "v1.ObjectMeta", "description": "d"},
                "list": {"type": "array", "items": {"$ref": "v1.Pod"}},
                "time": {"type": "string", "format": "date-time"},
                "map": {"type": "any"},
            })
        );
        assert_eq!((&pod["id"], &pod["required"]), (&json!("v1.Pod"), &json!(["spec"])));
        assert!(made["models"].get("v1.Time").is_none());
        let operation = &made["apis"][0]["operations"][0];
        assert_eq!((&operation["method"], &operation["type"]), (&json!("GET"), &json!("v1.Pod")));
        assert_eq!(operation["parameters"][0]["paramType"], "path");
        assert_eq!(made["resourcePath"], "/api/v1");
    }
}
