//! Who may connect, and who a request comes from.

use super::*;

#[tokio::test]
async fn peer_is_known_by_its_certificate_only() {
    let fixture = Fixture::new(Some(ClientAuth::Optional), whoami_router(), Options::default()).await;
    let port = fixture.address.port();
    let anonymous = Identity::anonymous_client_config(&fixture.admin.ca_pem).unwrap();
    let admin = fixture.admin.client_config().unwrap();
    let (_, text) = fixture.get(admin, "/whoami").await.unwrap();
    assert_eq!(text, format!("admin/system:masters tls=true local={port} HTTP/1.1"));
    let (_, text) = fixture.get(anonymous, "/whoami").await.unwrap();
    assert_eq!(text, format!("nobody tls=true local={port} HTTP/1.1"));
    let stranger = fixture.stranger.client_config().unwrap();
    assert!(fixture.get(stranger, "/whoami").await.is_err(), "a foreign certificate is refused, not ignored");
}

#[tokio::test]
async fn required_certificates_are_required() {
    let fixture = Fixture::new(Some(ClientAuth::Required), whoami_router(), Options::default()).await;
    let anonymous = Identity::anonymous_client_config(&fixture.admin.ca_pem).unwrap();
    assert!(fixture.get(anonymous, "/whoami").await.is_err());
    assert!(fixture.get(fixture.stranger.client_config().unwrap(), "/whoami").await.is_err());
    let (status, _) = fixture.get(fixture.admin.client_config().unwrap(), "/whoami").await.unwrap();
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_server_of_a_foreign_authority_is_refused() {
    let fixture = Fixture::new(Some(ClientAuth::None), whoami_router(), Options::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let other = Pki::open_or_create(dir.path(), &[]).unwrap();
    let config = Identity::anonymous_client_config(other.ca_pem()).unwrap();
    assert!(fixture.connect(config, b"h2").await.is_err());
}
