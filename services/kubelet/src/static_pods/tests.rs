use jiff::Timestamp;
use keelson_proto::core::Pod;

use super::decode::{ManifestError, decode};
use super::*;

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},
    "spec":{"containers":[{"name":"c","image":"web:1"}]}}"#;

fn place() -> Place {
    let now = Timestamp::from_second(1_000_000).unwrap();
    Place { node: "n1".to_owned(), source: "file", from: "/etc/m/web".to_owned(), clock: Clock::tokio(now) }
}

fn one(text: &str) -> Pod {
    let mut pods = decode(text.as_bytes(), &place()).unwrap();
    assert_eq!(pods.len(), 1);
    pods.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_manifest_is_completed_and_named_after_its_node() {
    let pod = one(POD);
    assert_eq!((pod.metadata.name.as_str(), pod.metadata.namespace.as_str()), ("web-n1", "default"));
    assert_eq!(pod.spec.node_name, "n1");
    assert_eq!(pod.spec.restart_policy, "Always", "defaults are filled in");
    assert_eq!(pod.status.qos_class, "BestEffort");
    assert!(is_static(&pod));
    assert!(mirrored(&pod).is_none());
    let mirror = likeness(&pod);
    assert_eq!(mirrored(&mirror), Some(pod.metadata.uid.as_str()));
    assert!(!is_static(&mirror));
    assert_eq!(name_of(&mirror), name_of(&pod));
}

#[tokio::test(start_paused = true)]
async fn the_uid_follows_the_wording() {
    let first = one(POD);
    assert_eq!(one(POD).metadata.uid, first.metadata.uid, "a restarted kubelet finds its pods again");
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: c\n    image: web:1\n";
    assert_eq!(one(yaml).metadata.uid, first.metadata.uid, "in whichever format");
    assert_ne!(one(&POD.replace("web:1", "web:2")).metadata.uid, first.metadata.uid);
    let elsewhere = Place { from: "/etc/m/other".to_owned(), ..place() };
    assert_ne!(decode(POD.as_bytes(), &elsewhere).unwrap()[0].metadata.uid, first.metadata.uid);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_several_pods() {
    let list =
        format!(r#"{{"apiVersion":"v1","kind":"PodList","items":[{POD},{}]}}"#, POD.replace("web", "db"));
    let names: Vec<_> =
        decode(list.as_bytes(), &place()).unwrap().into_iter().map(|pod| pod.metadata.name).collect();
    assert_eq!(names, ["web-n1", "db-n1"]);
}

#[tokio::test(start_paused = true)]
async fn bad_manifests_are_named() {
    let error = |text: &str| decode(text.as_bytes(), &place()).unwrap_err();
    assert!(matches!(error("{"), ManifestError::Unreadable(_)));
    assert_eq!(error("kind: Service"), ManifestError::Kind("Service".to_owned()));
    assert_eq!(error(""), ManifestError::Kind(String::new()));
    let ManifestError::Invalid { name, errors } = error(&POD.replace("\"c\"", "\"C!\"")) else { panic!() };
    assert_eq!(name, "web-n1");
    assert!(errors.contains("spec.containers[0].name"), "{errors}");
}

#[tokio::test(start_paused = true)]
async fn what_a_source_no_longer_describes_is_told() {
    let (web, db) = (Arc::new(one(POD)), Arc::new(one(&POD.replace("web", "db"))));
    let mut known = Known::awaiting(["file", "http"]);
    assert_eq!(known.put("file", vec![web.clone(), db.clone()]), []);
    assert!(!known.is_complete(), "the other source is yet to speak");
    assert_eq!(known.put("http", vec![]), []);
    assert!(known.is_complete());
    assert_eq!(known.put("file", vec![db.clone()]), std::slice::from_ref(&web));
    assert_eq!(known.find(&name_of(&web)), None);
    assert_eq!(known.find(&name_of(&db)), Some(db.clone()));
    let mirror = Arc::new(likeness(&web));
    known.put_mirror(mirror.clone());
    assert_eq!(known.orphans(|uid| uid == db.metadata.uid), std::slice::from_ref(&mirror));
    assert_eq!(known.orphans(|uid| uid == web.metadata.uid), []);
    let mut other = Pod::clone(&mirror);
    other.metadata.uid = "other".to_owned();
    assert!(!known.drop_mirror(&other), "another one of that name");
    assert!(known.drop_mirror(&mirror));
}

#[tokio::test]
async fn a_manifest_behind_a_url_is_asked_for_again() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/manifest", listener.local_addr().unwrap());
    let answers = ["500 no", "200 ok", "200 ok", "200 ok"];
    let bodies = ["", POD, "rubbish", &POD.replace("web:1", "web:2")];
    let (put, mut got) = tokio::sync::mpsc::unbounded_channel();
    let put: Put = Arc::new(move |pods: Vec<Arc<Pod>>| {
        let images: Vec<String> = pods.iter().map(|pod| pod.spec.containers[0].image.clone()).collect();
        put.send(images).unwrap();
    });
    let serve = async {
        for (answer, body) in answers.into_iter().zip(bodies) {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /manifest HTTP/1.1\r\n"));
            let head = format!("HTTP/1.1 {answer}\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        std::future::pending::<()>().await;
    };
    let expected: [Vec<String>; 3] = [vec![], vec!["web:1".to_owned()], vec!["web:2".to_owned()]];
    let check = async {
        for images in expected {
            assert_eq!(got.recv().await.unwrap(), images);
        }
    };
    tokio::select! {
        () = check => {}
        () = serve => {}
        () = url::follow(url, Duration::from_millis(20), Place { source: "http", ..place() }, put) => {}
    }
}
