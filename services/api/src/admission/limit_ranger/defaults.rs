//! What a limit range gives to containers that do not say.

use keelson_base_model::limitrange::limit_type;
use keelson_base_model::resources::ResourceList;
use keelson_proto::core::{Container, LimitRange, LimitRangeItem, Pod};

/// The annotation that tells what was given.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Fills in what the containers leave open, and notes it.
pub(super) fn set(pod: &mut Pod, range: &LimitRange) {
    let mut given = Vec::new();
    for limits in range.spec.limits.iter().filter(|limits| limits.r#type == limit_type::CONTAINER) {
        for container in &mut pod.spec.containers {
            fill(container, "container", limits, &mut given);
        }
        for container in &mut pod.spec.init_containers {
            fill(container, "init container", limits, &mut given);
        }
    }
    if !given.is_empty() {
        let note = format!("LimitRanger plugin set: {}", given.join("; "));
        pod.metadata.annotations.insert(ANNOTATION.to_owned(), note);
    }
}

fn fill(container: &mut Container, what: &str, limits: &LimitRangeItem, given: &mut Vec<String>) {
    let resources = &mut container.resources;
    let lists = [
        (&mut resources.requests, &limits.default_request, "request"),
        (&mut resources.limits, &limits.default, "limit"),
    ];
    for (list, defaults, name) in lists {
        let filled = fill_list(list, defaults);
        if !filled.is_empty() {
            given.push(format!("{} {name} for {what} {}", filled.join(", "), container.name));
        }
    }
}

/// The names of what was missing.
fn fill_list<'a>(list: &mut ResourceList, defaults: &'a ResourceList) -> Vec<&'a str> {
    let mut filled = Vec::new();
    for (name, amount) in defaults {
        if !list.contains_key(name) {
            list.insert(name.clone(), amount.clone());
            filled.push(name.as_str());
        }
    }
    filled
}
