//! Eviction: a pod's deletion, asked for in a way that somebody might object to. There are no disruption budgets here,
//! so nobody does.

use axum::extract::Request;
use axum::response::Response;
use keelson_base_model::status::ApiError;
use keelson_proto::Message as _;
use keelson_proto::meta::{CreateOptions, DeleteOptions, Status};
use keelson_proto::policy::Eviction;
use keelson_proto::v1::{DeleteRequest, EvictPodRequest};

use crate::auth::Caller;
use crate::registry::{PodStrategy, Registry};
use crate::rpc::unary::unary;
use crate::rpc::verbs::may;

/// Serves `Pods.Evict`.
pub(super) async fn evict(pods: &Registry<PodStrategy>, caller: Caller, request: Request) -> Response {
    let call = |evict: EvictPodRequest| async move {
        let deletion = deletion(evict)?;
        may(pods, &caller, "create", "eviction", &deletion.namespace, &deletion.name)?;
        pods.delete(&caller, deletion).await?;
        let evicted = Status { status: "Success".to_owned(), code: 201, ..Status::default() };
        Ok(evicted.encode_to_vec().into())
    };
    unary(request, call).await
}

/// The deletion that an eviction comes to.
fn deletion(request: EvictPodRequest) -> Result<DeleteRequest, ApiError> {
    let Eviction { metadata, delete_options } = request.eviction.unwrap_or_default();
    let name = if request.name.is_empty() { metadata.name.clone() } else { request.name };
    if !metadata.name.is_empty() && metadata.name != name {
        return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
    }
    let namespace = if request.namespace.is_empty() { metadata.namespace.clone() } else { request.namespace };
    if !metadata.namespace.is_empty() && metadata.namespace != namespace {
        return Err(ApiError::bad_request("namespace in URL does not match namespace in Eviction object"));
    }
    if name.is_empty() || namespace.is_empty() {
        return Err(ApiError::bad_request("an eviction must name a pod and its namespace"));
    }
    let options = options(delete_options.unwrap_or_default(), request.options.unwrap_or_default())?;
    Ok(DeleteRequest { namespace, name, options: Some(options) })
}

/// Whether nothing is to be deleted may be said in either place, but not differently.
fn options(mut content: DeleteOptions, request: CreateOptions) -> Result<DeleteOptions, ApiError> {
    if content.dry_run.is_empty() {
        content.dry_run = request.dry_run;
    } else if !request.dry_run.is_empty() && request.dry_run != content.dry_run {
        return Err(ApiError::bad_request(format!(
            "Non-matching dry-run options in request and content: {:?} and {:?}",
            request.dry_run, content.dry_run
        )));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk_request(name: &str, content: serde_json::Value, dry_run: &[&str]) -> EvictPodRequest {
        EvictPodRequest {
            namespace: "default".to_owned(),
            name: name.to_owned(),
            eviction: Some(serde_json::from_value(content).unwrap()),
            options: Some(CreateOptions {
                dry_run: dry_run.iter().map(|stage| (*stage).to_owned()).collect(),
                ..CreateOptions::default()
            }),
        }
    }

    #[test]
    fn an_eviction_is_a_deletion_of_the_pod_that_both_name() {
        let grace = json!({"deleteOptions": {"gracePeriodSeconds": 5}});
        let read = deletion(mk_request("web", grace, &["All"])).unwrap();
        let options = read.options.unwrap();
        assert_eq!((read.namespace.as_str(), read.name.as_str()), ("default", "web"));
        assert_eq!((options.grace_period_seconds, options.dry_run), (Some(5), vec!["All".to_owned()]));
        let named = json!({"metadata": {"name": "web", "namespace": "default"}});
        assert_eq!(deletion(mk_request("", named.clone(), &[])).unwrap().name, "web");
        let dry = json!({"deleteOptions": {"dryRun": ["All"]}});
        for (name, content, dry_run) in [
            ("other", named, &[][..]),
            ("", json!({}), &[]),
            ("web", json!({"metadata": {"namespace": "elsewhere"}}), &[]),
            ("web", dry, &["Some"]),
        ] {
            let refused = deletion(mk_request(name, content.clone(), dry_run)).unwrap_err();
            assert_eq!(refused.code(), 400, "{name} {content}");
        }
    }
}
