//! Which request means what: a pure function of method, path and query.
//!
//! The kinds come from the proto crate's table, so a kind that gets a registry gets its paths. 1.0's
//! `/api/v1/watch/…` prefix paths mean the same as `?watch=true`.

pub(crate) mod proxied;
pub(crate) mod subresources;

use http::Method;
use keelson_base_model::status::{ApiError, Reason};
use keelson_proto::core::Binding;
use keelson_proto::{Kind, OBSERVED, Object as _, QUESTIONS};
use percent_encoding::percent_decode_str;

use crate::query::Query;
use crate::{discovery, kinds};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/`: the paths there are.
    Root,
    /// `/version`.
    Version,
    /// `/api`: the versions of the core group.
    CoreVersions,
    /// `/apis`: the other groups.
    Groups,
    /// `/apis/<group>`.
    Group(&'static str),
    /// `/api/v1` or `/apis/<group>/<version>`: group and version.
    Resources(&'static str, &'static str),
    /// `/openapi/v2`.
    OpenApiV2,
    /// `/openapi/v3`: which documents there are.
    OpenApiV3,
    /// `/openapi/v3/<group version path>`.
    OpenApiV3Of(String),
    /// `/swaggerapi`: 1.0's description of itself.
    Swagger,
    /// `/swaggerapi/<group version path>`.
    SwaggerOf(String),
    /// `/.well-known/openid-configuration`: who issues the tokens of service accounts.
    Issuer,
    /// `/openid/v1/jwks`: the keys that they are checked with.
    Keys,
    /// Something on objects.
    Call(Call),
}

/// A verb on objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// What to do.
    pub(crate) verb: Verb,
    /// To objects of which kind.
    pub(crate) kind: &'static Kind,
    /// In which namespace; empty for all of them, and for kinds outside namespaces.
    pub(crate) namespace: String,
    /// To which object; empty for a collection.
    pub(crate) name: String,
}

/// What can be done to objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    List,
    Watch,
    Get,
    Create,
    Update,
    UpdateStatus,
    Finalize,
    Patch,
    PatchStatus,
    Delete,
    DeleteCollection,
    Bind,
    Evict,
    CreateToken,
    Log,
    Exec,
    Attach,
    PortForward,
    Proxy,
    GetScale,
    UpdateScale,
    PatchScale,
}

/// Reads a request line.
pub(crate) fn route(method: &Method, path: &str, query: &Query) -> Result<Route, ApiError> {
    // First: what follows there need not look like paths of ours.
    if let Some(proxied) = proxied::read(path)? {
        return Ok(Route::Call(proxied.call));
    }
    let segments = segments(path)?;
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = if method == Method::HEAD { &Method::GET } else { method };
    match parts.as_slice() {
        [] | ["index.html"] => fixed(method, Route::Root),
        ["version"] => fixed(method, Route::Version),
        [".well-known", "openid-configuration"] => fixed(method, Route::Issuer),
        ["openid", "v1", "jwks"] => fixed(method, Route::Keys),
        ["api"] => fixed(method, Route::CoreVersions),
        ["apis"] => fixed(method, Route::Groups),
        ["openapi", "v2"] => fixed(method, Route::OpenApiV2),
        ["openapi", "v3"] => fixed(method, Route::OpenApiV3),
        ["openapi", "v3", rest @ ..] => fixed(method, Route::OpenApiV3Of(rest.join("/"))),
        ["swaggerapi"] => fixed(method, Route::Swagger),
        ["swaggerapi", rest @ ..] => fixed(method, Route::SwaggerOf(rest.join("/"))),
        ["api", version, rest @ ..] => in_version(method, "", version, rest, query),
        ["apis", group] => match group_version(|known, _| known == *group && !group.is_empty()) {
            Some((group, _)) => fixed(method, Route::Group(group)),
            None => Err(ApiError::unknown_resource()),
        },
        ["apis", group, version, rest @ ..] if !group.is_empty() => {
            in_version(method, group, version, rest, query)
        }
        _ => Err(ApiError::unknown_resource()),
    }
}

/// The parts of a path between its slashes, decoded; a slash at the end does not count.
fn segments(path: &str) -> Result<Vec<String>, ApiError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let decoded =
        path.split('/').map(|part| percent_decode_str(part).decode_utf8().map(|text| text.into_owned()));
    let segments: Vec<String> = decoded
        .collect::<Result<_, _>>()
        .map_err(|_| ApiError::bad_request("the path is not valid UTF-8"))?;
    if segments.iter().any(String::is_empty) {
        return Err(ApiError::unknown_resource());
    }
    Ok(segments)
}

fn group_version(found: impl Fn(&str, &str) -> bool) -> Option<(&'static str, &'static str)> {
    let found = |(group, version): &(&'static str, &'static str)| found(group, version);
    let served = kinds::served().map(|kind| (kind.group, kind.version)).find(found);
    served.or_else(|| discovery::versions().into_iter().find(found))
}

fn fixed(method: &Method, route: Route) -> Result<Route, ApiError> {
    if method == Method::GET { Ok(route) } else { Err(not_allowed()) }
}

fn not_allowed() -> ApiError {
    ApiError::new(Reason::MethodNotAllowed, "the server does not allow this method on the requested resource")
}

/// Reads what follows a group and version.
fn in_version(
    method: &Method,
    group: &str,
    version: &str,
    rest: &[&str],
    query: &Query,
) -> Result<Route, ApiError> {
    let found = group_version(|known, of| known == group && of == version);
    let (group, version) = found.ok_or_else(ApiError::unknown_resource)?;
    match rest {
        [] => fixed(method, Route::Resources(group, version)),
        ["watch", rest @ ..] => watch_prefix(method, group, version, rest),
        rest => on_objects(method, Target::read(group, version, rest)?, query),
    }
}

fn watch_prefix(method: &Method, group: &str, version: &str, rest: &[&str]) -> Result<Route, ApiError> {
    match Target::read(group, version, rest)? {
        target if is_observed(target.kind) || is_asked(target.kind) => Err(not_allowed()),
        target if !target.kind.service.is_empty() && target.tail.len() <= 1 => {
            let name = target.tail.first().map(|name| (*name).to_owned()).unwrap_or_default();
            fixed(method, target.call(Verb::Watch, name))
        }
        _ => Err(ApiError::unknown_resource()),
    }
}

/// A kind, maybe a namespace, and what the path says after them.
struct Target<'a> {
    kind: &'static Kind,
    namespace: Option<&'a str>,
    tail: &'a [&'a str],
}

// === impl Target ===

impl<'a> Target<'a> {
    fn read(group: &str, version: &str, rest: &'a [&'a str]) -> Result<Self, ApiError> {
        let kind = |plural: &str| kind(group, version, plural).ok_or_else(ApiError::unknown_resource);
        let target = match rest {
            // A namespace's own subresources look like resources inside of it.
            ["namespaces", _, "status" | "finalize"] => {
                Self { kind: kind("namespaces")?, namespace: None, tail: &rest[1..] }
            }
            ["namespaces", namespace, plural, tail @ ..] => {
                Self { kind: kind(plural)?, namespace: Some(namespace), tail }
            }
            [plural, tail @ ..] => Self { kind: kind(plural)?, namespace: None, tail },
            [] => return Err(ApiError::unknown_resource()),
        };
        match (target.kind.namespaced, target.namespace, target.tail) {
            (false, Some(_), _) | (true, None, [_, ..]) => Err(ApiError::unknown_resource()),
            _ => Ok(target),
        }
    }

    fn call(&self, verb: Verb, name: String) -> Route {
        let namespace = self.namespace.unwrap_or_default().to_owned();
        Route::Call(Call { verb, kind: self.kind, namespace, name })
    }
}

fn kind(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    kinds::served().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
}

fn on_objects(method: &Method, target: Target<'_>, query: &Query) -> Result<Route, ApiError> {
    match target.tail {
        [] => Ok(target.call(collection_verb(method, &target, query)?, String::new())),
        // Bindings are not kept: there is none to be named.
        [_, ..] if target.kind == Binding::KIND || is_asked(target.kind) => Err(ApiError::unknown_resource()),
        [name] if !is_observed(target.kind) || method == Method::GET => {
            Ok(target.call(object_verb(method)?, (*name).to_owned()))
        }
        [_] => Err(not_allowed()),
        [name, subresource, rest @ ..] => {
            let subresources = subresources::of(target.kind);
            match subresources.iter().find(|known| known.name == *subresource && rest.is_empty()) {
                Some(known) => {
                    let found = known.methods.iter().find(|(served, _)| served == method);
                    let (_, verb) = found.ok_or_else(not_allowed)?;
                    Ok(target.call(*verb, (*name).to_owned()))
                }
                None if subresources::is_unserved(target.kind, subresource) => Err(unserved(subresource)),
                None => Err(ApiError::unknown_resource()),
            }
        }
    }
}

fn collection_verb(method: &Method, target: &Target<'_>, query: &Query) -> Result<Verb, ApiError> {
    let across = target.kind.namespaced && target.namespace.is_none();
    let binding = target.kind == Binding::KIND;
    match *method {
        Method::POST if binding && !across => Ok(Verb::Bind),
        _ if binding => Err(not_allowed()),
        // What is not kept can neither be watched nor written.
        Method::POST if is_asked(target.kind) && !across => Ok(Verb::Create),
        _ if is_asked(target.kind) => Err(not_allowed()),
        Method::GET if is_observed(target.kind) && !query.flag("watch") => Ok(Verb::List),
        _ if is_observed(target.kind) => Err(not_allowed()),
        Method::GET if query.flag("watch") => Ok(Verb::Watch),
        Method::GET => Ok(Verb::List),
        Method::POST if !across => Ok(Verb::Create),
        Method::DELETE if !across => Ok(Verb::DeleteCollection),
        _ => Err(not_allowed()),
    }
}

/// Whether objects of the kind are not kept, but answered when they are created.
fn is_asked(kind: &Kind) -> bool {
    QUESTIONS.contains(kind)
}

/// Whether objects of the kind are not kept, but observed when they are read.
fn is_observed(kind: &Kind) -> bool {
    OBSERVED.contains(kind)
}

fn object_verb(method: &Method) -> Result<Verb, ApiError> {
    match *method {
        Method::GET => Ok(Verb::Get),
        Method::PUT => Ok(Verb::Update),
        Method::PATCH => Ok(Verb::Patch),
        Method::DELETE => Ok(Verb::Delete),
        _ => Err(not_allowed()),
    }
}

fn unserved(what: &str) -> ApiError {
    ApiError::unimplemented(format!("this server does not serve {what} yet"))
}

// === impl Verb ===

impl Verb {
    /// Whether the answer lasts as long as the client wishes: such requests have a limit of their own.
    pub(crate) fn is_long_running(self) -> bool {
        matches!(self, Self::Watch | Self::Log | Self::Exec | Self::Attach | Self::PortForward | Self::Proxy)
    }
}

#[cfg(test)]
mod tests;
