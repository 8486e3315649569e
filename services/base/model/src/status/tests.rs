use super::*;
use crate::field::{FieldError, Path};

const LEASES: GroupResource<'static> = GroupResource { group: "coordination.k8s.io", resource: "leases" };

#[test]
fn each_error_says_what_kubernetes_says() {
    let none: GroupResource<'_> = "".into();
    let table = [
        (ApiError::not_found("pods", "x"), 404, 5, "pods \"x\" not found"),
        (ApiError::not_found(LEASES, "x"), 404, 5, "leases.coordination.k8s.io \"x\" not found"),
        (ApiError::unknown_resource(), 404, 5, "the server could not find the requested resource"),
        (ApiError::already_exists("pods", "x"), 409, 6, "pods \"x\" already exists"),
        (
            ApiError::conflict("pods", "x"),
            409,
            10,
            "Operation cannot be fulfilled on pods \"x\": the object has been modified; \
             please apply your changes to the latest version and try again",
        ),
        (ApiError::bad_request("no"), 400, 3, "no"),
        (ApiError::forbidden("pods", "x", "no"), 403, 7, "pods \"x\" is forbidden: no"),
        (ApiError::forbidden("pods", "", "no"), 403, 7, "pods is forbidden: no"),
        (ApiError::forbidden(none, "", "no"), 403, 7, "forbidden: no"),
        (ApiError::unauthorized(""), 401, 16, "Unauthorized"),
        (ApiError::expired("too old resource version: 1 (9)"), 410, 11, "too old resource version: 1 (9)"),
        (ApiError::gone("gone"), 410, 11, "gone"),
        (ApiError::too_many_requests("slow", Duration::ZERO), 429, 8, "slow"),
        (
            ApiError::method_not_allowed("pods/binding", "get"),
            405,
            12,
            "get is not supported on resources of kind \"pods/binding\"",
        ),
        (
            ApiError::unsupported_media_type(&["application/json", "application/yaml"]),
            415,
            3,
            "the body of the request was in an unknown format - accepted media types include: \
             application/json, application/yaml",
        ),
        (
            ApiError::not_acceptable(&["application/json"]),
            406,
            3,
            "only the following media types are accepted: application/json",
        ),
        (ApiError::request_entity_too_large("limit is 3"), 413, 8, "Request entity too large: limit is 3"),
        (ApiError::timeout("late", Duration::ZERO), 504, 4, "Timeout: late"),
        (
            ApiError::server_timeout("pods", "create", Duration::from_secs(2)),
            500,
            14,
            "The create operation against pods could not be completed at this time, please try again.",
        ),
        (ApiError::internal("disk"), 500, 13, "Internal error occurred: disk"),
        (ApiError::service_unavailable("starting"), 503, 14, "starting"),
        (ApiError::unimplemented("no exec"), 501, 12, "no exec"),
    ];
    for (error, http, grpc, text) in table {
        assert_eq!(error.to_string(), text);
        assert_eq!((error.code(), error.grpc_code()), (http, grpc), "{text}");
        assert_eq!(error.status().status, "Failure");
        assert_eq!(ApiError::from_status(error.clone().into_status()), error);
    }
}

#[test]
fn invalid_lists_the_faults_as_text_and_as_causes() {
    let containers = Path::new("spec").child("containers");
    let image = FieldError::required(&containers.index(0).child("image"), "");
    let one = ApiError::invalid("Pod", "x", image.clone().into());
    assert_eq!(one.message(), "Pod \"x\" is invalid: spec.containers[0].image: Required value");
    let two =
        ApiError::invalid("Pod", "x", [image, FieldError::duplicate(&containers, "a")].into_iter().collect());
    assert_eq!(
        two.message(),
        "Pod \"x\" is invalid: [spec.containers[0].image: Required value, spec.containers: Duplicate value: \"a\"]"
    );
    let status = two.into_status();
    let details = status.details.unwrap();
    assert_eq!((details.name.as_str(), details.kind.as_str()), ("x", "Pod"));
    let causes: Vec<_> = details.causes.iter().map(|c| (c.reason.as_str(), c.field.as_str())).collect();
    assert_eq!(
        causes,
        [("FieldValueRequired", "spec.containers[0].image"), ("FieldValueDuplicate", "spec.containers")]
    );
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    assert_eq!(ApiError::invalid("Pod", "x", ErrorList::new()).message(), "Pod \"x\" is invalid");
}

#[test]
fn details_name_the_resource() {
    let details = ApiError::not_found(LEASES, "x").into_status().details.unwrap();
    assert_eq!(
        (details.name.as_str(), details.kind.as_str(), details.group.as_str()),
        ("x", "leases", "coordination.k8s.io")
    );
}

#[test]
fn the_wait_is_rounded_up_to_whole_seconds() {
    let error = ApiError::too_many_requests("slow", Duration::from_millis(1001));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
    assert_eq!(ApiError::too_many_requests("slow", Duration::ZERO).retry_after(), None);
    assert!(error.is_retryable() && !ApiError::bad_request("no").is_retryable());
}

#[test]
fn a_foreign_status_is_completed() {
    let only_code = ApiError::from_status(Status { code: 404, ..Status::default() });
    assert!(only_code.is_not_found());
    let only_reason = ApiError::from_status(Status { reason: "Expired".to_owned(), ..Status::default() });
    assert!(only_reason.is_expired());
    assert_eq!(only_reason.code(), 410);
    let foreign = ApiError::from_status(Status { reason: "Odd".to_owned(), code: 404, ..Status::default() });
    assert_eq!((foreign.reason(), foreign.code(), foreign.grpc_code()), (Reason::Unknown, 404, 5));
    assert_eq!(foreign.into_status().reason, "Odd");
}

#[test]
fn predicates_tell_the_two_409s_and_both_410s() {
    assert!(
        ApiError::conflict("pods", "x").is_conflict() && !ApiError::conflict("pods", "x").is_already_exists()
    );
    assert!(ApiError::already_exists("pods", "x").is_already_exists());
    assert!(ApiError::gone("").is_expired() && ApiError::expired("").is_expired());
    assert!(ApiError::invalid("Pod", "x", ErrorList::new()).is_invalid());
    assert!(ApiError::forbidden("pods", "x", "no").is_forbidden());
}
