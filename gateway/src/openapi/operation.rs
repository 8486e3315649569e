//! One operation on a path, and how each dialect writes it.

use serde_json::{Map, Value, json};

use super::schema::Dialect;

/// What a method does on a path.
#[derive(Debug)]
pub(super) struct Operation {
    /// The method, in lower case.
    pub(super) method: &'static str,
    /// A name that no other operation has.
    pub(super) id: String,
    /// What it does, for people.
    pub(super) description: String,
    /// The section that it stands in.
    pub(super) tag: String,
    /// What it does, for programs, for instance `list`.
    pub(super) action: &'static str,
    /// Group, version and kind of what it does it to.
    pub(super) kind: (&'static str, &'static str, &'static str),
    /// Its query parameters.
    pub(super) query: Vec<Parameter>,
    /// The message that is sent, and in which media types; `None` if nothing is.
    pub(super) sends: Option<(String, &'static [&'static str])>,
    /// The message that is answered; `None` for plain text.
    pub(super) answers: Option<String>,
    /// The code of success.
    pub(super) code: &'static str,
}

/// A parameter: its name, its type, and what it is about.
pub(super) type Parameter = (&'static str, &'static str, &'static str);

/// What objects are written in.
pub(super) const OBJECTS: &[&str] = crate::negotiate::OBJECTS;

/// What patches are written in.
pub(super) const PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

// === impl Operation ===

impl Operation {
    /// The operation as OpenAPI writes it.
    pub(super) fn write(&self, dialect: Dialect) -> Value {
        let (group, version, kind) = self.kind;
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| {
            out.insert(name.to_owned(), value);
        };
        put("description", self.description.as_str().into());
        put("operationId", self.id.as_str().into());
        put("tags", json!([self.tag]));
        put("x-kubernetes-action", self.action.into());
        put("x-kubernetes-group-version-kind", json!({ "group": group, "version": version, "kind": kind }));
        let mut parameters: Vec<Value> =
            self.query.iter().map(|parameter| write_parameter("query", parameter, dialect)).collect();
        match dialect {
            Dialect::V2 => {
                if let Some((message, _)) = &self.sends {
                    let required = self.method != "delete";
                    let schema = dialect.reference(message);
                    parameters.push(
                        json!({ "name": "body", "in": "body", "required": required, "schema": schema }),
                    );
                }
                let consumes = self.sends.as_ref().map_or(&["*/*"][..], |(_, media)| media);
                put("consumes", json!(consumes));
                put("produces", json!(self.produces()));
                put("schemes", json!(["https"]));
                put(
                    "responses",
                    self.responses(|schema| json!({ "description": "OK", "schema": schema }), dialect),
                );
            }
            Dialect::V3 => {
                if let Some((message, media)) = &self.sends {
                    put("requestBody", json!({ "content": contents(media, &dialect.reference(message)) }));
                }
                let produces = self.produces();
                let answer =
                    |schema: Value| json!({ "description": "OK", "content": contents(produces, &schema) });
                put("responses", self.responses(answer, dialect));
            }
        }
        if !parameters.is_empty() {
            put("parameters", parameters.into());
        }
        out.into()
    }

    fn produces(&self) -> &'static [&'static str] {
        if self.answers.is_some() { OBJECTS } else { &["text/plain"] }
    }

    fn responses(&self, answer: impl FnOnce(Value) -> Value, dialect: Dialect) -> Value {
        let schema =
            self.answers.as_ref().map_or_else(|| json!({ "type": "string" }), |name| dialect.reference(name));
        json!({ self.code: answer(schema), "401": { "description": "Unauthorized" } })
    }
}

/// The same schema in several media types.
fn contents(media: &[&str], schema: &Value) -> Value {
    let one = |media: &&str| ((*media).to_owned(), json!({ "schema": schema }));
    media.iter().map(one).collect::<Map<_, _>>().into()
}

/// A parameter of a path or a query.
pub(super) fn write_parameter(place: &str, (name, kind, about): &Parameter, dialect: Dialect) -> Value {
    let mut parameter = json!({ "name": name, "in": place, "description": about });
    if place == "path" {
        parameter["required"] = true.into();
    }
    match dialect {
        Dialect::V2 => {
            parameter["type"] = (*kind).into();
            parameter["uniqueItems"] = true.into();
        }
        Dialect::V3 => parameter["schema"] = json!({ "type": kind, "uniqueItems": true }),
    }
    parameter
}
