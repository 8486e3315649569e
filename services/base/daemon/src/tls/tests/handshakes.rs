//! What both sides of a handshake are told when a certificate is wrong.

use rcgen::{CertificateParams, Issuer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::*;

/// The identities of one authority that the tests need; the key of the authority makes odd ones.
struct Fixture {
    dir: tempfile::TempDir,
    pki: Pki,
}

// === impl Fixture ===

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::open_or_create(dir.path(), &[]).unwrap();
        Self { dir, pki }
    }

    fn identity(&self, name: &str, usage: Usage) -> Identity {
        let sans = sans(&["api.test"]);
        self.pki.issue(name, Subject::new(name), usage, &sans, DAY).unwrap()
    }

    /// An identity that is valid from `from` seconds from now until `until`.
    fn valid(&self, from: i64, until: i64) -> Identity {
        let ca_key = fs::read_to_string(self.dir.path().join("ca.key")).unwrap();
        let issuer =
            Issuer::from_ca_cert_pem(self.pki.ca_pem(), KeyPair::from_pem(&ca_key).unwrap()).unwrap();
        let at = |offset: i64| {
            let seconds = super::super::validity::seconds(SystemTime::now()) + offset;
            rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap())
        };
        let mut params = CertificateParams::new(["api.test".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (at(from), at(until));
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &issuer).unwrap();
        Identity { cert_pem: cert.pem(), key_pem: key.serialize_pem(), ca_pem: self.pki.ca_pem().to_owned() }
    }
}

/// What server and client say of a connection between them, `api.test` being expected; nothing if it works.
async fn shake(server: Identity, client: Identity) -> (String, String) {
    let server = LiveIdentity::from(server).server_tls(ClientAuth::Required, &[]).unwrap();
    let client = LiveIdentity::from(client).client_tls(&[]).unwrap();
    let (near, far) = duplex(64 << 10);
    let serve = async {
        let mut stream = server.accept(near).await?;
        stream.write_all(b"x").await.map_err(HandshakeError::from)?;
        stream.flush().await.map_err(HandshakeError::from)
    };
    let connect = async {
        let name = ServerName::try_from("api.test").unwrap();
        let mut stream = client.connect(name, far).await?;
        stream.read_u8().await.map(drop).map_err(HandshakeError::from)
    };
    let (served, connected) = tokio::join!(serve, connect);
    let text = |result: Result<(), HandshakeError>| result.err().map(|it| it.to_string()).unwrap_or_default();
    (text(served), text(connected))
}

#[tokio::test]
async fn both_sides_are_told_what_is_wrong() {
    let (ours, theirs) = (Fixture::new(), Fixture::new());
    let (server, client) =
        (|| ours.identity("server", Usage::Server), || ours.identity("client", Usage::Client));
    let foreign = |identity: Identity| Identity { ca_pem: ours.pki.ca_pem().to_owned(), ..identity };
    let other_name =
        ours.pki.issue("other", Subject::new("other"), Usage::Server, &sans(&["node-1"]), DAY).unwrap();
    let table = [
        ("all is well", server(), client(), "", ""),
        (
            "the client's certificate has expired",
            server(),
            ours.valid(-7200, -3600),
            "the peer's certificate expired at",
            "by its clock it is not valid now",
        ),
        (
            "the client's certificate is not valid yet",
            server(),
            ours.valid(3600, 7200),
            "the peer's certificate is not valid yet",
            "by its clock it is not valid now",
        ),
        (
            "the client's authority is unknown",
            server(),
            foreign(theirs.identity("client", Usage::Client)),
            "the peer's certificate is of an unknown authority",
            "of an authority unknown to it",
        ),
        (
            "the client shows a server's certificate",
            server(),
            ours.identity("server", Usage::Server),
            "(extended key usage)",
            "(extended key usage)",
        ),
        (
            "the server's certificate has expired",
            ours.valid(-7200, -3600),
            client(),
            "by its clock it is not valid now",
            "the peer's certificate expired at",
        ),
        (
            "the server's certificate is not valid yet",
            ours.valid(3600, 7200),
            client(),
            "by its clock it is not valid now",
            "set the clocks of both hosts right",
        ),
        (
            "the server's authority is unknown",
            foreign(theirs.identity("server", Usage::Server)),
            client(),
            "of an authority unknown to it",
            "both sides need certificates of the same ca.crt",
        ),
        (
            "the server has another name",
            other_name,
            client(),
            "it is malformed, or for another name",
            "not for the name api.test, but for node-1",
        ),
    ];
    for (name, server, client, server_says, client_says) in table {
        let (served, connected) = shake(server, client).await;
        assert!(served.contains(server_says), "{name}: the server says {served:?}");
        assert!(connected.contains(client_says), "{name}: the client says {connected:?}");
        assert_eq!(served.is_empty(), server_says.is_empty(), "{name}: {served}");
        assert_eq!(connected.is_empty(), client_says.is_empty(), "{name}: {connected}");
    }
}

#[tokio::test]
async fn a_client_without_certificate_is_told_that_one_is_required() {
    let fixture = Fixture::new();
    let server = LiveIdentity::from(fixture.identity("server", Usage::Server));
    let server = server.server_tls(ClientAuth::Required, &[]).unwrap();
    let anonymous = Identity::anonymous_client_config(fixture.pki.ca_pem()).unwrap();
    let (near, far) = duplex(64 << 10);
    let connect = async {
        let name = ServerName::try_from("api.test").unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(anonymous).connect(name, far).await.unwrap();
        explain(&stream.read_u8().await.unwrap_err()).unwrap()
    };
    let (served, connected) = tokio::join!(server.accept(near), connect);
    let served = served.err().unwrap().to_string();
    assert!(served.contains("the peer presented no certificate"), "{served}");
    assert!(connected.contains("requires a client certificate, and none was presented"), "{connected}");
}

#[tokio::test]
async fn the_next_handshake_uses_what_was_renewed_on_both_sides() {
    let (old, new) = (Fixture::new(), Fixture::new());
    let server = LiveIdentity::from(old.identity("server", Usage::Server));
    let client = LiveIdentity::from(old.identity("client", Usage::Client));
    let (server_tls, client_tls) =
        (server.server_tls(ClientAuth::Required, &[]).unwrap(), client.client_tls(&[]).unwrap());
    let shake = async || {
        let (near, far) = duplex(64 << 10);
        let name = ServerName::try_from("api.test").unwrap();
        let (served, connected) = tokio::join!(server_tls.accept(near), client_tls.connect(name, far));
        served.is_ok() && connected.is_ok()
    };
    assert!(shake().await);
    server.set(new.identity("server", Usage::Server));
    assert!(!shake().await, "the client does not know the new authority yet");
    client.set(new.identity("client", Usage::Client));
    assert!(shake().await);
    // Both authorities, while one is replaced by the other.
    let both = format!("{}{}", new.pki.ca_pem(), old.pki.ca_pem());
    server.set(Identity { ca_pem: both.clone(), ..new.identity("server", Usage::Server) });
    client.set(Identity { ca_pem: both, ..old.identity("client", Usage::Client) });
    assert!(shake().await);
}
