//! `AlwaysPullImages`: who may not pull an image cannot run it because another's pod has brought it to the node.

use keelson_api_store::Compare;
use keelson_base_model::field::{ErrorList, FieldError, Path};
use keelson_base_model::status::ApiError;
use keelson_proto::Object as _;
use keelson_proto::core::{Container, Pod};

use super::{Ask, Plugin, Subject};

const ALWAYS: &str = "Always";

/// Has every container's image pulled before it starts.
pub(super) struct AlwaysPullImages;

// === impl AlwaysPullImages ===

impl Plugin for AlwaysPullImages {
    fn admit(&self, _: Ask<'_>, new: &mut dyn Subject, _: &mut Vec<Compare>) -> Result<(), ApiError> {
        let Some(pod) = new.of_mut::<Pod>() else { return Ok(()) };
        for container in pod.spec.init_containers.iter_mut().chain(&mut pod.spec.containers) {
            ALWAYS.clone_into(&mut container.image_pull_policy);
        }
        Ok(())
    }

    fn validate(&self, _: Ask<'_>, new: &dyn Subject) -> Result<(), ApiError> {
        new.of::<Pod>().map_or(Ok(()), check)
    }

    fn update(&self, _: Ask<'_>, new: &dyn Subject, old: &dyn Subject) -> Result<(), ApiError> {
        match (new.of::<Pod>(), old.of::<Pod>()) {
            (Some(new), Some(old)) if images(new) != images(old) => check(new),
            _ => Ok(()),
        }
    }
}

fn images(pod: &Pod) -> Vec<&str> {
    keelson_base_model::pod::all_containers(pod).map(|container| container.image.as_str()).collect()
}

fn check(pod: &Pod) -> Result<(), ApiError> {
    let mut errors = ErrorList::default();
    let lists = [("initContainers", &pod.spec.init_containers), ("containers", &pod.spec.containers)];
    for (list, containers) in lists {
        let path = Path::new("spec").child(list);
        for (index, Container { image_pull_policy: policy, .. }) in containers.iter().enumerate() {
            if policy != ALWAYS {
                let path = path.index(index).child("imagePullPolicy");
                errors.push(FieldError::not_supported(&path, policy.as_str(), &[ALWAYS]));
            }
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::forbidden(Pod::KIND, &pod.metadata.name, errors.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::Caller;

    #[test]
    fn every_image_is_pulled_whatever_the_pod_says() {
        let mut pod: Pod = serde_json::from_value(json!({"spec": {
            "initContainers": [{"name": "i", "imagePullPolicy": "Never"}],
            "containers": [{"name": "c"}],
        }}))
        .unwrap();
        let caller = Caller::api();
        let ask = Ask { caller: &caller, dry_run: false };
        let before = pod.clone();
        AlwaysPullImages.admit(ask, &mut pod, &mut Vec::new()).unwrap();
        assert!(keelson_base_model::pod::all_containers(&pod).all(|one| one.image_pull_policy == ALWAYS));
        AlwaysPullImages.validate(ask, &pod).unwrap();
        let refused = AlwaysPullImages.validate(ask, &before).unwrap_err().to_string();
        assert!(refused.contains("spec.initContainers[0].imagePullPolicy: Unsupported value: \"Never\""));
        let mut changed = before.clone();
        AlwaysPullImages.update(ask, &changed, &before).unwrap();
        changed.spec.containers[0].image = "other".to_owned();
        assert!(AlwaysPullImages.update(ask, &changed, &before).is_err());
    }
}
