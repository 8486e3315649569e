//! Events under both of their names.

use serde_json::json;

use super::{APPLY, JSON, MERGE, in_a_namespace, names, post};

#[test]
fn one_event_is_read_and_written_under_both_names() {
    in_a_namespace(|curl, namespace| {
        let newer = namespace.replace("/api/v1", "/apis/events.k8s.io/v1");
        let name = namespace.rsplit('/').next().unwrap();
        let event = json!({
            "kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": {"name": "e", "namespace": name},
            "eventTime": "2026-01-02T03:04:05.000006Z", "reportingController": "test.io/me",
            "reportingInstance": "me-1", "action": "Tested", "reason": "Testing", "type": "Normal", "note": "hello",
            "regarding": {"kind": "Pod", "name": "p", "namespace": name, "apiVersion": "v1"},
        });
        let made = post(curl, &format!("{newer}/events"), &event);
        assert_eq!((&made["apiVersion"], &made["note"]), (&json!("events.k8s.io/v1"), &json!("hello")));
        let core = curl.get(&format!("{namespace}/events/e")).json();
        assert_eq!((&core["apiVersion"], &core["message"]), (&json!("v1"), &json!("hello")));
        assert_eq!(core["involvedObject"]["name"], "p");
        assert_eq!(core["reportingComponent"], "test.io/me");

        // What recorders do when it happens again.
        let series = json!({"series": {"count": 2, "lastObservedTime": "2026-01-02T03:05:05.000006Z"}});
        let strategic = "application/strategic-merge-patch+json";
        let again =
            curl.send("PATCH", &format!("{newer}/events/e"), strategic, series.to_string().as_bytes());
        assert_eq!((again.code, &again.json()["series"]["count"]), (200, &json!(2)));
        let noted = curl.send("PATCH", &format!("{newer}/events/e"), MERGE, br#"{"note":"again"}"#);
        assert_eq!(noted.json()["note"], "again");

        let list =
            curl.get(&format!("{newer}/events?fieldSelector=regarding.name%3Dp,reason%3DTesting")).json();
        assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("EventList"), &json!("events.k8s.io/v1")));
        assert_eq!((names(&list), &list["items"][0]["note"]), (vec!["e".to_owned()], &json!("again")));
        assert_eq!(list["items"][0]["regarding"]["kind"], "Pod");
        let watch = curl.get(&format!("{newer}/events?watch=true&timeoutSeconds=1"));
        let line = watch.body.lines().next().unwrap_or_default();
        assert!(line.contains("\"type\":\"ADDED\"") && line.contains("\"note\":\"again\""), "{line}");

        let mut whole = curl.get(&format!("{newer}/events/e")).json();
        whole["note"] = json!("replaced");
        let put = curl.send("PUT", &format!("{newer}/events/e"), JSON, whole.to_string().as_bytes());
        assert_eq!((put.code, &put.json()["note"]), (200, &json!("replaced")));
        let applied = format!(
            "apiVersion: events.k8s.io/v1\nkind: Event\nmetadata: {{name: e, namespace: {name}}}\nnote: applied\n"
        );
        let path = format!("{newer}/events/e?fieldManager=me&force=true");
        let answer = curl.send("PATCH", &path, APPLY, applied.as_bytes());
        assert_eq!((answer.code, &answer.json()["note"]), (200, &json!("applied")), "{answer:?}");
        assert_eq!(curl.send("DELETE", &format!("{newer}/events/e"), "", &[]).code, 200);
        assert_eq!(curl.get(&format!("{namespace}/events/e")).code, 404);
    });
}
