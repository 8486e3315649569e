//! Who may do what, as kubectl's users meet it: roles, `auth`, tokens, acting as others.

use keelson_tests::{Curl, Grpcurl, InProcess, Kubectl, Session, Target, assert_eventually};
use serde_json::json;

/// kubectl from which on there is `create token`, and `auth whoami` by the API's own version.
const TOKENS: u32 = 24;
const WHOAMI: u32 = 28;

/// Tells a chapter with every kubectl, each in a namespace of its own of the same cluster.
#[track_caller]
fn with_every_kubectl(chapter: fn(&Target, &Session)) {
    let cluster = InProcess::start();
    for kubectl in Kubectl::all() {
        eprintln!("with kubectl 1.{}", kubectl.minor);
        let namespace = format!("access-{}", kubectl.minor);
        let session = kubectl.in_new_namespace(cluster.target(), &namespace);
        chapter(cluster.target(), &session);
    }
}

#[test]
fn roles_are_created_bound_and_counted() {
    with_every_kubectl(|_, session| {
        let space = &session.namespace;
        let as_ann = |line: &str| format!("{line} --as ann --as-group dev");
        let refused = session.fails(&as_ann("get pods"));
        let told = format!(
            "pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\" in the namespace \"{space}\""
        );
        assert!(refused.contains(&told), "{refused}");
        assert_eq!(session.run(&as_ann("auth can-i list pods"), "").stdout.trim(), "no");

        session.ok("create role reader --verb=get,list,watch --resource=pods,pods/log");
        session.ok("create rolebinding readers --role=reader --group=dev");
        assert_eventually!(
            session.run(&as_ann("auth can-i list pods"), "").stdout.trim() == "yes",
            "no right"
        );
        session.ok(&as_ann("get pods"));
        assert!(session.fails(&as_ann("delete pod x")).contains("cannot delete resource \"pods\""));
        let listed = session.ok(&as_ann("auth can-i --list"));
        assert!(listed.contains("pods/log") && listed.contains("selfsubjectaccessreviews"), "{listed}");

        let table = session.table("get rolebindings -o wide");
        assert_eq!(table.cell("readers", "ROLE"), "Role/reader");
        assert_eq!(table.cell("readers", "GROUPS"), "dev");
        let described = session.ok("describe role reader");
        assert!(described.contains("pods/log"), "{described}");

        let cluster = format!("{space}-reader");
        session.ok(&format!("create clusterrole {cluster} --verb=get --non-resource-url=/metrics"));
        session.ok(&format!("create clusterrolebinding {cluster} --clusterrole={cluster} --user=bob"));
        assert_eventually!(
            session.run("auth can-i get /metrics --as bob", "").stdout.trim() == "yes",
            "bob has no right"
        );
        session.ok(&format!("delete clusterrolebinding,clusterrole {cluster}"));
    });
}

#[test]
fn nobody_hands_on_more_than_he_has() {
    with_every_kubectl(|_, session| {
        session.ok("create rolebinding admins --clusterrole=admin --user=ann");
        assert_eventually!(session.run("get roles --as ann", "").success, "ann is no admin");
        session.ok("create role some --verb=get --resource=pods --as ann");
        let refused = session.fails("create role more --verb=get --resource=nodes --as ann");
        assert!(refused.contains("permissions not currently held"), "{refused}");
        let refused =
            session.fails("create rolebinding more --clusterrole=cluster-admin --user=ann --as ann");
        assert!(refused.contains("permissions not currently held"), "{refused}");
    });
}

#[test]
fn roles_are_reconciled() {
    with_every_kubectl(|_, session| {
        let rules = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]);
        // Reconciling takes no namespace from the command line.
        let meta = json!({"name": "kept", "namespace": session.namespace});
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": rules,
        });
        let binding = |subject: &str| {
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "kept"},
                "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": subject}],
            })
        };
        session.ok_with("auth reconcile -f -", &role.to_string());
        session.ok_with("auth reconcile -f -", &binding("ann").to_string());
        session.ok_with("auth reconcile -f -", &binding("bob").to_string());
        let kept = session.json("get rolebinding kept");
        let names: Vec<_> = kept["subjects"].as_array().unwrap().iter().map(|of| &of["name"]).collect();
        assert_eq!(names, ["ann", "bob"]);
        session.ok("create rolebinding other --role=kept --user=ann --dry-run=server");
        let patch = json!({"roleRef": {"name": "other"}});
        let refused = session.fails(&format!("patch rolebinding kept --type=merge -p '{patch}'"));
        assert!(refused.contains("cannot change roleRef"), "{refused}");
    });
}

#[test]
fn a_token_of_an_account_gets_in_and_does_what_the_account_may() {
    with_every_kubectl(|target, session| {
        if session.kubectl.minor < TOKENS {
            return;
        }
        let space = &session.namespace;
        session.ok("create serviceaccount robot");
        session.ok(&format!("create rolebinding robots --clusterrole=view --serviceaccount={space}:robot"));
        let token = session.ok("create token robot --duration=10m");
        let access = format!(
            "--kubeconfig /dev/null --server {} --certificate-authority {} --token {}",
            target.server(),
            target.ca().display(),
            token.trim()
        );
        assert_eventually!(
            session.run(&format!("{access} get pods"), "").success,
            "the account sees no pods"
        );
        let refused = session.fails(&format!("{access} get secrets"));
        let user = format!("system:serviceaccount:{space}:robot");
        assert!(refused.contains(&format!("User \"{user}\" cannot list resource \"secrets\"")), "{refused}");
        if session.kubectl.minor >= WHOAMI {
            let who = session.ok(&format!("{access} auth whoami"));
            assert!(who.contains(&user) && who.contains("system:serviceaccounts"), "{who}");
            assert!(session.ok("auth whoami").contains("system:masters"));
        }
        let broken = access.replace(token.trim(), &format!("{}x", token.trim()));
        assert!(session.fails(&format!("{broken} get pods")).contains("logged in"), "a broken token");
        session.ok("delete serviceaccount robot");
        assert_eventually!(
            session.run(&format!("{access} get pods"), "").stderr.contains("Unauthorized")
                || session.run(&format!("{access} get pods"), "").stderr.contains("logged in"),
            "the account is gone, and its token is good"
        );
    });
}

#[test]
fn nobody_in_particular_sees_health_and_version_and_no_more() {
    let cluster = InProcess::start();
    let target = cluster.target();
    let stranger = Curl::new(target).without_certificate();
    assert_eq!(stranger.get("/version").code, 200);
    assert_eq!(stranger.get("/healthz").code, 200);
    for path in ["/metrics", "/api", "/apis", "/openapi/v2"] {
        let refused = stranger.get(path);
        assert_eq!(refused.code, 403, "{path}");
        let told = format!("User \\\"system:anonymous\\\" cannot get path \\\"{path}\\\"");
        assert!(refused.body.contains(&told), "{}", refused.body);
    }
    let refused = stranger.get("/api/v1/namespaces/default/pods");
    assert_eq!(refused.code, 403);
    assert!(refused.body.contains("system:anonymous"), "{}", refused.body);
    let refused =
        Curl::new(target).without_certificate().header("Authorization: Bearer hush").get("/version");
    assert_eq!(refused.code, 401);
    let admin = Curl::new(target);
    assert_eq!(admin.get("/metrics").code, 200);
    let keys = admin.get("/openid/v1/jwks");
    assert!(keys.code == 200 && keys.body.contains("\"ES256\""), "{}", keys.body);
    assert!(admin.get("/.well-known/openid-configuration").body.contains("jwks_uri"));

    let closed = InProcess::start_with(|config| config.api.auth.anonymous_auth = false);
    let stranger = Curl::new(closed.target()).without_certificate();
    assert_eq!(stranger.get("/version").code, 401);
    assert_eq!(stranger.get("/api/v1/namespaces/default/pods").code, 401);
    assert_eq!(stranger.get("/healthz").code, 200);
}

#[test]
fn a_token_is_as_good_over_grpc() {
    let cluster = InProcess::start();
    let target = cluster.target();
    let (kubectl, grpcurl) = (Kubectl::newest().session(target), Grpcurl::new(target));
    let list = |headers: &[String]| grpcurl.with_headers(headers, "List");
    assert!(list(&[]).fails().contains("system:anonymous"), "nobody lists pods");
    let wrong = list(&["authorization: Bearer hush".to_owned()]).fails();
    assert!(wrong.contains("Unauthenticated"), "{wrong}");
    kubectl.ok("create serviceaccount robot");
    let bearer = format!("authorization: Bearer {}", kubectl.ok("create token robot").trim());
    let refused = list(std::slice::from_ref(&bearer)).fails();
    assert!(refused.contains("system:serviceaccount:default:robot"), "{refused}");
    kubectl.ok("create clusterrolebinding robots --clusterrole=view --serviceaccount=default:robot");
    assert_eventually!(list(std::slice::from_ref(&bearer)).success, "the account lists no pods");
    let admin = format!("x-remote-user: {}", "system:admin");
    assert!(list(&[bearer, admin]).fails().contains("may not speak for other users"));
}
