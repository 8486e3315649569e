//! `ApiError` on the gRPC wire: a status code, a message, and the whole Kubernetes `Status` in the details.
//!
//! All of it travels in the trailers, which receivers bound; so what may be long is cut, and says so.

use bytes::Bytes;
use keelson_base_model::status::{ApiError, Reason};
use keelson_proto::meta::{Status, StatusCause};
use keelson_proto::{Message as _, rpc};
use prost_types::Any;
use tonic::Code;

/// How the details name the Kubernetes `Status`.
pub const STATUS_TYPE: &str = "type.googleapis.com/k8s.io.apimachinery.pkg.apis.meta.v1.Status";

/// The most causes that are sent, and the most bytes of them.
const MAX_CAUSES: usize = 100;
const MAX_CAUSES_BYTES: usize = 32 << 10;

/// The most bytes of message, in the details and in the `grpc-message` trailer.
const MAX_TEXT: usize = 16 << 10;
const MAX_GRPC_MESSAGE: usize = 4 << 10;

/// What tonic says of a message above the limit, under a code that otherwise means Expired.
const TOO_LARGE: &str = "Error, decoded message length too large";

/// Writes an error as a gRPC status.
pub fn to_grpc(error: ApiError) -> tonic::Status {
    let code = Code::from_i32(error.grpc_code());
    let mut status = error.into_status();
    cut_causes(&mut status);
    cut_text(&mut status.message, MAX_TEXT);
    let mut message = status.message.clone();
    cut_text(&mut message, MAX_GRPC_MESSAGE);
    let details = vec![Any { type_url: STATUS_TYPE.to_owned(), value: status.encode_to_vec() }];
    let details = rpc::Status { code: code as i32, message: message.clone(), details };
    tonic::Status::with_details(code, message, Bytes::from(details.encode_to_vec()))
}

/// Reads an error out of a gRPC status; one without Kubernetes details goes by its code.
pub fn from_grpc(status: tonic::Status) -> ApiError {
    if let Some(status) = details(status.details()) {
        return ApiError::from_status(status);
    }
    let message = status.message();
    // A source says that the failure happened on this side: the connection broke, and that is no answer.
    let broken = std::error::Error::source(&status).is_some();
    let reason = match status.code() {
        Code::Unknown | Code::Internal | Code::Cancelled if broken => Reason::ServiceUnavailable,
        Code::OutOfRange if message.starts_with(TOO_LARGE) => Reason::RequestEntityTooLarge,
        code => Reason::from_grpc(code as i32),
    };
    ApiError::new(reason, if message.is_empty() { status.code().description() } else { message })
}

/// The Kubernetes `Status` among the details.
fn details(details: &[u8]) -> Option<Status> {
    let details = rpc::Status::decode(details).ok()?.details;
    let status = details.iter().find(|detail| detail.type_url == STATUS_TYPE)?;
    Status::decode(status.value.as_slice()).ok()
}

fn cut_causes(status: &mut Status) {
    let Some(details) = &mut status.details else {
        return;
    };
    let causes = &mut details.causes;
    let mut bytes = 0;
    let fits = |cause: &&StatusCause| {
        bytes += cause.encoded_len();
        bytes <= MAX_CAUSES_BYTES
    };
    let kept = causes.iter().take(MAX_CAUSES).take_while(fits).count();
    let cut = causes.len() - kept;
    if cut > 0 {
        causes.truncate(kept);
        causes.push(StatusCause {
            message: format!("{cut} more"),
            field: "...".to_owned(),
            ..Default::default()
        });
    }
}

fn cut_text(text: &mut String, max: usize) {
    const MARK: &str = "...";
    if text.len() <= max {
        return;
    }
    let end = (0..=max - MARK.len()).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
    text.truncate(end);
    text.push_str(MARK);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keelson_proto::meta::StatusDetails;

    use super::*;

    fn with_causes(count: usize, message: &str) -> ApiError {
        let cause = |n| StatusCause {
            reason: "FieldValueInvalid".into(),
            message: message.into(),
            field: format!("spec.f[{n}]"),
        };
        let details = StatusDetails { causes: (0..count).map(cause).collect(), ..Default::default() };
        let error = ApiError::new(Reason::Invalid, "Pod \"web\" is invalid");
        ApiError::from_status(Status { details: Some(details), ..error.into_status() })
    }

    fn causes(error: &ApiError) -> &[StatusCause] {
        &error.status().details.as_ref().unwrap().causes
    }

    #[test]
    fn an_error_comes_back_as_it_was_sent() {
        let table = [
            (ApiError::not_found("pods", "web"), Code::NotFound),
            (ApiError::already_exists("pods", "web"), Code::AlreadyExists),
            (ApiError::conflict("pods", "web"), Code::Aborted),
            (ApiError::expired("too old resource version: 1 (5)"), Code::OutOfRange),
            (ApiError::gone("gone"), Code::OutOfRange),
            (ApiError::too_many_requests("slow down", Duration::from_secs(3)), Code::ResourceExhausted),
            (ApiError::unauthorized("who?"), Code::Unauthenticated),
            (ApiError::internal("naïve \n line"), Code::Internal),
            (with_causes(MAX_CAUSES, "bad"), Code::InvalidArgument),
        ];
        for (error, code) in table {
            let status = to_grpc(error.clone());
            assert_eq!(status.code(), code, "{error}");
            assert_eq!(status.message(), error.message());
            assert_eq!(from_grpc(status), error);
        }
    }

    #[test]
    fn many_causes_are_cut_and_the_rest_is_counted() {
        let back = from_grpc(to_grpc(with_causes(200, "bad")));
        assert!(back.is_invalid());
        let (last, kept) = causes(&back).split_last().unwrap();
        assert_eq!(kept, &causes(&with_causes(200, "bad"))[..MAX_CAUSES]);
        assert_eq!((last.field.as_str(), last.message.as_str()), ("...", "100 more"));
    }

    #[test]
    fn long_causes_and_messages_stay_within_what_trailers_may_hold() {
        let long = "ü".repeat(10_000);
        let mut status = with_causes(20, &long).into_status();
        status.message = "é".repeat(100_000);
        let sent = to_grpc(ApiError::from_status(status));
        assert!(sent.details().len() < 64 << 10, "{}", sent.details().len());
        assert!(sent.message().len() <= MAX_GRPC_MESSAGE);
        let back = from_grpc(sent);
        assert_eq!(causes(&back).last().unwrap().message, "19 more");
        assert!(back.message().len() <= MAX_TEXT && back.message().ends_with("é..."));
    }

    #[test]
    fn a_status_without_details_goes_by_its_code() {
        let too_large = format!("{TOO_LARGE}: found 99 bytes, the limit is: 9 bytes");
        let table = [
            (tonic::Status::unavailable("down"), Reason::ServiceUnavailable, "down"),
            (tonic::Status::not_found(""), Reason::NotFound, Code::NotFound.description()),
            (tonic::Status::out_of_range("old"), Reason::Expired, "old"),
            (tonic::Status::out_of_range(&too_large), Reason::RequestEntityTooLarge, &too_large),
            (tonic::Status::unknown("?"), Reason::InternalError, "?"),
            (
                tonic::Status::with_details(Code::NotFound, "x", Bytes::from_static(b"\xff")),
                Reason::NotFound,
                "x",
            ),
        ];
        for (status, reason, message) in table {
            let error = from_grpc(status);
            assert_eq!((error.reason(), error.message()), (reason, message));
        }
    }

    #[test]
    fn a_failure_on_this_side_means_that_the_server_was_not_heard() {
        let broken = tonic::Status::from_error(Box::new(std::io::Error::other("connection reset")));
        assert_eq!(from_grpc(broken).reason(), Reason::ServiceUnavailable);
    }
}
