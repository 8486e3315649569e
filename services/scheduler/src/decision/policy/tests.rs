//! 1.0's own example, and what is refused.

use super::*;

/// examples/scheduler-policy-config.json of 1.0, with its custom entries.
const EXAMPLE: &str = r#"{
  "kind": "Policy", "apiVersion": "v1",
  "predicates": [
    {"name": "PodFitsPorts"}, {"name": "PodFitsResources"}, {"name": "NoDiskConflict"},
    {"name": "MatchNodeSelector"}, {"name": "HostName"},
    {"name": "RegionAffinity", "argument": {"serviceAffinity": {"labels": ["region"]}}},
    {"name": "NoRetired", "argument": {"labelsPresence": {"labels": ["retiring"], "presence": false}}}
  ],
  "priorities": [
    {"name": "LeastRequestedPriority", "weight": 1}, {"name": "ServiceSpreadingPriority", "weight": 2},
    {"name": "EqualPriority", "weight": 0},
    {"name": "ZoneSpread", "weight": 3, "argument": {"serviceAntiAffinity": {"label": "zone"}}},
    {"name": "Ssd", "argument": {"labelPreference": {"label": "ssd", "presence": true}}}
  ]
}"#;

#[test]
fn the_example_of_1_0_is_understood() {
    let policy = Policy::parse(EXAMPLE.as_bytes()).unwrap();
    let names: Vec<_> = policy.filter.predicates().iter().map(Predicate::name).collect();
    let mandatory = ["CheckNodeReady", "CheckNodeUnschedulable", "PodToleratesNodeTaints"];
    let named = ["PodFitsPorts", "PodFitsResources", "NoDiskConflict", "MatchNodeSelector", "HostName"];
    let custom = ["RegionAffinity", "NoRetired"];
    assert_eq!(names, [&mandatory[..], &named, &custom].concat());
    assert!(policy.filter.looks_around());
    let weights: Vec<_> = policy.priorities.iter().map(|one| (one.name.as_ref(), one.weight)).collect();
    let expected =
        [("LeastRequestedPriority", 1), ("ServiceSpreadingPriority", 2), ("ZoneSpread", 3), ("Ssd", 1)];
    assert_eq!(weights, expected);
    assert_eq!(policy.priorities[2].measure, Measure::ServiceAntiAffinity { label: "zone".into() });
}

#[test]
fn what_is_left_out_is_the_default() {
    assert_eq!(Policy::parse(b"{}").unwrap(), Policy::default());
    let none =
        Policy::parse(br#"{"predicates": [{"name": "PodToleratesNodeTaints"}], "priorities": []}"#).unwrap();
    assert_eq!((none.filter, none.priorities), (Filter::of([]), vec![]));
}

#[test]
fn what_cannot_be_used_is_named() {
    let table = [
        ("", "not the JSON of a scheduler policy"),
        (r#"{"kind": "Pod"}"#, r#"kind is "Pod", but a policy has "Policy""#),
        (r#"{"apiVersion": "v2"}"#, r#"apiVersion is "v2", but a policy has "v1""#),
        (r#"{"extenders": []}"#, "not the JSON of a scheduler policy"),
        (r#"{"predicates": [{"name": "Nice"}]}"#, r#"there is no predicate "Nice"; without an argument"#),
        (r#"{"priorities": [{"name": "Nice"}]}"#, r#"there is no priority "Nice"; without an argument"#),
        (r#"{"predicates": [{"name": "X", "argument": {}}]}"#, "X: the argument must be exactly one of"),
        (
            r#"{"priorities": [{"name": "X", "argument": {"serviceAntiAffinity": {"label": "a"},
               "labelPreference": {"label": "a"}}}]}"#,
            "X: the argument must be exactly one of serviceAntiAffinity, labelPreference",
        ),
        (
            r#"{"priorities": [{"name": "EqualPriority", "weight": -1}]}"#,
            "EqualPriority: weight -1 is negative",
        ),
    ];
    for (json, expected) in table {
        let message = Policy::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{json}: {message}");
    }
}
