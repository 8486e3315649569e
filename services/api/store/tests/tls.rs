//! etcd over TLS, with certificates on both sides.

#[cfg(test)]
mod tls {
    use futures::StreamExt;
    use keelson_api_store::testing::EtcdProcess;
    use keelson_api_store::{Commit, Error, Etcd, EtcdConfig, EtcdTls, Expect, Store};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use std::path::Path;
    use std::time::Duration;

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn authority(name: &str) -> Authority {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// A certificate and its key.
    fn issue(authority: &Authority, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth, rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
    }

    fn tls(authority: &Authority, identity: Option<(String, String)>) -> EtcdTls {
        let identity = identity.map(|(certificate, key)| (certificate.into(), key.into()));
        EtcdTls { ca: authority.pem().into(), identity }
    }

    fn write(dir: &Path, name: &str, pem: &str) -> String {
        let path = dir.join(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn connect(endpoint: &str, tls: EtcdTls) -> Result<Etcd, Error> {
        let config = EtcdConfig { tls: Some(tls), ..EtcdConfig::new([endpoint]) };
        Etcd::connect(EtcdConfig { timeout: Duration::from_secs(2), ..config }).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn etcd_and_we_prove_who_we_are_and_certificates_are_renewed_without_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let (ca, other) = (authority("etcd"), authority("somebody else"));
        let (certificate, key) = issue(&ca, "127.0.0.1");
        let ca_file = write(dir.path(), "ca.crt", &ca.pem());
        let certificate = write(dir.path(), "server.crt", &certificate);
        let key = write(dir.path(), "server.key", &key);
        let etcd = EtcdProcess::start_tls(&[
            "--cert-file",
            &certificate,
            "--key-file",
            &key,
            "--trusted-ca-file",
            &ca_file,
            "--client-cert-auth",
        ]);
        let mut connected = Err(Error::Closed);
        for _ in 0..100 {
            connected = connect(etcd.endpoint(), tls(&ca, Some(issue(&ca, "api")))).await;
            if connected.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let store = connected.unwrap();
        let refused = [
            ("another authority for etcd", tls(&other, Some(issue(&ca, "api")))),
            ("another authority for us", tls(&ca, Some(issue(&other, "api")))),
            ("no certificate", tls(&ca, None)),
        ];
        for (what, bad) in refused {
            let error = connect(etcd.endpoint(), bad).await.unwrap_err();
            assert!(matches!(&error, Error::Unavailable(_)), "{what}: {error}");
        }
        let mut watch = store.watch(1).await.unwrap();
        store.commit(Commit::put_if("/registry/a", "1", Expect::Absent)).await.unwrap();
        store.renew_tls(tls(&ca, Some(issue(&ca, "api")))).await.unwrap();
        let nonsense = tls(&ca, Some(("no certificate".to_owned(), "no key".to_owned())));
        assert!(matches!(store.renew_tls(nonsense).await, Err(Error::Invalid(_))));
        store.commit(Commit::put_if("/registry/b", "1", Expect::Absent)).await.unwrap();
        for revision in [2, 3] {
            let batch = tokio::time::timeout(Duration::from_secs(10), watch.next()).await;
            assert_eq!(batch.unwrap().unwrap().unwrap().revision, revision);
        }
    }
}
