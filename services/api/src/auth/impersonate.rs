//! Acting as somebody else: `Impersonate-*` headers, for who may.

use http::HeaderMap;
use keelson_base_model::status::ApiError;

use crate::auth::caller::{ANONYMOUS, account_of};
use crate::auth::{Access, Caller, Request};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";

/// Whom a caller wants to be taken for; None if nobody else.
///
/// # Errors
/// Forbidden if the caller may not; BadRequest if half of somebody is asked for.
pub(super) fn impersonated(
    access: &Access,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Option<Caller>, ApiError> {
    let extra = || headers.keys().filter(|name| name.as_str().starts_with(EXTRA));
    let Some(user) = headers.get(USER) else {
        return match headers.contains_key(GROUP) || headers.contains_key(UID) || extra().next().is_some() {
            true => Err(ApiError::bad_request(
                "groups, uid or extras are to be impersonated, but no user: send Impersonate-User as well",
            )),
            false => Ok(None),
        };
    };
    let user = text(user)?;
    let mut other = match account_of(&user) {
        Some((namespace, name)) => {
            may(access, caller, "", "serviceaccounts", "", namespace, name)?;
            Caller::account(namespace, name)
        }
        None => {
            may(access, caller, "", "users", "", "", &user)?;
            Caller::new(user, Vec::new())
        }
    };
    let groups: Vec<String> = headers.get_all(GROUP).iter().map(text).collect::<Result<_, _>>()?;
    for group in &groups {
        may(access, caller, "", "groups", "", "", group)?;
    }
    if !groups.is_empty() {
        other.groups = groups;
    }
    if let Some(uid) = headers.get(UID) {
        other.uid = text(uid)?;
        may(access, caller, "authentication.k8s.io", "uids", "", "", &other.uid)?;
    }
    for name in extra() {
        let key = percent_encoding::percent_decode_str(&name.as_str()[EXTRA.len()..]);
        let key = key.decode_utf8().map_err(|_| unreadable())?.into_owned();
        for value in headers.get_all(name) {
            let value = text(value)?;
            may(access, caller, "authentication.k8s.io", "userextras", &key, "", &value)?;
            other.extra.entry(key.clone()).or_default().push(value);
        }
    }
    if other.user == ANONYMOUS {
        if other.groups.is_empty() {
            other.groups = Caller::anonymous().groups;
        }
        return Ok(Some(other));
    }
    Ok(Some(other.authenticated()))
}

fn may(
    access: &Access,
    caller: &Caller,
    group: &str,
    resource: &str,
    subresource: &str,
    namespace: &str,
    name: &str,
) -> Result<(), ApiError> {
    access.authorize(caller, Request { verb: "impersonate", resource, group, subresource, namespace, name })
}

fn text(value: &http::HeaderValue) -> Result<String, ApiError> {
    let text = value.to_str().ok().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(unreadable)
}

fn unreadable() -> ApiError {
    ApiError::bad_request("an Impersonate header cannot be read: send printable ASCII")
}
