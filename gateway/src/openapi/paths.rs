//! The paths of a kind, and the operations on each.

use http::Method;
use keelson_proto::core::Binding;
use keelson_proto::{Kind, OBSERVED, Object as _, QUESTIONS};
use serde_json::{Map, Value};

use super::operation::{OBJECTS, Operation, PATCHES, Parameter, write_parameter};
use super::schema::Dialect;
use crate::route::Verb;
use crate::route::subresources::{self, Subresource};

const META: &str = "k8s.io.apimachinery.pkg.apis.meta.v1";

const PRETTY: Parameter = ("pretty", "string", "Indent the answer.");
const NAME: Parameter = ("name", "string", "Name of the object.");
const NAMESPACE: Parameter = ("namespace", "string", "Namespace of the object.");

const LIST: &[Parameter] = &[
    ("allowWatchBookmarks", "boolean", "Send bookmarks, which tell the present version, to a watch."),
    ("continue", "string", "Token of the page before."),
    ("fieldSelector", "string", "Only objects whose fields match."),
    ("labelSelector", "string", "Only objects whose labels match."),
    ("limit", "integer", "The most objects of one page."),
    ("resourceVersion", "string", "Version to read at or to watch from."),
    ("resourceVersionMatch", "string", "How the version is understood: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Begin a watch with the present objects."),
    ("timeoutSeconds", "integer", "Seconds after which a watch ends."),
    ("watch", "boolean", "Stream changes in place of the list."),
];

const DELETE: &[Parameter] = &[
    DRY_RUN,
    ("gracePeriodSeconds", "integer", "Seconds to end in an orderly way."),
    ("orphanDependents", "boolean", "Former form of propagationPolicy."),
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
];

const LOG: &[Parameter] = &[
    ("container", "string", "Container whose log it is."),
    ("follow", "boolean", "Send new lines as they come."),
    ("limitBytes", "integer", "Stop after this many bytes."),
    ("previous", "boolean", "Read the log of the run before."),
    ("sinceSeconds", "integer", "Only lines of this many last seconds."),
    ("tailLines", "integer", "Only this many last lines."),
    ("timestamps", "boolean", "Begin every line with its time."),
];

const CONTAINER_STREAMS: &[Parameter] = &[
    ("container", "string", "Container; optional if the pod has just one."),
    ("stderr", "boolean", "Whether error output is wanted."),
    ("stdin", "boolean", "Whether input is sent."),
    ("stdout", "boolean", "Whether output is wanted."),
    ("tty", "boolean", "Whether there is a terminal."),
];

const COMMAND: Parameter = ("command", "string", "The command and its arguments, one word each.");
const PORTS: Parameter = ("ports", "integer", "Ports to forward to, over WebSocket's channels.");

const DRY_RUN: Parameter = ("dryRun", "string", "All goes through every step but stores nothing.");
const FIELD_MANAGER: Parameter = ("fieldManager", "string", "Name of the party that sets the fields.");
const FIELD_VALIDATION: Parameter =
    ("fieldValidation", "string", "What happens on unknown fields: Ignore, Warn or Strict.");
const FORCE: Parameter = ("force", "boolean", "Take over fields that others have applied.");

const WRITE: &[Parameter] = &[DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];
const PATCH: &[Parameter] = &[DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION, FORCE];

/// A path and what can be done on it.
#[derive(Debug)]
pub(super) struct PathItem {
    /// The path, with its variable parts in braces.
    pub(super) path: String,
    parameters: Vec<Parameter>,
    /// The operations.
    pub(super) operations: Vec<Operation>,
}

/// The paths of a kind.
pub(super) fn of(kind: &'static Kind) -> Vec<PathItem> {
    let root = match kind.group {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    let (base, scope) = match kind.namespaced {
        true => (format!("{root}/namespaces/{{namespace}}"), vec![NAMESPACE]),
        false => (root.clone(), vec![]),
    };
    let collection = format!("{base}/{}", kind.plural);
    let object = format!("{collection}/{{name}}");
    let named = [scope.as_slice(), &[NAME]].concat();
    let mut items = vec![PathItem::new(&collection, &scope, on_collection(kind))];
    if kind == Binding::KIND || QUESTIONS.contains(kind) {
        return items;
    }
    if kind.namespaced {
        let across = format!("{root}/{}", kind.plural);
        items.push(PathItem::new(&across, &[], vec![Makes { kind, scope: "ForAllNamespaces" }.list()]));
    }
    items.push(PathItem::new(&object, &named, on_object(kind)));
    for below in subresources::of(kind) {
        items.push(PathItem::new(&format!("{object}/{}", below.name), &named, on_subresource(kind, below)));
    }
    items
}

fn on_collection(kind: &'static Kind) -> Vec<Operation> {
    let makes = Makes { kind, scope: "" };
    let create = Operation {
        query: WRITE.to_vec(),
        sends: Some((kind.message.to_owned(), OBJECTS)),
        code: "201",
        ..makes.operation("post", "post", "create", "Stores a new")
    };
    if kind == Binding::KIND || QUESTIONS.contains(kind) {
        return vec![create];
    }
    if OBSERVED.contains(kind) {
        return vec![makes.list()];
    }
    let delete = Operation {
        query: [LIST, DELETE].concat(),
        sends: Some((format!("{META}.DeleteOptions"), OBJECTS)),
        answers: Some(format!("{META}.Status")),
        ..makes.operation("delete", "deletecollection", "deleteCollection", "Deletes all objects of kind")
    };
    vec![makes.list(), create, delete]
}

fn on_object(kind: &'static Kind) -> Vec<Operation> {
    let makes = Makes { kind, scope: "" };
    let delete = Operation {
        query: DELETE.to_vec(),
        sends: Some((format!("{META}.DeleteOptions"), OBJECTS)),
        answers: Some(format!("{META}.Status")),
        ..makes.operation("delete", "delete", "delete", "Deletes a")
    };
    if OBSERVED.contains(kind) {
        return vec![makes.read()];
    }
    vec![makes.read(), makes.replace(), makes.patch(), delete]
}

fn on_subresource(kind: &'static Kind, below: &'static Subresource) -> Vec<Operation> {
    let makes = Makes { kind, scope: below.name };
    let operation = |method: &Method, verb: Verb| match verb {
        Verb::Log => Operation { query: LOG.to_vec(), answers: None, ..makes.read() },
        Verb::Exec | Verb::Attach | Verb::PortForward | Verb::Proxy => makes.connect(method, verb),
        Verb::Get | Verb::GetScale => makes.read(),
        Verb::Patch | Verb::PatchStatus | Verb::PatchScale => makes.patch(),
        Verb::Bind | Verb::Evict | Verb::CreateToken => {
            Operation { method: "post", action: "post", code: "201", ..makes.replace() }
        }
        _ => makes.replace(),
    };
    let operations = below.methods.iter().map(|(method, verb)| operation(method, *verb));
    let held = |mut operation: Operation| {
        if operation.action == "connect" {
            operation.kind = below.holds.unwrap_or(operation.kind);
        } else if let Some((group, version, held)) = below.holds {
            // Packages are named by the first word of their group.
            let package = if group.is_empty() { "core" } else { group.split('.').next().unwrap_or(group) };
            let message = format!("k8s.io.api.{package}.{version}.{held}");
            operation.kind = (group, version, held);
            operation.answers = Some(message.clone());
            if let Some((sent, _)) = operation.sends.as_mut().filter(|(sent, _)| sent == kind.message) {
                *sent = message;
            }
        }
        operation
    };
    operations.map(held).collect()
}

/// Makes the operations of one kind on one path.
struct Makes {
    kind: &'static Kind,
    /// Tells this path from the kind's others.
    scope: &'static str,
}

// === impl Makes ===

impl Makes {
    fn list(&self) -> Operation {
        Operation {
            query: LIST.to_vec(),
            answers: Some(format!("{}List", self.kind.message)),
            ..self.operation("get", "list", "list", "Lists or watches objects of kind")
        }
    }

    fn read(&self) -> Operation {
        self.operation("get", "get", "read", "Reads a")
    }

    fn replace(&self) -> Operation {
        Operation {
            query: WRITE.to_vec(),
            sends: Some((self.kind.message.to_owned(), OBJECTS)),
            ..self.operation("put", "put", "replace", "Replaces a")
        }
    }

    /// A connection, or a request that is passed on: the answer is whatever comes.
    fn connect(&self, method: &Method, verb: Verb) -> Operation {
        let (word, method) = match *method {
            Method::POST => ("connectPost", "post"),
            Method::PUT => ("connectPut", "put"),
            Method::PATCH => ("connectPatch", "patch"),
            Method::DELETE => ("connectDelete", "delete"),
            _ => ("connectGet", "get"),
        };
        let query = match verb {
            Verb::Exec => [CONTAINER_STREAMS, &[COMMAND]].concat(),
            Verb::Attach => CONTAINER_STREAMS.to_vec(),
            Verb::PortForward => vec![PORTS],
            _ => Vec::new(),
        };
        Operation { query, answers: None, ..self.operation(method, "connect", word, "Connects to a") }
    }

    fn patch(&self) -> Operation {
        Operation {
            query: PATCH.to_vec(),
            sends: Some((format!("{META}.Patch"), PATCHES)),
            ..self.operation("patch", "patch", "patch", "Changes part of a")
        }
    }

    /// An operation that sends nothing and answers with the object.
    fn operation(&self, method: &'static str, action: &'static str, verb: &str, what: &str) -> Operation {
        let kind = self.kind;
        let group = kind.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
        let scoped = if kind.namespaced && self.scope != "ForAllNamespaces" { "Namespaced" } else { "" };
        let (group_name, version) = (capital(group), capital(kind.version));
        let scope = capital(self.scope);
        Operation {
            method,
            id: format!("{verb}{group_name}{version}{scoped}{}{scope}", kind.kind),
            description: format!("{what} {}.", kind.kind),
            tag: format!("{group}_{}", kind.version),
            action,
            kind: (kind.group, kind.version, kind.kind),
            query: Vec::new(),
            sends: None,
            answers: Some(kind.message.to_owned()),
            code: "200",
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

// === impl PathItem ===

impl PathItem {
    fn new(path: &str, parameters: &[Parameter], operations: Vec<Operation>) -> Self {
        let parameters = [parameters, &[PRETTY]].concat();
        Self { path: path.to_owned(), parameters, operations }
    }

    /// The path as OpenAPI writes it.
    pub(super) fn write(&self, dialect: Dialect) -> Value {
        let operations = self.operations.iter().map(|known| (known.method.to_owned(), known.write(dialect)));
        let mut item: Map<String, Value> = operations.collect();
        let place = |name: &str| if name == PRETTY.0 { "query" } else { "path" };
        let parameters = self.parameters.iter();
        let parameters = parameters.map(|parameter| write_parameter(place(parameter.0), parameter, dialect));
        item.insert("parameters".to_owned(), parameters.collect());
        item.into()
    }

    /// The messages that its operations name.
    pub(super) fn messages(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().flat_map(|operation| {
            let sent = operation.sends.iter().map(|(message, _)| message.as_str());
            sent.chain(operation.answers.as_deref())
        })
    }
}
