//! apply --server-side: fields with owners, conflicts, and going over from kubectl's own apply.

use keelson_tests::Session;
use serde_json::{Value, json};

use super::{controller, with_some_kubectls};

const MANAGED: &str = "--show-managed-fields";

/// kubectl hides managers unless asked from this minor version on.
const HIDES_MANAGERS: u32 = 21;

/// It moves what it had applied on the client to its manager on the server from this one on.
const MOVES_ITS_FIELDS: u32 = 26;

fn object(kubectl: &Session, name: &str) -> Value {
    let flag = if kubectl.kubectl.minor >= HIDES_MANAGERS { MANAGED } else { "" };
    kubectl.json(&format!("get rc {name} {flag}"))
}

/// `manager/operation` of all managers of an object.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    entries.iter().map(|entry| format!("{}/{}", text(entry, "manager"), text(entry, "operation"))).collect()
}

#[test]
fn fields_have_owners_and_conflicts_are_told() {
    with_some_kubectls(|kubectl| {
        let mut web = controller("web", 1);
        web["spec"]["minReadySeconds"] = json!(3);
        let made = kubectl.ok_with("apply --server-side -f -", &web.to_string());
        assert_eq!(made, "replicationcontroller/web serverside-applied\n");
        let stored = object(kubectl, "web");
        // The controller's status has another manager, once it is written.
        assert_eq!(managers(&stored)[0], "kubectl/Apply");
        let fields = &stored["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
        assert_eq!(fields["f:replicas"], json!({}));
        assert_eq!(fields["f:selector"], json!({}), "a selector is owned as a whole");
        assert!(
            fields.pointer("/f:template/f:spec/f:containers/k:{\"name\":\"main\"}/f:image").is_some(),
            "{fields}"
        );
        assert!(fields.pointer("/f:template/f:spec/f:dnsPolicy").is_none(), "what was defaulted is nobody's");

        let version = || object(kubectl, "web")["metadata"]["managedFields"][0].clone();
        let before = version();
        kubectl.ok_with("apply --server-side -f -", &web.to_string());
        assert_eq!(version(), before, "to apply the same changes nothing");

        let mut more = web.clone();
        more["spec"]["replicas"] = json!(2);
        let refused =
            kubectl.run("apply --server-side --field-manager=other -f -", &more.to_string()).fails();
        assert!(
            refused.contains("Apply failed with 1 conflict: conflict with \"kubectl\": .spec.replicas"),
            "{refused}"
        );
        kubectl
            .ok_with("apply --server-side --field-manager=other --force-conflicts -f -", &more.to_string());
        assert_eq!(kubectl.ok("get rc web -o jsonpath={.spec.replicas}"), "2");
        let dry = kubectl.ok_with(
            "apply --server-side --field-manager=other --dry-run=server -f -",
            &controller("web", 7).to_string(),
        );
        assert!(dry.contains("serverside-applied (server dry run)"), "{dry}");
        assert_eq!(kubectl.ok("get rc web -o jsonpath={.spec.replicas}"), "2");

        // What its only owner leaves out goes; what has another owner stays.
        let mut less = web;
        less["spec"].as_object_mut().unwrap().remove("minReadySeconds");
        less["spec"].as_object_mut().unwrap().remove("replicas");
        kubectl.ok_with("apply --server-side -f -", &less.to_string());
        assert_eq!(kubectl.ok("get rc web -o jsonpath={.spec.replicas},{.spec.minReadySeconds}"), "2,3");
        kubectl.ok_with("apply --server-side --field-manager=other -f -", &less.to_string());
        let spec = &object(kubectl, "web")["spec"];
        assert_eq!((&spec["replicas"], spec.get("minReadySeconds")), (&json!(1), None), "{spec}");
    });
}

#[test]
fn who_scales_takes_the_number_over() {
    with_some_kubectls(|kubectl| {
        kubectl.ok_with("apply --server-side -f -", &controller("web", 1).to_string());
        kubectl.ok("scale rc web --replicas=3");
        let stored = object(kubectl, "web");
        assert!(managers(&stored).iter().any(|name| name.ends_with("/Update")), "{stored}");
        let refused = kubectl.run("apply --server-side -f -", &controller("web", 1).to_string()).fails();
        assert!(refused.contains(": .spec.replicas") && refused.contains("using v1 at "), "{refused}");
    });
}

#[test]
fn what_kubectl_applied_on_the_client_goes_over_to_the_server() {
    with_some_kubectls(|kubectl| {
        kubectl.ok_with("apply -f -", &controller("web", 1).to_string());
        assert_eq!(managers(&object(kubectl, "web")), [""; 0], "creating costs no managers");
        let words = "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: .spec.replicas";
        let two = controller("web", 2).to_string();
        let refused = kubectl.run("apply --server-side --field-manager=other -f -", &two).fails();
        assert!(refused.contains(words), "{refused}");
        kubectl.ok_with("apply --server-side -f -", &two);
        assert_eq!(kubectl.ok("get rc web -o jsonpath={.spec.replicas}"), "2");
        let managers = managers(&object(kubectl, "web"));
        assert!(managers.contains(&"kubectl/Apply".to_owned()), "{managers:?}");
        if kubectl.kubectl.minor >= MOVES_ITS_FIELDS {
            assert!(!managers.iter().any(|name| name.starts_with("kubectl-client-side")), "{managers:?}");
        }
        let unknown = two.replace("\"replicas\"", "\"replica\"");
        let refused = kubectl.run("apply --server-side --validate=false -f -", &unknown).fails();
        assert!(refused.contains(".spec.replica: field not declared in schema"), "{refused}");
    });
}
