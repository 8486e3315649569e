//! On whose behalf a request is made.

use http::HeaderMap;
use keelson_base_client::ForwardedUser;
use keelson_base_daemon::tls::Peer;
use keelson_base_model::status::ApiError;

/// Headers by which a client asks to be taken for somebody else.
const IMPERSONATE: &str = "impersonate-user";

/// The user that the client's certificate names; nobody in particular if that is allowed.
pub(crate) fn caller(
    peer: Option<&Peer>,
    headers: &HeaderMap,
    anonymous: bool,
) -> Result<ForwardedUser, ApiError> {
    // Not to be ignored: the client would act with its own rights where it asked for fewer.
    if headers.contains_key(IMPERSONATE) {
        return Err(ApiError::unimplemented("this server does not serve impersonation (kubectl --as)"));
    }
    match peer {
        Some(peer) => {
            let groups = peer.organizations.iter().map(String::as_str);
            ForwardedUser::try_new(&peer.common_name, groups.chain(["system:authenticated"]))
        }
        None if anonymous => ForwardedUser::try_new("system:anonymous", ["system:unauthenticated"]),
        None => Err(ApiError::unauthorized("")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certificate_names_somebody() {
        let peer = Peer { common_name: "ann".into(), organizations: vec!["dev".into()] };
        let headers = HeaderMap::new();
        let known = format!("{:?}", caller(Some(&peer), &headers, false).unwrap());
        assert!(
            known.contains("ann") && known.contains("dev") && known.contains("system:authenticated"),
            "{known}"
        );
        assert_eq!(caller(None, &headers, false).unwrap_err().code(), 401);
        assert!(format!("{:?}", caller(None, &headers, true).unwrap()).contains("system:anonymous"));
    }

    #[test]
    fn impersonation_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert("Impersonate-User", "bob".parse().unwrap());
        let peer = Peer { common_name: "ann".into(), organizations: vec![] };
        assert_eq!(caller(Some(&peer), &headers, false).unwrap_err().code(), 501);
    }
}
