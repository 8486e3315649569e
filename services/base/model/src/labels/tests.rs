use proptest::prelude::*;

use super::*;

fn set(text: &str) -> BTreeMap<String, String> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn selectors_match_as_written() {
    // (selector, labels that it means, labels that it does not mean)
    let table: &[(&str, &[&str], &[&str])] = &[
        ("", &["", "a=1"], &[]),
        ("  ", &["", "a=1"], &[]),
        ("a=1", &["a=1", "a=1,b=2"], &["", "a=2", "b=1"]),
        ("a==1", &["a=1"], &["", "a=2"]),
        (" a = 1 , b = 2 ", &["a=1,b=2"], &["a=1", "b=2"]),
        ("a=", &["a="], &["", "a=1"]),
        ("a=,b=2", &["a=,b=2"], &["b=2"]),
        ("a!=1", &["", "a=2"], &["a=1"]),
        ("a in (1,2)", &["a=1", "a=2"], &["", "a=3"]),
        ("a in(1)", &["a=1"], &["a=2"]),
        ("a in (1,)", &["a=1", "a="], &["", "a=2"]),
        ("a in (,)", &["a="], &["", "a=1"]),
        ("a notin (1,2)", &["", "a=3"], &["a=1", "a=2"]),
        ("a", &["a=", "a=1"], &["", "b=1"]),
        ("!a", &["", "b=1"], &["a=", "a=1"]),
        ("! a , b", &["b=1"], &["a=1,b=1", ""]),
        ("a>1", &["a=2", "a=10"], &["", "a=1", "a=x", "a="]),
        ("a<2", &["a=1", "a=-2"], &["a=2", "a=10", "a=x", ""]),
        ("in=in,notin", &["in=in,notin=1"], &["in=1,notin=1"]),
        ("in in (in)", &["in=in"], &["in=out"]),
        ("example.com/a=b", &["example.com/a=b"], &["a=b"]),
    ];
    for (text, good, bad) in table {
        let selector = Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for labels in *good {
            assert!(selector.matches(&set(labels)), "{text:?} should match {labels:?}");
        }
        for labels in *bad {
            assert!(!selector.matches(&set(labels)), "{text:?} should not match {labels:?}");
        }
        assert_eq!(selector.to_string().parse(), Ok(selector), "{text:?}");
    }
}

#[test]
fn a_broken_text_says_what_is_missing() {
    let table = [
        ("=", "found '=', expected: !, identifier, or 'end of string'"),
        (",a", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("!!a", "unable to parse requirement: found '!', expected: identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b', expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a=(b)", "unable to parse requirement: found '(', expected: identifier"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        (
            "a in ()",
            "unable to parse requirement: values: Invalid value: []: \
             for 'in', 'notin' operators, values set can't be empty",
        ),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": \
             for 'Gt', 'Lt' operators, the value must be an integer",
        ),
    ];
    for (text, message) in table {
        assert_eq!(Selector::parse(text).unwrap_err().to_string(), message, "{text:?}");
    }
    let key = Selector::parse("a/b/c=d").unwrap_err().to_string();
    assert!(
        key.starts_with("unable to parse requirement: key: Invalid value: \"a/b/c\": a qualified name"),
        "{key}"
    );
    let value = Selector::parse("a=\"b\"").unwrap_err().to_string();
    assert!(
        value.starts_with(
            "unable to parse requirement: values[0][a]: Invalid value: \"\\\"b\\\"\": a valid label"
        ),
        "{value}"
    );
}

#[test]
fn text_is_ordered_and_normal() {
    let selector = Selector::parse("z notin (b,a,b),!y, x, a = 1,b==2").unwrap();
    assert_eq!(selector.to_string(), "a=1,b==2,x,!y,z notin (a,b)");
    assert_eq!(selector.exact("a"), Some("1"));
    assert_eq!((selector.exact("x"), selector.exact("none")), (None, None));
}

#[test]
fn sets_and_nothing() {
    assert!(Selector::from_set(&set("")).is_everything());
    let selector = Selector::from_set(&set("b=2,a=1"));
    assert_eq!(selector.to_string(), "a=1,b=2");
    assert!(selector.matches(&set("a=1,b=2,c=3")) && !selector.matches(&set("a=1")));
    assert!(!Selector::nothing().matches(&set("")) && !Selector::nothing().is_everything());
}

#[test]
fn a_label_selector_object_means_what_kubernetes_means() {
    assert_eq!(Selector::from_label_selector(None), Ok(Selector::nothing()));
    assert_eq!(Selector::from_label_selector(Some(&LabelSelector::default())), Ok(Selector::everything()));
    let expression = |operator: &str, values: &[&str]| LabelSelectorRequirement {
        key: "b".to_owned(),
        operator: operator.to_owned(),
        values: values.iter().map(ToString::to_string).collect(),
    };
    let table = [
        (expression("In", &["2", "3"]), Ok("a=1,b in (2,3)")),
        (expression("NotIn", &["2"]), Ok("a=1,b notin (2)")),
        (expression("Exists", &[]), Ok("a=1,b")),
        (expression("DoesNotExist", &[]), Ok("a=1,!b")),
        (expression("Gt", &["1"]), Err("\"Gt\" is not a valid label selector operator")),
        (
            expression("Exists", &["1"]),
            Err("values: Invalid value: [\"1\"]: values set must be empty for exists and does not exist"),
        ),
    ];
    for (expression, answer) in table {
        let object = LabelSelector { match_labels: set("a=1"), match_expressions: vec![expression] };
        let found = Selector::from_label_selector(Some(&object));
        assert_eq!(
            found.map(|s| s.to_string()).map_err(|e| e.to_string()),
            answer.map(str::to_owned).map_err(str::to_owned)
        );
    }
}

proptest! {
    #[test]
    fn any_text_parses_or_says_why(text in "[ab=!(),<> 1]{0,16}") {
        match Selector::parse(&text) {
            Ok(selector) => prop_assert_eq!(selector.to_string().parse(), Ok(selector)),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn a_set_selects_itself(labels in proptest::collection::btree_map("[a-z]{1,4}", "[a-z]{0,4}", 0..5)) {
        let selector = Selector::from_set(&labels);
        prop_assert!(selector.matches(&labels));
        prop_assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
    }
}
