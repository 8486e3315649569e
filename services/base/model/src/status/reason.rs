//! The table: reason, HTTP code, gRPC code.

/// The codes of gRPC as numbers (this crate does not know tonic).
pub mod grpc {
    /// Success.
    pub const OK: i32 = 0;
    /// The caller gave up.
    pub const CANCELLED: i32 = 1;
    /// No better code is known.
    pub const UNKNOWN: i32 = 2;
    /// The request is wrong whatever the state of the system.
    pub const INVALID_ARGUMENT: i32 = 3;
    /// Time ran out; the effect is unknown.
    pub const DEADLINE_EXCEEDED: i32 = 4;
    /// No such thing.
    pub const NOT_FOUND: i32 = 5;
    /// There is such a thing.
    pub const ALREADY_EXISTS: i32 = 6;
    /// The caller is known and may not.
    pub const PERMISSION_DENIED: i32 = 7;
    /// A quota, a rate or a size is used up.
    pub const RESOURCE_EXHAUSTED: i32 = 8;
    /// The system is not in the state that the request needs.
    pub const FAILED_PRECONDITION: i32 = 9;
    /// Somebody else was faster: read again and retry.
    pub const ABORTED: i32 = 10;
    /// The position asked for is not (any longer) there.
    pub const OUT_OF_RANGE: i32 = 11;
    /// The server does not have this call.
    pub const UNIMPLEMENTED: i32 = 12;
    /// The server is broken.
    pub const INTERNAL: i32 = 13;
    /// The server cannot be reached or is not ready.
    pub const UNAVAILABLE: i32 = 14;
    /// Data is lost.
    pub const DATA_LOSS: i32 = 15;
    /// The caller is not known.
    pub const UNAUTHENTICATED: i32 = 16;
}

/// Why a call failed, as one word. The words and HTTP codes are those of Kubernetes' `metav1.StatusReason`;
/// [`Reason::NotImplemented`] is ours, for 501.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No reason was given, or one that this table does not have.
    Unknown,
    /// The caller gave no (valid) credentials.
    Unauthorized,
    /// The caller may not do this.
    Forbidden,
    /// The object or resource does not exist.
    NotFound,
    /// An object of that name exists.
    AlreadyExists,
    /// The object has changed since it was read, or a precondition does not hold.
    Conflict,
    /// The thing was there and will not come back.
    Gone,
    /// The object breaks the rules of its kind.
    Invalid,
    /// The action could not be completed in time; it may be tried again.
    ServerTimeout,
    /// The request could not be completed in the time that the client gave.
    Timeout,
    /// The caller should wait and try again.
    TooManyRequests,
    /// The request itself is malformed.
    BadRequest,
    /// The resource does not have this verb.
    MethodNotAllowed,
    /// The server cannot send what the client accepts.
    NotAcceptable,
    /// The body is too large.
    RequestEntityTooLarge,
    /// The server cannot read the body's format.
    UnsupportedMediaType,
    /// The server failed.
    InternalError,
    /// The version or continue token is older than what is kept.
    Expired,
    /// The server cannot serve now.
    ServiceUnavailable,
    /// The server does not have this call.
    NotImplemented,
}

struct Row {
    reason: Reason,
    word: &'static str,
    http: u16,
    grpc: i32,
}

const fn row(reason: Reason, word: &'static str, http: u16, grpc: i32) -> Row {
    Row { reason, word, http, grpc }
}

/// In the order of the enum. For an HTTP or gRPC code that several reasons share, `from_http` and
/// `from_grpc` name the one that says least.
const TABLE: [Row; 20] = [
    row(Reason::Unknown, "", 500, grpc::UNKNOWN),
    row(Reason::Unauthorized, "Unauthorized", 401, grpc::UNAUTHENTICATED),
    row(Reason::Forbidden, "Forbidden", 403, grpc::PERMISSION_DENIED),
    row(Reason::NotFound, "NotFound", 404, grpc::NOT_FOUND),
    row(Reason::AlreadyExists, "AlreadyExists", 409, grpc::ALREADY_EXISTS),
    row(Reason::Conflict, "Conflict", 409, grpc::ABORTED),
    row(Reason::Gone, "Gone", 410, grpc::OUT_OF_RANGE),
    row(Reason::Invalid, "Invalid", 422, grpc::INVALID_ARGUMENT),
    // 500 and not 503 or 504: so it is in Kubernetes, and clients look at the reason.
    row(Reason::ServerTimeout, "ServerTimeout", 500, grpc::UNAVAILABLE),
    row(Reason::Timeout, "Timeout", 504, grpc::DEADLINE_EXCEEDED),
    row(Reason::TooManyRequests, "TooManyRequests", 429, grpc::RESOURCE_EXHAUSTED),
    row(Reason::BadRequest, "BadRequest", 400, grpc::INVALID_ARGUMENT),
    // The resource lacks the verb, as a service lacks a method.
    row(Reason::MethodNotAllowed, "MethodNotAllowed", 405, grpc::UNIMPLEMENTED),
    // The two media types are values in the request that another value would cure.
    row(Reason::NotAcceptable, "NotAcceptable", 406, grpc::INVALID_ARGUMENT),
    row(Reason::RequestEntityTooLarge, "RequestEntityTooLarge", 413, grpc::RESOURCE_EXHAUSTED),
    row(Reason::UnsupportedMediaType, "UnsupportedMediaType", 415, grpc::INVALID_ARGUMENT),
    row(Reason::InternalError, "InternalError", 500, grpc::INTERNAL),
    row(Reason::Expired, "Expired", 410, grpc::OUT_OF_RANGE),
    row(Reason::ServiceUnavailable, "ServiceUnavailable", 503, grpc::UNAVAILABLE),
    row(Reason::NotImplemented, "NotImplemented", 501, grpc::UNIMPLEMENTED),
];

// === impl Reason ===

impl Reason {
    /// Every reason.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.reason)
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The word in `Status.reason`; "" for [`Reason::Unknown`].
    pub fn as_str(self) -> &'static str {
        self.row().word
    }

    /// The HTTP code.
    pub fn http(self) -> u16 {
        self.row().http
    }

    /// The gRPC code.
    pub fn grpc(self) -> i32 {
        self.row().grpc
    }

    /// The reason that `Status.reason` names.
    pub fn parse(word: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.word == word).map(|row| row.reason)
    }

    /// The reason to assume for an answer of which only the HTTP code is known.
    pub fn from_http(code: i32) -> Self {
        match code {
            409 => Self::Conflict,
            410 => Self::Expired,
            500 => Self::InternalError,
            code => {
                TABLE.iter().find(|row| i32::from(row.http) == code).map_or(Self::Unknown, |row| row.reason)
            }
        }
    }

    /// The reason to assume for an answer of which only the gRPC code is known.
    pub fn from_grpc(code: i32) -> Self {
        match code {
            grpc::INVALID_ARGUMENT => Self::BadRequest,
            grpc::DEADLINE_EXCEEDED | grpc::CANCELLED => Self::Timeout,
            grpc::RESOURCE_EXHAUSTED => Self::TooManyRequests,
            grpc::FAILED_PRECONDITION => Self::Conflict,
            grpc::OUT_OF_RANGE => Self::Expired,
            grpc::UNIMPLEMENTED => Self::NotImplemented,
            grpc::UNAVAILABLE => Self::ServiceUnavailable,
            grpc::DATA_LOSS | grpc::UNKNOWN => Self::InternalError,
            code => TABLE.iter().find(|row| row.grpc == code).map_or(Self::Unknown, |row| row.reason),
        }
    }

    /// Whether the same request may succeed later without anybody changing it.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::ServerTimeout
                | Self::Timeout
                | Self::TooManyRequests
                | Self::InternalError
                | Self::ServiceUnavailable
                | Self::Unknown
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.reason as usize, index, "{:?}", row.reason);
        }
        assert_eq!(Reason::NotImplemented as usize + 1, TABLE.len());
    }

    #[test]
    fn words_are_unique_and_parse_back() {
        for reason in Reason::all() {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
            let word = format!("{reason:?}");
            assert!(reason == Reason::Unknown || reason.as_str() == word, "{word}");
        }
        assert_eq!(Reason::parse("NoSuchReason"), None);
    }

    #[test]
    fn a_guessed_reason_keeps_the_code_it_was_guessed_from() {
        for reason in Reason::all().filter(|reason| *reason != Reason::Unknown) {
            let from_http = Reason::from_http(i32::from(reason.http()));
            assert_eq!(from_http.http(), reason.http(), "{reason:?}");
            let from_grpc = Reason::from_grpc(reason.grpc());
            assert_eq!(from_grpc.grpc(), reason.grpc(), "{reason:?}");
        }
        assert_eq!(Reason::from_http(418), Reason::Unknown);
        assert_eq!(Reason::from_grpc(99), Reason::Unknown);
    }

    #[test]
    fn every_grpc_failure_has_a_reason() {
        let unknown: Vec<_> = (1..=16).filter(|code| Reason::from_grpc(*code) == Reason::Unknown).collect();
        assert_eq!(unknown, [] as [i32; 0]);
    }
}
