//! Fields that are wrong: of the wrong type, out of bounds, unknown, or given twice.

use serde_json::{Value, json};

use super::{JSON, PODS, assert_failure, pod, stores_nothing, with};

#[test]
fn values_of_the_wrong_type_are_named() {
    stores_nothing(|curl| {
        for (pointer, value, part) in [
            ("/metadata/name", json!(5), "metadata.name"),
            ("/metadata/labels", json!({"a": 1}), "metadata.labels"),
            ("/spec/containers", json!({}), "spec.containers"),
            (
                "/spec/containers/0/ports",
                json!([{"containerPort": "http"}]),
                "spec.containers[0].ports[0].containerPort",
            ),
            ("/spec/terminationGracePeriodSeconds", json!("soon"), "spec.terminationGracePeriodSeconds"),
            ("/spec/hostNetwork", json!("yes"), "spec.hostNetwork"),
            ("/metadata/creationTimestamp", json!("yesterday"), "creationTimestamp"),
        ] {
            let answer = curl.send("POST", PODS, JSON, with(pointer, value).as_bytes());
            assert_failure(&answer, 400, "BadRequest", part);
        }
    });
}

#[test]
fn every_invalid_field_is_a_cause() {
    stores_nothing(|curl| {
        for (pointer, value, field) in [
            ("/metadata/name", json!("Not A Name"), "metadata.name"),
            ("/metadata/labels", json!({"a b": "c"}), "metadata.labels"),
            ("/spec/containers", json!([]), "spec.containers"),
            ("/spec/containers/0/name", json!("UPPER"), "spec.containers[0].name"),
            ("/spec/containers/0/image", json!(""), "spec.containers[0].image"),
            (
                "/spec/containers/0/ports",
                json!([{"containerPort": 70_000}]),
                "spec.containers[0].ports[0].containerPort",
            ),
            (
                "/spec/containers/0/ports",
                json!([{"containerPort": 80, "protocol": "XYZ"}]),
                "spec.containers[0].ports[0].protocol",
            ),
            (
                "/spec/containers/0/volumeMounts",
                json!([{"name": "no", "mountPath": "/x"}]),
                "spec.containers[0].volumeMounts[0].name",
            ),
            ("/spec/containers/0/env", json!([{"name": "", "value": "x"}]), "spec.containers[0].env[0].name"),
            ("/spec/restartPolicy", json!("Sometimes"), "spec.restartPolicy"),
            ("/spec/dnsPolicy", json!("None of them"), "spec.dnsPolicy"),
            (
                "/spec/containers/0/resources",
                json!({"limits": {"cpu": "lots"}}),
                "spec.containers[0].resources.limits[cpu]",
            ),
            ("/spec/activeDeadlineSeconds", json!(0), "spec.activeDeadlineSeconds"),
        ] {
            let answer = curl.send("POST", PODS, JSON, with(pointer, value).as_bytes());
            assert_failure(&answer, 422, "Invalid", field);
            let status = answer.failure();
            let causes = status["details"]["causes"].as_array().unwrap();
            assert!(causes.iter().any(|cause| cause["field"] == field), "{field} is no cause in {status}");
            assert_eq!(status["details"]["kind"], "Pod", "{status}");
        }
        let mut many = pod();
        many["spec"] = json!({"restartPolicy": "x", "containers": [{"name": "A", "image": ""}]});
        let status = curl.send("POST", PODS, JSON, many.to_string().as_bytes()).failure();
        assert!(
            status["details"]["causes"].as_array().unwrap().len() >= 3,
            "all faults are told at once: {status}"
        );
    });
}

#[test]
fn services_and_controllers_are_checked_too() {
    stores_nothing(|curl| {
        let service = |spec: Value| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
                .to_string()
        };
        let rc = |spec: Value| {
            json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "web"}, "spec": spec}).to_string()
        };
        let template = json!({"metadata": {"labels": {"a": "c"}}, "spec": {"containers": [{"name": "main", "image": "x"}]}});
        for (plural, body, field) in [
            ("services", service(json!({"ports": []})), "spec.ports"),
            ("services", service(json!({"ports": [{"port": 0}]})), "spec.ports[0].port"),
            ("services", service(json!({"ports": [{"port": 80}], "clusterIP": "1.2.3.4"})), "spec.clusterIP"),
            ("services", service(json!({"ports": [{"port": 80}], "clusterIP": "x"})), "spec.clusterIP"),
            (
                "services",
                service(json!({"ports": [{"port": 80, "nodePort": 30_000}]})),
                "spec.ports[0].nodePort",
            ),
            (
                "services",
                service(json!({"ports": [{"port": 80, "nodePort": 80}], "type": "NodePort"})),
                "spec.ports[0].nodePort",
            ),
            ("services", service(json!({"ports": [{"port": 80}], "type": "Odd"})), "spec.type"),
            ("replicationcontrollers", rc(json!({"selector": {"a": "b"}})), "spec.template"),
            (
                "replicationcontrollers",
                rc(json!({"selector": {"a": "b"}, "template": template})),
                "spec.template.metadata.labels",
            ),
            (
                "replicationcontrollers",
                rc(json!({"replicas": -1, "selector": {"a": "c"}, "template": template})),
                "spec.replicas",
            ),
        ] {
            let answer =
                curl.send("POST", &format!("/api/v1/namespaces/default/{plural}"), JSON, body.as_bytes());
            assert_failure(&answer, 422, "Invalid", field);
        }
    });
}

#[test]
fn unknown_and_duplicate_fields_are_refused_if_one_asks() {
    stores_nothing(|curl| {
        let strict = format!("{PODS}?fieldValidation=Strict");
        let answer = curl.send("POST", &strict, JSON, with("/spec/colour", json!("red")).as_bytes());
        assert_failure(&answer, 400, "BadRequest", "unknown field \"spec.colour\"");
        let twice = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","name":"web"},"spec":{"containers":[{"name":"main","image":"x"}]}}"#;
        let answer = curl.send("POST", &strict, JSON, twice.as_bytes());
        assert_failure(&answer, 400, "BadRequest", "duplicate field \"metadata.name\"");
        let answer =
            curl.send("POST", &format!("{PODS}?fieldValidation=Loose"), JSON, pod().to_string().as_bytes());
        assert_eq!(answer.code, 400, "{answer:?}");
    });
}
