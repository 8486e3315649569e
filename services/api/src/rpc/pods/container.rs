//! Which container of a pod is meant.

use keelson_base_model::status::ApiError;
use keelson_proto::core::Pod;

/// The annotation that names the container which is meant when none is named.
const DEFAULT: &str = "kubectl.kubernetes.io/default-container";

/// The container that `wanted` means: the only one, or the pod's default, if it is empty.
///
/// # Errors
/// BadRequest if there is no such container, or several that could be meant.
pub(super) fn container(pod: &Pod, wanted: &str) -> Result<String, ApiError> {
    let names =
        pod.spec.init_containers.iter().chain(&pod.spec.containers).map(|container| container.name.as_str());
    let default = pod.metadata.annotations.get(DEFAULT);
    let (name, listed) = (&pod.metadata.name, || {
        pod.spec.containers.iter().map(|container| container.name.as_str()).collect::<Vec<_>>().join(" ")
    });
    match (wanted, pod.spec.containers.as_slice()) {
        ("", [only]) => Ok(only.name.clone()),
        ("", _) => match default.filter(|default| names.clone().any(|name| name == default.as_str())) {
            Some(default) => Ok(default.clone()),
            None => Err(ApiError::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                listed()
            ))),
        },
        (wanted, _) if names.clone().any(|name| name == wanted) => Ok(wanted.to_owned()),
        (wanted, _) => Err(ApiError::bad_request(format!("container {wanted} is not valid for pod {name}"))),
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::Container;

    use super::*;

    fn mk_pod(init: &[&str], containers: &[&str], default: Option<&str>) -> Pod {
        let named = |names: &[&str]| {
            let containers =
                names.iter().map(|name| Container { name: (*name).into(), ..Container::default() });
            containers.collect::<Vec<_>>()
        };
        let mut pod = Pod::default();
        pod.metadata.name = "web".into();
        pod.spec.init_containers = named(init);
        pod.spec.containers = named(containers);
        pod.metadata.annotations.extend(default.map(|name| (DEFAULT.to_owned(), name.to_owned())));
        pod
    }

    #[test]
    fn a_container_is_meant_by_its_name_or_because_there_is_no_other() {
        let table = [
            (mk_pod(&["i"], &["a"], None), "", Some("a")),
            (mk_pod(&["i"], &["a"], None), "i", Some("i")),
            (mk_pod(&[], &["a", "b"], None), "b", Some("b")),
            (mk_pod(&[], &["a", "b"], Some("b")), "", Some("b")),
            (mk_pod(&[], &["a", "b"], Some("c")), "", None),
            (mk_pod(&[], &["a", "b"], None), "", None),
            (mk_pod(&[], &["a"], None), "b", None),
        ];
        for (pod, wanted, expected) in table {
            assert_eq!(container(&pod, wanted).ok().as_deref(), expected, "{wanted:?}");
        }
    }
}
