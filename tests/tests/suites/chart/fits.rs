//! Whether the parts of a rendered chart fit together.

use std::collections::BTreeSet;
use std::process::Command;

use keelson_tests::{Helm, Output, keelson};
use serde_json::Value;

use super::SETS;
use super::workload::{containers, name, named, of_kind, texts, workloads};

/// The kinds that Keelson does not have: their API, and the fields of their spec (Kubernetes' API reference).
const OTHERS: [(&str, &str, &[&str]); 4] = [
    (
        "Deployment",
        "apps/v1",
        &[
            "replicas",
            "selector",
            "template",
            "strategy",
            "minReadySeconds",
            "revisionHistoryLimit",
            "paused",
            "progressDeadlineSeconds",
        ],
    ),
    (
        "StatefulSet",
        "apps/v1",
        &[
            "replicas",
            "selector",
            "template",
            "volumeClaimTemplates",
            "serviceName",
            "podManagementPolicy",
            "updateStrategy",
            "revisionHistoryLimit",
            "minReadySeconds",
            "persistentVolumeClaimRetentionPolicy",
            "ordinals",
        ],
    ),
    (
        "DaemonSet",
        "apps/v1",
        &["selector", "template", "updateStrategy", "minReadySeconds", "revisionHistoryLimit"],
    ),
    (
        "PodDisruptionBudget",
        "policy/v1",
        &["minAvailable", "maxUnavailable", "selector", "unhealthyPodEvictionPolicy"],
    ),
];

/// Whether all labels of a selector are among those of a template.
fn selects(selector: &Value, workload: &Value) -> bool {
    let labels = &workload["spec"]["template"]["metadata"]["labels"];
    let wanted = selector.as_object().expect("a selector");
    !wanted.is_empty() && wanted.iter().all(|(label, value)| labels[label] == *value)
}

#[test]
fn every_kind_is_one_that_was_thought_of() {
    for (set, values) in SETS {
        for object in Helm::new().objects(values).iter().filter(|object| object["apiVersion"] != "v1") {
            let known = OTHERS.iter().find(|(kind, ..)| object["kind"] == *kind);
            let (_, version, fields) = known.unwrap_or_else(|| panic!("{set}: a {}", object["kind"]));
            assert_eq!(object["apiVersion"], *version, "{set}: {}", name(object));
            for field in object["spec"].as_object().unwrap().keys() {
                assert!(fields.contains(&field.as_str()), "{set}: {} has no {field}", object["kind"]);
            }
        }
    }
}

#[test]
fn selectors_find_their_pods() {
    for (set, values) in SETS {
        let objects = Helm::new().objects(values);
        let workloads = workloads(&objects);
        for workload in &workloads {
            let selector = &workload["spec"]["selector"]["matchLabels"];
            let found: Vec<String> =
                workloads.iter().filter(|other| selects(selector, other)).map(|other| name(other)).collect();
            assert_eq!(found, [name(workload)], "{set}: a workload has its own pods and no others");
        }
        for budget in of_kind(&objects, "PodDisruptionBudget") {
            let selector = &budget["spec"]["selector"]["matchLabels"];
            let found: Vec<_> = workloads.iter().filter(|workload| selects(selector, workload)).collect();
            assert_eq!(found.len(), 1, "{set}: {}", name(budget));
            assert!(found[0]["spec"]["replicas"].as_u64() > Some(1), "{set}: one of one cannot be kept");
        }
        for service in of_kind(&objects, "Service") {
            let found = workloads.iter().find(|workload| selects(&service["spec"]["selector"], workload));
            let pods = found.unwrap_or_else(|| panic!("{set}: nothing answers for {}", name(service)));
            let open: BTreeSet<&str> = containers(pods)
                .iter()
                .filter_map(|container| container["ports"].as_array())
                .flatten()
                .filter_map(|port| port["name"].as_str())
                .collect();
            for port in service["spec"]["ports"].as_array().unwrap() {
                let target = port["targetPort"].as_str().unwrap();
                assert!(open.contains(target), "{set}: {} leads to {target} of {open:?}", name(service));
            }
        }
    }
}

#[test]
fn what_pods_name_is_there() {
    for (set, values) in SETS {
        let objects = Helm::new().objects(values);
        for workload in workloads(&objects) {
            let spec = &workload["spec"]["template"]["spec"];
            named(&objects, "ServiceAccount", spec["serviceAccountName"].as_str().unwrap());
            if workload["kind"] == "StatefulSet" {
                let headless = named(&objects, "Service", workload["spec"]["serviceName"].as_str().unwrap());
                assert_eq!(headless["spec"]["clusterIP"], "None", "{set}: {}", name(headless));
            }
            for volume in spec["volumes"].as_array().into_iter().flatten() {
                match volume["secret"]["secretName"].as_str() {
                    None | Some("mine") => {}
                    Some(secret) => {
                        let data = &named(&objects, "Secret", secret)["data"];
                        for item in volume["secret"]["items"].as_array().unwrap() {
                            assert!(data[item["key"].as_str().unwrap()].is_string(), "{set}: {item}");
                        }
                    }
                }
            }
        }
    }
}

/// `https://a-0.b.ns.svc:2380` and the like: every host below `.svc` that a command line names must be a service, or a
/// pod of a set that has the service.
#[test]
fn names_in_flags_lead_somewhere() {
    for (set, values) in SETS {
        let objects = Helm::new().objects(values);
        let mut seen = 0;
        for container in workloads(&objects).into_iter().flat_map(containers) {
            for argument in texts(&container["args"]).join(" ").split([' ', ',', '=', '/']) {
                let Some((host, _)) = argument.split_once(".charted.svc") else { continue };
                if host.starts_with("$(POD_NAME)") {
                    continue;
                }
                seen += 1;
                match host.split_once('.') {
                    None => drop(named(&objects, "Service", host)),
                    Some((pod, service)) => {
                        named(&objects, "Service", service);
                        let (workload, ordinal) = pod.rsplit_once('-').unwrap();
                        let workload = named(&objects, "StatefulSet", workload);
                        assert_eq!(workload["spec"]["serviceName"], service, "{set}: {host}");
                        let replicas = workload["spec"]["replicas"].as_u64().unwrap();
                        assert!(ordinal.parse::<u64>().unwrap() < replicas, "{set}: {host}");
                    }
                }
            }
        }
        assert!(seen > 3, "{set}: {seen} names");
    }
}

#[test]
fn every_flag_is_one_that_the_service_knows() {
    for (set, values) in SETS {
        let objects = Helm::new().objects(values);
        for container in workloads(&objects).into_iter().flat_map(containers) {
            let args = texts(&container["args"]);
            let ours = args.first().filter(|first| container["command"].is_null() && !first.contains(' '));
            let Some(service) = ours else { continue };
            let help = Output::of(Command::new(keelson()).args([service, "--help"]), "").ok();
            for flag in args.iter().skip(1).filter_map(|arg| arg.split('=').next()) {
                assert!(
                    help.contains(&format!("{flag} ")),
                    "{set}: keelson {service} knows no {flag}:\n{help}"
                );
            }
        }
    }
}
