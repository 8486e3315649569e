//! What the server says of itself.

use keelson_tests::{Curl, Subject};
use serde_json::json;

#[test]
fn old_clients_find_swagger() {
    let subject = Subject::start();
    let curl = Curl::new(&subject);
    let listing = curl.get("/swaggerapi").json();
    assert_eq!(listing["swaggerVersion"], "1.2");
    let paths: Vec<_> = listing["apis"].as_array().unwrap().iter().map(|api| api["path"].clone()).collect();
    assert!(paths.contains(&json!("/api/v1")), "{paths:?}");
    let core = curl.get("/swaggerapi/api/v1").json();
    assert_eq!((&core["apiVersion"], &core["resourcePath"]), (&json!("v1"), &json!("/api/v1")));
    let models = &core["models"];
    assert_eq!(models["v1.Pod"]["properties"]["spec"]["$ref"], "v1.PodSpec");
    assert_eq!(models["v1.PodSpec"]["properties"]["containers"]["items"], json!({"$ref": "v1.Container"}));
    assert_eq!(models["v1.ResourceRequirements"]["properties"]["limits"]["type"], "any");
    assert_eq!(models["v1.ServicePort"]["properties"]["targetPort"]["type"], "string");
    let create = core["apis"].as_array().unwrap().iter().any(|api| {
        api["path"] == "/api/v1/namespaces/{namespace}/pods"
            && api["operations"]
                .as_array()
                .unwrap()
                .iter()
                .any(|operation| operation["method"] == "POST" && operation["type"] == "v1.Pod")
    });
    assert!(create, "pods can be posted");
    assert_eq!(curl.get("/swaggerapi/api/v9").code, 404);
}

#[test]
fn groups_that_only_subresources_are_of_are_listed() {
    let subject = Subject::start();
    let curl = Curl::new(&subject);
    let groups = curl.get("/apis").json();
    let names: Vec<_> =
        groups["groups"].as_array().unwrap().iter().map(|group| group["name"].clone()).collect();
    for name in ["autoscaling", "events.k8s.io", "policy"] {
        assert!(names.contains(&json!(name)), "{name} is not in {names:?}");
        let group = curl.get(&format!("/apis/{name}")).json();
        assert_eq!(group["preferredVersion"]["groupVersion"], format!("{name}/v1"));
        assert_eq!(curl.get(&format!("/apis/{name}/v1")).json()["kind"], "APIResourceList");
    }
}

#[test]
fn health_is_told_check_by_check() {
    let subject = Subject::start();
    let curl = Curl::new(&subject);
    for probe in ["healthz", "livez", "readyz"] {
        assert_eq!(curl.get(&format!("/{probe}")).body, "ok");
        let verbose = curl.get(&format!("/{probe}?verbose")).body;
        assert!(
            verbose.contains("[+]ping ok") && verbose.contains(&format!("{probe} check passed")),
            "{verbose}"
        );
        assert_eq!(curl.get(&format!("/{probe}/ping")).body, "ok");
        let without = curl.get(&format!("/{probe}?verbose&exclude=ping")).body;
        assert!(without.contains("[+]ping excluded: ok"), "{without}");
        assert_eq!(curl.get(&format!("/{probe}/nothing")).code, 404);
    }
}
