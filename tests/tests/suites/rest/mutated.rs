//! Requests that nobody would send: each gets an answer below 500, and the server is well afterwards.

use std::fmt::Write as _;
use std::process::Command;

use fastrand::Rng;
use keelson_tests::{Curl, Output, Subject};

/// Any number; another one is another run.
const SEED: u64 = 7;

const REQUESTS: usize = 500;

const PATHS: &[&str] = &[
    "/api/v1/namespaces/default/pods",
    "/api/v1/namespaces/default/pods/absent",
    "/api/v1/namespaces/default/configmaps/fuzz",
    "/api/v1/namespaces/default/services",
    "/api/v1/nodes",
    "/api/v1/namespaces/default/replicationcontrollers/absent/scale",
    "/apis/events.k8s.io/v1/namespaces/default/events",
    "/apis/coordination.k8s.io/v1/namespaces/default/leases",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/openapi/v3/api/v1",
    "/swaggerapi/api/v1",
    "/apis",
];

const QUERIES: &[&str] = &[
    "",
    "limit=1",
    "limit=99999999999999999999",
    "continue=LTEgeA",
    "watch=true&timeoutSeconds=1",
    "labelSelector=a%20in%20(b",
    "fieldSelector=metadata.name%3D%00",
    "resourceVersion=0",
    "resourceVersion=-1",
    "resourceVersionMatch=Exact",
    "dryRun=All",
    "dryRun=",
    "fieldManager=%ff",
    "fieldValidation=Strict",
    "pretty=true",
    "force=maybe",
    "propagationPolicy=Sideways",
    "gracePeriodSeconds=-9223372036854775808",
    "includeObject=Object",
    "%",
    "a=%zz",
];

const MEDIA: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "text/html",
    "",
];

const ACCEPTS: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "*/*",
    "text/html",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    ";;;",
];

const BODIES: &[&str] = &[
    "",
    "{}",
    "[]",
    "null",
    "{\"kind\":\"DeleteOptions\",\"gracePeriodSeconds\":1e99}",
    "{\"metadata\":{\"name\":\"fuzz\",\"labels\":{\"a\":\"b\"},\"finalizers\":[\"x\"]},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}",
    "[{\"op\":\"add\",\"path\":\"/metadata/labels/x~1y\",\"value\":\"1\"},{\"op\":\"move\",\"from\":\"/spec\",\"path\":\"/x\"}]",
    "{\"spec\":{\"containers\":[{\"name\":\"c\",\"$patch\":\"delete\"}],\"$setElementOrder/containers\":[{\"name\":\"c\"}]}}",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fuzz}\ndata: &a {b: *a}\n",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: absent}\nspec: {containers: [{name: c}, {name: c}]}\n",
    "k8s\u{0}\u{a}\u{9}\u{a}\u{2}v1\u{12}\u{3}Pod\u{12}\u{3}\u{a}\u{1}x",
];

#[test]
fn any_request_gets_an_answer_below_500() {
    let subject = Subject::start();
    let mut rng = Rng::with_seed(SEED);
    let dir = tempfile::tempdir().unwrap();
    let (mut config, mut sent) = (String::new(), Vec::new());
    for index in 0..REQUESTS {
        let body = dir.path().join(index.to_string());
        std::fs::write(&body, mutated(&mut rng)).unwrap();
        let path = PATHS[rng.usize(..PATHS.len())];
        let query = QUERIES[rng.usize(..QUERIES.len())];
        // Nothing that was there before may be deleted.
        let methods: &[&str] = match path.ends_with("fuzz") || path.contains("absent") {
            true => &["GET", "POST", "PUT", "PATCH", "DELETE"],
            false => &["GET", "POST", "PUT", "PATCH"],
        };
        let method = methods[rng.usize(..methods.len())];
        let (media, accept) = (MEDIA[rng.usize(..MEDIA.len())], ACCEPTS[rng.usize(..ACCEPTS.len())]);
        if index > 0 {
            config.push_str("next\n");
        }
        let _ = write!(
            config,
            "silent\nhttp1.1\nmax-time = 10\noutput = /dev/null\nwrite-out = \"%{{http_code}}\\n\"\ncacert = {:?}\ncert = {:?}\nkey = {:?}\nrequest = {method}\nheader = \"Content-Type: {media}\"\nheader = \"Accept: {accept}\"\nurl = \"{}{path}?{query}\"\n",
            subject.ca(),
            subject.certificate(),
            subject.key(),
            subject.server(),
        );
        if method != "GET" {
            let _ = write!(config, "header = \"Expect:\"\ndata-binary = \"@{}\"\n", body.display());
        }
        sent.push(format!("{method} {path}?{query} {media} {accept} {}", body.display()));
    }
    let file = dir.path().join("config");
    std::fs::write(&file, config).unwrap();
    let output = Output::of(Command::new("curl").arg("--config").arg(&file), "");
    let codes: Vec<u16> = output.stdout.lines().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(codes.len(), REQUESTS, "{output}");
    // 501 and 504 say what is not there, and what may come still.
    let bad = |code: u16| !(200..500).contains(&code) && ![501, 504].contains(&code);
    let failed: Vec<_> = codes.iter().zip(&sent).filter(|(code, _)| bad(**code)).collect();
    if !failed.is_empty() {
        eprintln!("the bodies are kept in {}", dir.keep().display());
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(codes.contains(&200) && codes.contains(&400), "{codes:?}");
    let curl = Curl::new(&subject);
    assert_eq!(curl.get("/readyz").code, 200);
    curl.send("DELETE", "/api/v1/namespaces/default/configmaps/fuzz", "", &[]);
}

fn mutated(rng: &mut Rng) -> Vec<u8> {
    let mut body = BODIES[rng.usize(..BODIES.len())].as_bytes().to_vec();
    for _ in 0..rng.usize(..4) {
        if body.is_empty() {
            break;
        }
        let at = rng.usize(..body.len());
        match rng.u8(..4) {
            0 => body[at] = rng.u8(..),
            1 => body.truncate(at),
            2 => body.insert(at, rng.u8(..)),
            _ => {
                let copy = body[at..].to_vec();
                body.extend(copy);
            }
        }
    }
    body
}
