//! Making the mirror of a static pod.

use std::sync::Arc;

use keelson_base_client::{Api, ApiError};
use keelson_proto::core::Pod;
use keelson_proto::meta::{DeleteOptions, Preconditions};

use super::Written;
use crate::static_pods::{likeness, mirrored};

/// Makes the mirror of `pod`, or takes the one that is there. The mirror of another wording makes way; a pod that is no
/// mirror has the name for good.
pub(super) async fn make(api: Api<Pod>, pod: Arc<Pod>) -> Written {
    let error = match api.create(&likeness(&pod)).await {
        Ok(mirror) => return Written::Outdated(Box::new(mirror)),
        Err(error) => error,
    };
    if error.is_invalid() || error.is_forbidden() {
        return Written::Refused(error);
    }
    if !error.is_already_exists() {
        return Written::Failed(error);
    }
    match api.get(&pod.metadata.name).await {
        Ok(there) => match mirrored(&there) {
            Some(uid) if uid == pod.metadata.uid => Written::Outdated(Box::new(there)),
            Some(_) => make_way(&api, &there, error).await,
            None => Written::Refused(error),
        },
        Err(error) => Written::Failed(error),
    }
}

/// Deletes the mirror of another wording; the next try finds its name free.
async fn make_way(api: &Api<Pod>, there: &Pod, exists: ApiError) -> Written {
    let preconditions = Preconditions { uid: Some(there.metadata.uid.clone()), ..Preconditions::default() };
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        preconditions: Some(preconditions),
        ..DeleteOptions::default()
    };
    match api.delete(&there.metadata.name, options).await {
        Err(error) if !error.is_not_found() && !error.is_conflict() => Written::Failed(error),
        _ => Written::Failed(exists),
    }
}
