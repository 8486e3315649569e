//! The questions that are answered and not kept: whose a token is, who is asking, and who may do what.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use keelson_base_model::field::{ErrorList, FieldError, Path};
use keelson_base_model::status::ApiError;
use keelson_proto::authentication::{SelfSubjectReview, TokenReview, TokenReviewStatus};
use keelson_proto::authorization::{
    LocalSubjectAccessReview, NonResourceAttributes, NonResourceRule, ResourceAttributes, ResourceRule,
    SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview, SubjectAccessReviewSpec,
    SubjectAccessReviewStatus, SubjectRulesReviewStatus,
};
use keelson_proto::meta::ObjectMeta;
use keelson_proto::v1::RawCreateRequest;
use keelson_proto::{Kind, Object};

use crate::auth::{self, Access, Caller, Decision, What, user_info};
use crate::errors::dry_run;
use crate::rpc::unary::unary;
use crate::rpc::{Door, unknown};

/// Serves a call of a review's service.
pub(super) async fn serve(
    door: Arc<Door>,
    kind: &'static Kind,
    method: String,
    caller: Caller,
    request: Request,
) -> Response {
    if method != "Create" {
        return unknown(&method);
    }
    let call = |create: RawCreateRequest| async move { answer(&door, kind, &caller, create).await };
    unary(request, call).await
}

async fn answer(
    door: &Door,
    kind: &'static Kind,
    caller: &Caller,
    create: RawCreateRequest,
) -> Result<Bytes, ApiError> {
    let access = &*door.authenticator.access;
    let asked = auth::Request {
        verb: "create",
        resource: kind.plural,
        group: kind.group,
        subresource: "",
        namespace: &create.namespace,
        name: "",
    };
    // Whoever asks may ask what he may do himself: by this the gateway learns what to show to whom, anonymous or not.
    let own = kind == SelfSubjectAccessReview::KIND;
    let allowed = if own { Ok(()) } else { access.authorize(caller, asked) };
    if let Some(entry) = &caller.audit {
        entry.asked(kind, &asked, &allowed);
    }
    allowed?;
    dry_run("CreateOptions", &create.options.as_ref().map(|of| of.dry_run.clone()).unwrap_or_default())?;
    match kind.kind {
        "TokenReview" => token_review(door, decode(&create)?).await,
        "SelfSubjectReview" => {
            let mut review: SelfSubjectReview = decode(&create)?;
            review.status.user_info = user_info(caller);
            Ok(encode(&review))
        }
        "SubjectAccessReview" => {
            let mut review: SubjectAccessReview = decode(&create)?;
            let errors = wrong(&review.metadata, &review.spec, None);
            refuse::<SubjectAccessReview>(errors)?;
            review.status = of_somebody(access, &review.spec);
            Ok(encode(&review))
        }
        "LocalSubjectAccessReview" => {
            let mut review: LocalSubjectAccessReview = decode(&create)?;
            if review.metadata.namespace.is_empty() {
                review.metadata.namespace.clone_from(&create.namespace);
            }
            let errors = wrong(&review.metadata, &review.spec, Some(&create.namespace));
            refuse::<LocalSubjectAccessReview>(errors)?;
            review.status = of_somebody(access, &review.spec);
            Ok(encode(&review))
        }
        "SelfSubjectAccessReview" => {
            let mut review: SelfSubjectAccessReview = decode(&create)?;
            let spec = &review.spec;
            let (resource, path) = (spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref());
            let mut errors = ErrorList::default();
            wrong_attributes(resource, path, &mut errors);
            refuse::<SelfSubjectAccessReview>(errors)?;
            review.status = decided(access, caller, resource, path);
            Ok(encode(&review))
        }
        "SelfSubjectRulesReview" => {
            let mut review: SelfSubjectRulesReview = decode(&create)?;
            if review.spec.namespace.is_empty() {
                return Err(ApiError::bad_request("no namespace on request"));
            }
            review.status = rules(access, caller, &review.spec.namespace);
            Ok(encode(&review))
        }
        other => Err(ApiError::unimplemented(format!("nobody answers a {other}"))),
    }
}

async fn token_review(door: &Door, mut review: TokenReview) -> Result<Bytes, ApiError> {
    if review.spec.token.is_empty() {
        return Err(ApiError::bad_request("token is required for TokenReview in authentication"));
    }
    review.status = match door.authenticator.token(&review.spec.token, &review.spec.audiences).await {
        Ok((caller, audiences)) => TokenReviewStatus {
            authenticated: true,
            user: user_info(&caller),
            audiences,
            ..TokenReviewStatus::default()
        },
        // What cannot be looked up now is no answer.
        Err(error) if error.code() != 401 => return Err(error),
        Err(error) => TokenReviewStatus {
            error: format!("[invalid bearer token, {}]", error.message()),
            ..TokenReviewStatus::default()
        },
    };
    Ok(encode(&review))
}

fn of_somebody(access: &Access, spec: &SubjectAccessReviewSpec) -> SubjectAccessReviewStatus {
    let caller = Caller {
        uid: spec.uid.clone(),
        extra: spec.extra.iter().map(|(key, values)| (key.clone(), values.items.clone())).collect(),
        ..Caller::new(spec.user.as_str(), spec.groups.clone())
    };
    decided(access, &caller, spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref())
}

fn decided(
    access: &Access,
    caller: &Caller,
    resource: Option<&ResourceAttributes>,
    path: Option<&NonResourceAttributes>,
) -> SubjectAccessReviewStatus {
    let what = match (resource, path) {
        (Some(asked), _) => What::Resource(auth::Request {
            verb: &asked.verb,
            resource: &asked.resource,
            group: &asked.group,
            subresource: &asked.subresource,
            namespace: &asked.namespace,
            name: &asked.name,
        }),
        (None, Some(asked)) => What::Path { verb: &asked.verb, path: &asked.path },
        (None, None) => return SubjectAccessReviewStatus::default(),
    };
    let (allowed, reason) = match access.decide(caller, what) {
        Decision::Allowed(why) => (true, why),
        Decision::Refused(why) => (false, why),
    };
    SubjectAccessReviewStatus { allowed, reason, ..SubjectAccessReviewStatus::default() }
}

fn rules(access: &Access, caller: &Caller, namespace: &str) -> SubjectRulesReviewStatus {
    let held = access.rules(caller, namespace);
    let (paths, resources): (Vec<_>, Vec<_>) =
        held.rules.into_iter().partition(|rule| !rule.non_resource_urls.is_empty());
    SubjectRulesReviewStatus {
        resource_rules: resources
            .into_iter()
            .map(|rule| ResourceRule {
                verbs: rule.verbs,
                api_groups: rule.api_groups,
                resources: rule.resources,
                resource_names: rule.resource_names,
            })
            .collect(),
        non_resource_rules: paths
            .into_iter()
            .map(|rule| NonResourceRule { verbs: rule.verbs, non_resource_urls: rule.non_resource_urls })
            .collect(),
        incomplete: !held.unknown.is_empty(),
        evaluation_error: held.unknown.join(", "),
    }
}

/// What is wrong with a question about somebody, in one namespace if there is one.
fn wrong(meta: &ObjectMeta, spec: &SubjectAccessReviewSpec, namespace: Option<&str>) -> ErrorList {
    let mut errors = ErrorList::default();
    let path = Path::new("spec");
    let (resource, url) = (spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref());
    wrong_attributes(resource, url, &mut errors);
    if spec.user.is_empty() && spec.groups.is_empty() {
        let why = "at least one of user or group must be specified";
        errors.push(FieldError::invalid(&path.child("user"), "", why));
    }
    let bare = ObjectMeta {
        namespace: namespace.unwrap_or_default().to_owned(),
        managed_fields: meta.managed_fields.clone(),
        ..ObjectMeta::default()
    };
    if *meta != bare {
        let why = "must be empty except for namespace";
        errors.push(FieldError::invalid(&Path::new("metadata"), "", why));
    }
    if let (Some(namespace), Some(asked)) = (namespace, resource)
        && asked.namespace != namespace
    {
        let path = path.child("resourceAttributes").child("namespace");
        errors.push(FieldError::invalid(&path, asked.namespace.as_str(), "must match metadata.namespace"));
    }
    if namespace.is_some() && url.is_some() {
        let why = "disallowed on this kind of request";
        errors.push(FieldError::invalid(&path.child("nonResourceAttributes"), "", why));
    }
    errors
}

fn wrong_attributes(
    resource: Option<&ResourceAttributes>,
    url: Option<&NonResourceAttributes>,
    errors: &mut ErrorList,
) {
    let why = match (resource, url) {
        (Some(_), Some(_)) => "cannot be specified in combination with resourceAttributes",
        (None, None) => "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        _ => return,
    };
    errors.push(FieldError::invalid(&Path::new("spec").child("nonResourceAttributes"), "", why));
}

fn refuse<K: Object>(errors: ErrorList) -> Result<(), ApiError> {
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(K::KIND, "", errors)) }
}

fn decode<K: Object>(create: &RawCreateRequest) -> Result<K, ApiError> {
    K::decode(create.object.clone())
        .map_err(|error| ApiError::bad_request(format!("cannot decode the {}: {error}", K::KIND.kind)))
}

fn encode<K: Object>(review: &K) -> Bytes {
    review.encode_to_vec().into()
}
