use keelson_proto::core::Container;
use keelson_proto::resource;

use super::*;

fn candidate(uid: &str, class: Class, priority: i32, used: u64, requested: u64) -> Candidate {
    Candidate { uid: uid.to_owned(), class, priority, used, requested }
}

#[test]
fn who_was_promised_least_goes_first() {
    use Class::{BestEffort, Burstable, Guaranteed};
    let table: [(&str, &[Candidate], Option<&str>); 7] = [
        ("nobody", &[], None),
        (
            "class before all else",
            &[
                candidate("guaranteed", Guaranteed, -5, 900, 900),
                candidate("burstable", Burstable, -5, 900, 100),
                candidate("best-effort", BestEffort, 9, 1, 0),
            ],
            Some("best-effort"),
        ),
        (
            "who uses more than he asked for",
            &[candidate("modest", Burstable, 0, 500, 500), candidate("greedy", Burstable, 5, 101, 100)],
            Some("greedy"),
        ),
        (
            "then the least important",
            &[candidate("important", BestEffort, 9, 900, 0), candidate("unimportant", BestEffort, 1, 5, 0)],
            Some("unimportant"),
        ),
        (
            "then who uses most beyond that",
            &[candidate("large", Burstable, 0, 900, 890), candidate("beyond", Burstable, 0, 100, 50)],
            Some("beyond"),
        ),
        (
            "guaranteed pods go last, but go",
            &[candidate("a", Guaranteed, 0, 5, 9), candidate("b", Guaranteed, -1, 5, 9)],
            Some("b"),
        ),
        (
            "and of equals always the same",
            &[candidate("b", BestEffort, 0, 0, 0), candidate("a", BestEffort, 0, 0, 0)],
            Some("a"),
        ),
    ];
    for (name, candidates, expected) in table {
        assert_eq!(next(candidates).map(|next| next.uid.as_str()), expected, "{name}");
    }
}

#[test]
fn a_pod_is_known_by_what_it_asked_for() {
    let mut pod = Pod::default();
    pod.metadata.uid = "u".to_owned();
    pod.spec.containers = vec![Container::default(), Container::default()];
    assert_eq!(Candidate::of(&pod, "memory", 7), candidate("u", Class::BestEffort, 0, 7, 0));
    let amount = resource::Quantity { string: "1Ki".to_owned() };
    for container in &mut pod.spec.containers {
        container.resources.requests.insert("memory".to_owned(), amount.clone());
    }
    pod.spec.priority = Some(3);
    assert_eq!(Candidate::of(&pod, "memory", 7), candidate("u", Class::Burstable, 3, 7, 2048));
}

#[test]
fn who_keeps_the_node_alive_or_goes_already_is_left_alone() {
    let pod = Pod::default();
    assert!(may_go(&pod));
    let mut critical = pod.clone();
    critical.spec.priority = Some(CRITICAL);
    let mut ended = pod.clone();
    ended.status.phase = "Failed".to_owned();
    let mut deleted = pod.clone();
    deleted.metadata.deletion_timestamp = Some(keelson_proto::meta::Time::default());
    let mut from_file = pod;
    for key in ["kubernetes.io/config.hash", "kubernetes.io/config.source"] {
        from_file.metadata.annotations.insert(key.to_owned(), "x".to_owned());
    }
    for pod in [critical, ended, deleted, from_file] {
        assert!(!may_go(&pod), "{pod:?}");
    }
}
