use serde_json::json;

use super::*;

#[test]
fn paths_read_as_in_json() {
    let containers = Path::new("spec").child("containers");
    assert_eq!(containers.index(0).child("image").to_string(), "spec.containers[0].image");
    assert_eq!(Path::root().child("metadata").child("labels").key("a/b").as_str(), "metadata.labels[a/b]");
    assert_eq!(Path::root().to_string(), "<nil>");
}

#[test]
fn each_kind_has_its_words() {
    let at = &Path::new("spec").child("x");
    let table = [
        (FieldError::required(at, ""), "spec.x: Required value", "FieldValueRequired"),
        (FieldError::required(at, "why"), "spec.x: Required value: why", "FieldValueRequired"),
        (FieldError::invalid(at, "X", "no"), "spec.x: Invalid value: \"X\": no", "FieldValueInvalid"),
        (FieldError::invalid(at, -1, "no"), "spec.x: Invalid value: -1: no", "FieldValueInvalid"),
        (
            FieldError::invalid(at, json!({"a": ["b"]}), "no"),
            "spec.x: Invalid value: {\"a\":[\"b\"]}: no",
            "FieldValueInvalid",
        ),
        (
            FieldError::type_invalid(at, "1", "must be a number"),
            "spec.x: Invalid value: \"1\": must be a number",
            "FieldValueTypeInvalid",
        ),
        (
            FieldError::not_supported(at, "c", &["a", "b"]),
            "spec.x: Unsupported value: \"c\": supported values: \"a\", \"b\"",
            "FieldValueNotSupported",
        ),
        (
            FieldError::not_supported(at, "c", &[]),
            "spec.x: Unsupported value: \"c\"",
            "FieldValueNotSupported",
        ),
        (FieldError::duplicate(at, "d"), "spec.x: Duplicate value: \"d\"", "FieldValueDuplicate"),
        (FieldError::forbidden(at, "no"), "spec.x: Forbidden: no", "FieldValueForbidden"),
        (
            FieldError::too_long(at, 63),
            "spec.x: Too long: may not be more than 63 bytes",
            "FieldValueTooLong",
        ),
        (FieldError::too_long(at, 1), "spec.x: Too long: may not be more than 1 byte", "FieldValueTooLong"),
        (
            FieldError::too_many(at, 9, 8),
            "spec.x: Too many: 9: must have at most 8 items",
            "FieldValueTooMany",
        ),
        (FieldError::not_found(at, "v"), "spec.x: Not found: \"v\"", "FieldValueNotFound"),
        (FieldError::internal(at, "disk"), "spec.x: Internal error: disk", "InternalError"),
    ];
    for (error, text, reason) in table {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.cause().reason, reason);
        assert_eq!(error.cause().field, "spec.x");
        assert_eq!(format!("spec.x: {}", error.cause().message), text);
    }
}

#[test]
fn several_faults_stand_in_brackets_and_repeat_once() {
    let a = FieldError::required(&Path::new("a"), "");
    let b = FieldError::duplicate(&Path::new("b"), 7);
    assert_eq!(ErrorList::from(a.clone()).to_string(), "a: Required value");
    let both = ErrorList::from_iter([a.clone(), b, a]);
    assert_eq!(both.to_string(), "[a: Required value, b: Duplicate value: 7]");
    assert_eq!(both.causes().len(), 3);
}

#[test]
fn values_are_quoted_as_go_quotes() {
    assert_eq!(Quoted("a\"b\\c\nd\u{1}ü").to_string(), r#""a\"b\\c\nd\x01ü""#);
}
