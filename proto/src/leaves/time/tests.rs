use serde_json::{from_value, json, to_value};

use crate::core::Pod;
use crate::meta::{Duration, MicroTime, Time};

/// First and last second of the calendar.
const FIRST: i64 = -377705023201;
const LAST: i64 = 253402207200;

#[test]
fn a_time_that_is_none_is_null_and_still_has_a_text() {
    for (seconds, nanos) in
        [(i64::MAX, 0), (i64::MIN, 0), (LAST + 1, 0), (FIRST - 1, 0), (5, i32::MAX), (5, i32::MIN)]
    {
        let time = Time { seconds, nanos };
        let micro = MicroTime { seconds, nanos };
        assert!(!time.is_valid() && !micro.is_valid(), "{time}, {micro}");
        assert_eq!(serde_json::to_string(&time).unwrap(), "null", "{time}");
        assert_eq!(serde_json::to_string(&micro).unwrap(), "null", "{micro}");
        let mut pod = Pod::default();
        pod.metadata.deletion_timestamp = Some(time);
        assert_eq!(to_value(&pod).unwrap()["metadata"]["deletionTimestamp"], json!(null));
    }
}

#[test]
fn the_calendar_is_written_and_read_to_both_ends() {
    for seconds in [FIRST, -1, 1, LAST] {
        let time = Time { seconds, nanos: 0 };
        assert!(time.is_valid());
        assert_eq!(from_value::<Time>(to_value(time).unwrap()).unwrap(), time);
    }
    for (seconds, nanos) in [(-1, 0), (-1, 999_999_000), (0, 1000), (LAST, 0)] {
        let micro = MicroTime { seconds, nanos };
        assert!(micro.is_valid());
        assert_eq!(from_value::<MicroTime>(to_value(micro).unwrap()).unwrap(), micro);
    }
}

#[test]
fn an_empty_time_is_none() {
    assert_eq!(to_value(Time::default()).unwrap(), json!(null));
    assert_eq!(to_value(MicroTime::default()).unwrap(), json!(null));
    assert_eq!(to_value(MicroTime { seconds: 0, nanos: 999 }).unwrap(), json!(null));
}

#[test]
fn times_are_cut_to_their_precision() {
    assert_eq!(to_value(Time { seconds: 1, nanos: 999_999_999 }).unwrap(), json!("1970-01-01T00:00:01Z"));
    let read: Time = from_value(json!("1969-12-31T23:59:59.5Z")).unwrap();
    assert_eq!(read, Time { seconds: -1, nanos: 0 });
    let read: MicroTime = from_value(json!("2026-01-02T03:04:05.123456789+01:00")).unwrap();
    assert_eq!(to_value(read).unwrap(), json!("2026-01-02T02:04:05.123456Z"));
}

#[test]
fn durations_are_written_in_the_notation_of_go() {
    const SECOND: i64 = 1_000_000_000;
    for (duration, text) in [
        (0, "0s"),
        (90 * SECOND, "1m30s"),
        (3600 * SECOND, "1h0m0s"),
        (-3 * SECOND / 2, "-1.5s"),
        (1, "0.000000001s"),
        (i64::MAX, "2562047h47m16.854775807s"),
        (i64::MIN, "-2562047h47m16.854775808s"),
    ] {
        assert_eq!(to_value(Duration { duration }).unwrap(), json!(text));
        assert_eq!(from_value::<Duration>(json!(text)).unwrap(), Duration { duration }, "{text}");
    }
    assert_eq!(from_value::<Duration>(json!("1h")).unwrap().duration, 3600 * SECOND);
    for text in ["", "1", "soon", "9999999h"] {
        assert!(from_value::<Duration>(json!(text)).is_err(), "{text}");
    }
}
