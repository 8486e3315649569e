//! On whose behalf a request is made, and whether it may be answered where api is not asked for objects.
//!
//! The gateway decides neither: it passes on what the client has brought, and api looks at that.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use keelson_base_client::{Client, ForwardedUser};
use keelson_base_daemon::tls::Peer;
use keelson_base_model::status::{ApiError, Reason};
use keelson_proto::Object;
use keelson_proto::authentication::SelfSubjectReview;
use keelson_proto::authorization::{NonResourceAttributes, SelfSubjectAccessReview};
use keelson_proto::v1::RawCreateRequest;

/// What the headers begin with by which a client asks to be taken for somebody else.
const IMPERSONATE: &str = "impersonate-";

/// Who nobody in particular is.
const ANONYMOUS: &str = "system:anonymous";

/// The user as api is told: the client's certificate, or else its `Authorization` header, or else nobody in particular.
pub(crate) fn caller(peer: Option<&Peer>, headers: &HeaderMap) -> Result<ForwardedUser, ApiError> {
    let mut user = match (peer, headers.get(AUTHORIZATION)) {
        (Some(peer), _) => {
            let groups = peer.organizations.iter().map(String::as_str);
            ForwardedUser::try_new(&peer.common_name, groups.chain(["system:authenticated"]))?
        }
        (None, Some(credential)) => {
            ForwardedUser::try_credential(credential.to_str().map_err(|_| ApiError::unauthorized(""))?)?
        }
        (None, None) => ForwardedUser::try_new(ANONYMOUS, ["system:unauthenticated"])?,
    };
    // Not to be lost on the way: the client would act with its own rights where it asked for fewer.
    for (name, value) in headers.iter().filter(|(name, _)| name.as_str().starts_with(IMPERSONATE)) {
        user = user.try_with(name.as_str(), value.to_str().unwrap_or("\n"))?;
    }
    Ok(user)
}

/// Whether a user, for whom `client` calls, may do something to a path that is no resource.
///
/// # Errors
/// Unauthorized, Forbidden, and those of api.
pub(crate) async fn may(client: &Client, verb: &str, path: &str) -> Result<(), ApiError> {
    let mut review = SelfSubjectAccessReview::default();
    let asked = NonResourceAttributes { path: path.to_owned(), verb: verb.to_owned() };
    review.spec.non_resource_attributes = Some(asked);
    let review: SelfSubjectAccessReview = ask(client, &review).await?;
    if review.status.allowed {
        return Ok(());
    }
    // Whoever may not ask who he is, is nobody in particular.
    let who: Result<SelfSubjectReview, _> = ask(client, &SelfSubjectReview::default()).await;
    let user = who.map_or_else(|_| ANONYMOUS.to_owned(), |who| who.status.user_info.username);
    Err(ApiError::new(Reason::Forbidden, format!("forbidden: User \"{user}\" cannot {verb} path \"{path}\"")))
}

async fn ask<K: Object>(client: &Client, review: &K) -> Result<K, ApiError> {
    let create = RawCreateRequest { object: review.encode_to_vec().into(), ..RawCreateRequest::default() };
    let answer = client.raw(K::KIND.service).create(create).await?;
    K::decode(answer).map_err(|error| ApiError::internal(format!("cannot read api's answer: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: Option<&str>, headers: &[(&'static str, &str)]) -> Result<String, u16> {
        let peer = peer.map(|name| Peer { common_name: name.into(), organizations: vec!["dev".into()] });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        caller(peer.as_ref(), &map).map(|user| format!("{user:?}")).map_err(|error| error.code())
    }

    #[test]
    fn what_the_client_brought_is_passed_on_and_a_certificate_counts_first() {
        let bearer = [("authorization", "Bearer hush")];
        for headers in [&[][..], &bearer] {
            let known = told(Some("ann"), headers).unwrap();
            for part in ["ann", "dev", "system:authenticated"] {
                assert!(known.contains(part), "{known}");
            }
            assert!(!known.contains("\"authorization\""), "{known}");
        }
        let token = told(None, &bearer).unwrap();
        assert!(token.contains("\"authorization\"") && !token.contains("x-remote-user"), "{token}");
        assert!(told(None, &[]).unwrap().contains("system:anonymous"));
    }

    #[test]
    fn whom_a_client_wants_to_be_taken_for_is_never_lost() {
        let headers = [("impersonate-user", "bob"), ("impersonate-group", "a"), ("impersonate-group", "b")];
        let both = told(Some("ann"), &headers).unwrap();
        assert_eq!(both.matches("impersonate-group").count(), 2, "{both}");
        assert!(both.contains("bob"), "{both}");
        assert_eq!(told(Some("ann"), &[("impersonate-user", "j\u{fc}rgen")]), Err(400));
    }
}
