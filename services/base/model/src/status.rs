//! The errors of the API: a `Status` object as a Rust error, and the one table that says which reason
//! travels as which gRPC code and as which HTTP code.

mod reason;
mod subject;

pub use self::reason::{Reason, grpc};
pub use self::subject::{GroupKind, GroupResource};

use std::fmt;
use std::time::Duration;

use keelson_proto::meta::{Status, StatusCause, StatusDetails};

use crate::field::{ErrorList, Quoted};

/// A failed call, as a client sees it: a `Status` with the status "Failure".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct ApiError(Box<Status>);

// === impl ApiError ===

impl ApiError {
    /// A failure with this reason, the HTTP code that belongs to it, and no details.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self(Box::new(Status {
            status: "Failure".to_owned(),
            message: message.into(),
            reason: reason.as_str().to_owned(),
            code: i32::from(reason.http()),
            ..Status::default()
        }))
    }

    fn about(mut self, resource: GroupResource<'_>, name: &str) -> Self {
        self.0.details = Some(StatusDetails {
            name: name.to_owned(),
            group: resource.group.to_owned(),
            kind: resource.resource.to_owned(),
            ..StatusDetails::default()
        });
        self
    }

    fn details_mut(&mut self) -> &mut StatusDetails {
        self.0.details.get_or_insert_default()
    }

    fn retry_after_seconds(mut self, seconds: u64) -> Self {
        self.details_mut().retry_after_seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        self
    }

    fn cause_of_type(mut self, reason: &str, message: &str) -> Self {
        let cause =
            StatusCause { reason: reason.to_owned(), message: message.to_owned(), ..StatusCause::default() };
        self.details_mut().causes.push(cause);
        self
    }

    /// 404: `pods "x" not found`.
    pub fn not_found<'a>(resource: impl Into<GroupResource<'a>>, name: &str) -> Self {
        let resource = resource.into();
        Self::new(Reason::NotFound, format!("{resource} {} not found", Quoted(name))).about(resource, name)
    }

    /// 404 for a path under which the server knows no resource.
    pub fn unknown_resource() -> Self {
        let message = "the server could not find the requested resource";
        let mut error = Self::new(Reason::NotFound, message);
        error.0.details = Some(StatusDetails::default());
        error
    }

    /// 409: `pods "x" already exists`.
    pub fn already_exists<'a>(resource: impl Into<GroupResource<'a>>, name: &str) -> Self {
        let resource = resource.into();
        Self::new(Reason::AlreadyExists, format!("{resource} {} already exists", Quoted(name)))
            .about(resource, name)
    }

    /// 409 for an update of an old version: "the object has been modified; …".
    pub fn conflict<'a>(resource: impl Into<GroupResource<'a>>, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict_because(resource, name, why)
    }

    /// 409: `Operation cannot be fulfilled on pods "x": why`.
    pub fn conflict_because<'a>(
        resource: impl Into<GroupResource<'a>>,
        name: &str,
        why: impl fmt::Display,
    ) -> Self {
        let resource = resource.into();
        let message = format!("Operation cannot be fulfilled on {resource} {}: {why}", Quoted(name));
        Self::new(Reason::Conflict, message).about(resource, name)
    }

    /// 422: `Pod "x" is invalid: spec.containers: Required value`; each fault is also a cause.
    pub fn invalid<'a>(kind: impl Into<GroupKind<'a>>, name: &str, errors: ErrorList) -> Self {
        let kind = kind.into();
        let mut message = format!("{kind} {} is invalid", Quoted(name));
        if !errors.is_empty() {
            message.push_str(&format!(": {errors}"));
        }
        let mut error = Self::new(Reason::Invalid, message)
            .about(GroupResource { group: kind.group, resource: kind.kind }, name);
        error.details_mut().causes = errors.causes();
        error
    }

    /// 400 with this message.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// 403: `pods "x" is forbidden: why`, `pods is forbidden: why` (no name) or `forbidden: why` (neither).
    pub fn forbidden<'a>(resource: impl Into<GroupResource<'a>>, name: &str, why: impl fmt::Display) -> Self {
        let resource = resource.into();
        let message = match (resource.resource, name) {
            ("", _) => format!("forbidden: {why}"),
            (_, "") => format!("{resource} is forbidden: {why}"),
            _ => format!("{resource} {} is forbidden: {why}", Quoted(name)),
        };
        Self::new(Reason::Forbidden, message).about(resource, name)
    }

    /// 401; with an empty message it says `Unauthorized`.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.is_empty() {
            message.push_str("Unauthorized");
        }
        Self::new(Reason::Unauthorized, message)
    }

    /// 410 `Expired`: the resource version or continue token is older than what the store keeps.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(Reason::Expired, message)
    }

    /// 410 `Gone`: the thing was there and will not come back.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(Reason::Gone, message)
    }

    /// 429; the wait is told in whole seconds, rounded up.
    pub fn too_many_requests(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(Reason::TooManyRequests, message).retry_after_seconds(whole_seconds(retry_after))
    }

    /// 429 for an eviction that a disruption budget forbids now.
    pub fn disruption_budget(message: impl Into<String>, cause: &str) -> Self {
        Self::new(Reason::TooManyRequests, message).cause_of_type("DisruptionBudget", cause)
    }

    /// 405: `create is not supported on resources of kind "nodes"`.
    pub fn method_not_allowed<'a>(resource: impl Into<GroupResource<'a>>, verb: &str) -> Self {
        let resource = resource.into();
        let name = resource.to_string();
        let message = format!("{verb} is not supported on resources of kind {}", Quoted(&name));
        Self::new(Reason::MethodNotAllowed, message).about(resource, "")
    }

    /// 415, naming the content types that would do.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(Reason::UnsupportedMediaType, message)
    }

    /// 406, naming the content types that the server can send.
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        let message = format!("only the following media types are accepted: {}", accepted.join(", "));
        Self::new(Reason::NotAcceptable, message)
    }

    /// 413: `Request entity too large: why`.
    pub fn request_entity_too_large(why: impl fmt::Display) -> Self {
        Self::new(Reason::RequestEntityTooLarge, format!("Request entity too large: {why}"))
    }

    /// 504: `Timeout: why`; the request may or may not have had its effect.
    pub fn timeout(why: impl fmt::Display, retry_after: Duration) -> Self {
        Self::new(Reason::Timeout, format!("Timeout: {why}")).retry_after_seconds(whole_seconds(retry_after))
    }

    /// 500 `ServerTimeout`: the verb could not be carried out in time and may be tried again.
    pub fn server_timeout<'a>(
        resource: impl Into<GroupResource<'a>>,
        verb: &str,
        retry_after: Duration,
    ) -> Self {
        let resource = resource.into();
        let message = format!(
            "The {verb} operation against {resource} could not be completed at this time, please try again."
        );
        Self::new(Reason::ServerTimeout, message)
            .about(resource, verb)
            .retry_after_seconds(whole_seconds(retry_after))
    }

    /// 500: `Internal error occurred: why`.
    pub fn internal(why: impl fmt::Display) -> Self {
        let why = why.to_string();
        Self::new(Reason::InternalError, format!("Internal error occurred: {why}")).cause_of_type("", &why)
    }

    /// 503 with this message.
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::new(Reason::ServiceUnavailable, message)
    }

    /// 501: the call is part of the API, and this server does not have it.
    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(Reason::NotImplemented, message)
    }

    /// The failure that a peer reported. A missing status, code or reason is filled in from what is there.
    pub fn from_status(mut status: Status) -> Self {
        let reason = match status.reason.as_str() {
            "" => Reason::from_http(status.code),
            word => Reason::parse(word).unwrap_or(Reason::Unknown),
        };
        if status.status.is_empty() {
            status.status = "Failure".to_owned();
        }
        if status.reason.is_empty() {
            status.reason = reason.as_str().to_owned();
        }
        if status.code == 0 {
            status.code = i32::from(reason.http());
        }
        Self(Box::new(status))
    }

    /// The failure as the `Status` that goes to the client.
    pub fn into_status(self) -> Status {
        *self.0
    }

    /// The `Status` inside.
    pub fn status(&self) -> &Status {
        &self.0
    }

    /// The text for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The reason; [`Reason::Unknown`] if a peer sent a word that is not in the table.
    pub fn reason(&self) -> Reason {
        Reason::parse(&self.0.reason).unwrap_or(Reason::Unknown)
    }

    /// The HTTP code.
    pub fn code(&self) -> u16 {
        u16::try_from(self.0.code).unwrap_or_else(|_| self.reason().http())
    }

    /// The gRPC code. A word that is not in the table goes by its HTTP code.
    pub fn grpc_code(&self) -> i32 {
        match self.reason() {
            Reason::Unknown => Reason::from_http(self.0.code).grpc(),
            reason => reason.grpc(),
        }
    }

    /// How long to wait before the next try, if the server said so.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.0.details.as_ref()?.retry_after_seconds;
        u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    /// Whether the object (or resource) does not exist.
    pub fn is_not_found(&self) -> bool {
        self.reason() == Reason::NotFound
    }

    /// Whether an object of that name exists already.
    pub fn is_already_exists(&self) -> bool {
        self.reason() == Reason::AlreadyExists
    }

    /// Whether the object has changed since it was read: read it again and redo the change.
    pub fn is_conflict(&self) -> bool {
        self.reason() == Reason::Conflict
    }

    /// Whether the version asked for is no longer kept: list again. Both 410 reasons count.
    pub fn is_expired(&self) -> bool {
        matches!(self.reason(), Reason::Expired | Reason::Gone)
    }

    /// Whether the object broke the rules of its kind.
    pub fn is_invalid(&self) -> bool {
        self.reason() == Reason::Invalid
    }

    /// Whether the caller may not do this.
    pub fn is_forbidden(&self) -> bool {
        self.reason() == Reason::Forbidden
    }

    /// Whether the same request may succeed later without anybody changing it.
    pub fn is_retryable(&self) -> bool {
        self.reason().is_retryable()
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
