//! What a whole kubelet answers over HTTP.

use axum::body::Body;
use http_body_util::BodyExt as _;
use keelson_base_daemon::tls::Peer;
use tonic::codegen::Service as _;

use super::*;

/// Asks the kubelet's own port, as this user if any.
async fn ask(node: &TestNode, path: &str, user: Option<&str>) -> (u16, String) {
    let mut request = ::http::Request::get(path).body(Body::empty()).unwrap();
    if let Some(user) = user {
        request.extensions_mut().insert(Peer { common_name: user.to_owned(), organizations: vec![] });
    }
    let mut router = node.kubelet.as_ref().unwrap().answers.clone().guarded();
    let answer = router.call(request).await.unwrap();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn paths_of_old_and_of_today_are_answered() {
    let node = TestNode::new().await;
    node.run(&mk_pod("web", "web:1")).await;
    let table = [
        ("/pods", "\"kind\":\"PodList\""),
        ("/pods/", "\"phase\":\"Running\""),
        ("/runningpods", "\"name\":\"main\""),
        ("/spec", "\"num_cores\":"),
        ("/stats", "\"name\":\"/\""),
        ("/stats/default/web/main", "\"cpu\":{\"usage\":{\"total\":0}}"),
        ("/stats/default/web/uid-of-web/main", "\"cpu\":"),
        ("/stats/summary", "\"podRef\":{\"name\":\"web\",\"namespace\":\"default\",\"uid\":\"uid-of-web\"}"),
        ("/metrics/cadvisor", "container_cpu_usage_seconds_total{container=\"main\""),
        ("/containerLogs/default/web/main", "main attempt 0\n"),
        ("/containerLogs/default/web/main?limitBytes=4", "main"),
    ];
    for (path, wanted) in table {
        let (code, body) = ask(&node, path, Some("system:apiserver")).await;
        assert!(code == 200 && body.contains(wanted), "{path}: {code} {body}");
    }
    let table = [
        ("/stats/default/none/main", 404),
        ("/stats/default/web/none", 404),
        ("/stats/default/web/other-uid/main", 404),
        ("/containerLogs/default/none/main", 404),
        ("/containerLogs/default/web/none", 400),
        ("/containerLogs/default/web/main?tailLines=x", 400),
    ];
    for (path, wanted) in table {
        let (code, body) = ask(&node, path, Some("system:apiserver")).await;
        assert!(code == wanted && body.contains("\"kind\":\"Status\""), "{path}: {code} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn others_than_api_and_masters_learn_nothing() {
    let node = TestNode::new().await;
    for path in ["/pods", "/stats/summary", "/logs/", "/containerLogs/default/web/main"] {
        assert_eq!(ask(&node, path, None).await.0, 401, "{path}");
        assert_eq!(ask(&node, path, Some("system:node:n1")).await.0, 403, "{path}");
    }
}
