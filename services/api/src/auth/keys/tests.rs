use super::*;

// Keys of this test alone, made by openssl.
const ECDSA: &str = "-----BEGIN PRIVATE KEY-----\n\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkV8RR3uHIRGeSfyi\n\
    ybk+g9C8p9cwocGmlXjP2wnQaKKhRANCAAQaMv9LizBNT/JZacgAHxKkMshQwP5A\n\
    vSlzdKQDiTeADiLF+y1O+pMqpnbf3TO8seuSRrdg4/oTuee6KbeMBaip\n\
    -----END PRIVATE KEY-----";
const ECDSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGjL/S4swTU/yWWnIAB8SpDLIUMD+\n\
    QL0pc3SkA4k3gA4ixfstTvqTKqZ2390zvLHrkka3YOP6E7nnuim3jAWoqQ==\n\
    -----END PUBLIC KEY-----";
const RSA: &str = "-----BEGIN RSA PRIVATE KEY-----\n\
    MIIEowIBAAKCAQEAwNxbd7vsdvGEOrlgXHJJB4JTmrQqHfocB1LSxwIvleFfr/zZ\n\
    v4FoesaPXRhyifCPDEQWIRx5rtkTmOSdFLQwNmzcO2wCIAVeNNRdzHunzFgFfXEW\n\
    iMFGGQzFq7WC8CefYLtZ58kgtS19euNF+Iyqm5h/sbZFx/2wLzpNTW/rdSgAWzBi\n\
    Y7jobjiRZYQOZBmEVrKtm2LvOsAUDVw8qqogObl9SwmWyhgjgqtunyJTolmRFjYl\n\
    tnKiSGFvMRY17D/E5PPLGWrzi/+g7bqlnzvA3C5vHgE1V+pXkPV1a9CMucio78Xp\n\
    tJ4dlDxehklpgCVOhrLSUD2DnSvfxHH2k9YHkQIDAQABAoIBAAhiS/Ojjr8I9sea\n\
    wW6jZTtXVg0WofIVqlxDJHiURr9MQd2jr0+c747OzPKuGmSWuZE98HxWAZAxTaHK\n\
    5m08/A+Roe1PX7RGp3bCeKVoBr5iYTK31NPzGvoBzSIOzPdlsY8B9gGWg758kMTj\n\
    1mncq5oCAiMWmmf8Rkl3Tl78a473L9fr5F/WBj2HkKfiiGAJHZy+kDhhzb3d0gDx\n\
    CziDOOKAD5fxboWlWIshV0q6Bf5s1Kgo/iSrHywlEycznb0q/HHvB7swHq+QQKF6\n\
    BQzgQeAR0sHwCSmKHvPj/KoHsP6X5jXlP9zF0kC7aDz9JiaR6WcESGceV5jDo2Df\n\
    tIfWWmUCgYEA7akEyfrnSQTS/TgkvMawYAUfZgmobrGRc8f91sFE+8YivXQTHJLN\n\
    tGtmZ8514vY9PQqKastHK4faVniKWRreWBao5hwcL+kuI6eDRO0l8DJD6K0UyicM\n\
    wAfTeAyHJrAFCjq2EfOOjaAnKYheBIq19pf5Njqxl3dZ2mrkFVFMKScCgYEAz75T\n\
    Gv6puECHnhxfYqLwDCjxz7TFLxDneMF0qvYGZftGxN8MLkfWDaTkqbfYUKSrGi3Y\n\
    /YhN5J9CPXJ6tJTun6vswWMJxB0eNYDsevFn90XA7/QhyMTsSLsZIk0xlaLjclY4\n\
    7cRS87vdDLNk3gUndgpt0sU89uvAk3TF6e1djIcCgYBfIU2qb8VOpCC0fVmvOrT0\n\
    6ngEBw+lp2w6dS41XU14nnnfbewMfvLaKjdmi+0COWCP430+fDnzwcBy5nMycZ/Y\n\
    kNFwsoXR47u1R+Mynt6Vw/kM1ONCe9kNsNRD9HfQ05pg2tlwXBaOuDGU3WIM3V0y\n\
    5Og7fckCgSK1XB4KLm2W9wKBgE9ntihJUuIEeFHtEmCHWy2qsNLti7kzwuYbO9bk\n\
    9wkgBKrXfrZp6t2IO4bLqLkaV/RHtfsikHNklFMcYN6JVrRdaL96dY8qehOFVd6g\n\
    S1buqJKPRCKTcqVSLoc37k391uYrItNvCS30jsd+An4ChlTOI7A+h9Dxx8gVCFkj\n\
    y3AdAoGBAIX7FQ5ujP4TamaCt/DaTey21JXT6hbs1/sXALYZdgHx+utYP9Sjn/ZI\n\
    8LdgQJpGSRqTnj1ldCrzIA/jckxvMxGQM8nho7Ho2QHF+yGqOJPPGZq1b3rqtVmT\n\
    r/Dbu7CGJQFBY4ySM240MymPy+O2MJHzWzrkmx/9g96aJETbAuwq\n\
    -----END RSA PRIVATE KEY-----";
const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwNxbd7vsdvGEOrlgXHJJ\n\
    B4JTmrQqHfocB1LSxwIvleFfr/zZv4FoesaPXRhyifCPDEQWIRx5rtkTmOSdFLQw\n\
    NmzcO2wCIAVeNNRdzHunzFgFfXEWiMFGGQzFq7WC8CefYLtZ58kgtS19euNF+Iyq\n\
    m5h/sbZFx/2wLzpNTW/rdSgAWzBiY7jobjiRZYQOZBmEVrKtm2LvOsAUDVw8qqog\n\
    Obl9SwmWyhgjgqtunyJTolmRFjYltnKiSGFvMRY17D/E5PPLGWrzi/+g7bqlnzvA\n\
    3C5vHgE1V+pXkPV1a9CMucio78XptJ4dlDxehklpgCVOhrLSUD2DnSvfxHH2k9YH\n\
    kQIDAQAB\n\
    -----END PUBLIC KEY-----";

#[test]
fn what_a_key_signs_its_public_half_checks() {
    for (private, public, algorithm) in [(ECDSA, ECDSA_PUBLIC, "ES256"), (RSA, RSA_PUBLIC, "RS256")] {
        let key = SigningKey::from_pem(private).unwrap();
        let read = PublicKey::all_from_pem(public).unwrap();
        assert_eq!((key.algorithm(), read.as_slice()), (algorithm, std::slice::from_ref(key.public())));
        assert_eq!(PublicKey::all_from_pem(private).unwrap(), read);
        let signature = key.sign(b"message").unwrap();
        assert!(read[0].verify(b"message", &signature));
        assert!(!read[0].verify(b"massage", &signature) && !read[0].verify(b"message", b""));
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
    let both = PublicKey::all_from_pem(&format!("{RSA_PUBLIC}\n{ECDSA_PUBLIC}\n")).unwrap();
    assert_eq!(both.len(), 2);
    assert_ne!(both[0].id(), both[1].id());
}

#[test]
fn a_public_key_is_shown_as_others_read_it() {
    let shown = |pem: &str| PublicKey::all_from_pem(pem).unwrap()[0].to_jwk();
    let ecdsa = shown(ECDSA_PUBLIC);
    for part in ["x", "y"] {
        assert_eq!(URL_SAFE_NO_PAD.decode(ecdsa[part].as_str().unwrap()).unwrap().len(), 32);
    }
    let rsa = shown(RSA_PUBLIC);
    assert_eq!(rsa["e"], "AQAB");
    assert_eq!(URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap().len(), 256);
}

#[test]
fn what_is_no_key_is_refused() {
    let broken = ECDSA.replacen("MIG", "MIX", 1);
    for text in ["", "hush", "-----BEGIN PRIVATE KEY-----\naHVzaA==\n-----END PRIVATE KEY-----", &broken] {
        let error = SigningKey::from_pem(text).unwrap_err();
        assert!(!error.contains("aHVz"), "{error}");
        assert!(PublicKey::all_from_pem(text).is_err());
    }
    let certificate = "-----BEGIN PUBLIC KEY-----\naHVzaA==\n-----END PUBLIC KEY-----";
    assert!(PublicKey::all_from_pem(certificate).is_err());
}
