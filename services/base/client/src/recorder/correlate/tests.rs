use super::*;

fn note(name: &str, message: &str) -> Note {
    let object = ObjectReference {
        kind: "Pod".into(),
        namespace: "prod".into(),
        name: name.into(),
        uid: "1".into(),
        ..Default::default()
    };
    Note { object, kind: EventType::Warning, reason: "BackOff".into(), message: message.into() }
}

fn at(seconds: i64) -> Time {
    Time { seconds, nanos: 0 }
}

fn correlator() -> Correlator {
    Correlator::new(Arc::new(EventSource { component: "kubelet".into(), host: "n1".into() }))
}

#[test]
fn a_new_note_is_a_new_event() {
    let Outcome::Create(event) = correlator().judge(note("web", "restarting"), Instant::now(), at(5), 0xab)
    else {
        panic!("a first note must create");
    };
    assert_eq!((&*event.metadata.name, &*event.metadata.namespace), ("web.ab", "prod"));
    assert_eq!((event.count, event.first_timestamp, event.last_timestamp), (1, Some(at(5)), Some(at(5))));
    assert_eq!((&*event.r#type, &*event.reason, &*event.message), ("Warning", "BackOff", "restarting"));
    assert_eq!((&*event.source.component, &*event.source.host), ("kubelet", "n1"));
    assert_eq!(event.involved_object, note("web", "").object);
}

#[test]
fn a_repeat_raises_the_count_of_the_same_event() {
    let mut correlator = correlator();
    let now = Instant::now();
    correlator.judge(note("web", "restarting"), now, at(5), 1);
    assert!(matches!(correlator.judge(note("web", "else"), now, at(6), 2), Outcome::Create(_)));
    assert!(matches!(correlator.judge(note("db", "restarting"), now, at(7), 3), Outcome::Create(_)));
    let Outcome::Repeat(event) = correlator.judge(note("web", "restarting"), now, at(9), 4) else {
        panic!("the same note again must repeat");
    };
    assert_eq!((&*event.metadata.name, event.count), ("web.1", 2));
    assert_eq!((event.first_timestamp, event.last_timestamp), (Some(at(5)), Some(at(9))));
}

#[test]
fn too_many_notes_on_one_object_are_not_heard_until_a_pause() {
    let mut correlator = correlator();
    let now = Instant::now();
    let mut heard = |name: &str, now| correlator.judge(note(name, "m"), now, at(0), 0) != Outcome::Unheard;
    assert!((0..BURST).all(|_| heard("web", now)));
    assert!(!heard("web", now));
    assert!(heard("db", now), "another object is another matter");
    assert!(!heard("web", now + PAUSE - Duration::from_secs(1)));
    assert!(heard("web", now + PAUSE));
    assert!(!heard("web", now + PAUSE), "one for each pause");
    assert_eq!(
        (0..100).filter(|_| heard("web", now + PAUSE * 1000)).count(),
        25,
        "never more than the burst"
    );
}

#[test]
fn names_and_namespaces_are_always_valid() {
    let mut long = note(&"x".repeat(253), "m");
    long.object.namespace.clear();
    let Outcome::Create(event) = correlator().judge(long, Instant::now(), at(0), u64::MAX) else {
        panic!("a first note must create");
    };
    assert!(event.metadata.name.len() <= 253 && event.metadata.name.ends_with(".ffffffffffffffff"));
    assert_eq!(event.metadata.namespace, "default");
}
