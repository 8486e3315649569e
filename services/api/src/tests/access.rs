//! Who gets in, and what they may do: certificates, tokens, passwords, roles.

use keelson_base_client::{Api, Client, ForwardedUser, ListParams};
use keelson_base_model::status::Reason;
use keelson_proto::Object;
use keelson_proto::authentication::{BoundObjectReference, SelfSubjectReview, TokenRequest, TokenReview};
use keelson_proto::authorization::{SelfSubjectRulesReview, SubjectAccessReview};
use keelson_proto::core::{Namespace, Node, Pod, Secret, ServiceAccount};
use keelson_proto::meta::DeleteOptions;
use keelson_proto::rbac::{ClusterRole, Role, RoleBinding};
use keelson_proto::v1::{CreateTokenRequest, IssuerRequest, IssuerResponse};
use serde_json::{Value, json};

use super::{Fixture, mk_pod};
use crate::{AuthConfig, GATEWAY};

/// An api with a signing key, and users in files.
async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let key = rcgen_key();
    let auth = AuthConfig {
        token_auth_file: Some(file("tokens", "hush,ann,1,\"dev\"\n")),
        basic_auth_file: Some(file("passwords", "quiet,bob,2\n")),
        service_account_signing_key_file: Some(file("sa.key", &key)),
        audit_log_path: Some(dir.path().join("audit.log")),
        ..AuthConfig::default()
    };
    Fixture::guarded(dir, auth).await
}

/// A key for this test.
fn rcgen_key() -> String {
    use base64::Engine as _;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    let random = ring::rand::SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let body = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

impl Fixture {
    /// A client whose user brings this `Authorization` header, by way of the gateway.
    fn bearing(&self, credential: &str) -> Client {
        self.client_of(GATEWAY, "").acting_for(ForwardedUser::try_credential(credential).unwrap())
    }
}

fn mk<K: Object>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

async fn ask<K: Object>(client: &Client, review: Value) -> K {
    client.api::<K>().create(&mk(review)).await.unwrap()
}

async fn who(client: &Client) -> Result<String, Reason> {
    let review = client.api::<SelfSubjectReview>().create(&SelfSubjectReview::default()).await;
    review.map(|review| review.status.user_info.username).map_err(|error| error.reason())
}

fn pods(client: &Client) -> Api<Pod> {
    client.api::<Pod>().namespaced("default")
}

/// Makes an account and asks for a token of it.
async fn token(fixture: &Fixture, name: &str, spec: Value) -> Result<String, keelson_base_client::ApiError> {
    let admin = fixture.client();
    let account: ServiceAccount = mk(json!({"metadata": {"name": name, "namespace": "default"}}));
    match admin.api::<ServiceAccount>().create(&account).await {
        Err(error) if !error.is_already_exists() => return Err(error),
        _ => {}
    }
    let object = mk::<TokenRequest>(json!({"spec": spec}));
    let request = CreateTokenRequest {
        namespace: "default".into(),
        name: name.into(),
        object: Some(object),
        options: None,
    };
    let made: TokenRequest = admin.raw(ServiceAccount::KIND.service).unary("CreateToken", &request).await?;
    Ok(made.status.token)
}

#[tokio::test]
async fn tokens_and_passwords_of_files_are_users_and_others_nobody() {
    let fixture = fixture().await;
    assert_eq!(who(&fixture.bearing("Bearer hush")).await, Ok("ann".into()));
    // base64 of bob:quiet
    assert_eq!(who(&fixture.bearing("Basic Ym9iOnF1aWV0")).await, Ok("bob".into()));
    for wrong in ["Bearer loud", "Basic Ym9iOmxvdWQ=", "Digest x", "Bearer ey.ey.ey"] {
        assert_eq!(who(&fixture.bearing(wrong)).await, Err(Reason::Unauthorized), "{wrong}");
    }
    let nobody = ForwardedUser::try_new("system:anonymous", ["system:unauthenticated"]).unwrap();
    let nobody = fixture.client_of(GATEWAY, "").acting_for(nobody);
    let refused = pods(&nobody).get("x").await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Forbidden);
    assert!(
        refused.message().contains("User \"system:anonymous\" cannot get resource \"pods\""),
        "{refused}"
    );
}

#[tokio::test]
async fn roles_count_as_soon_as_they_are_written() {
    let fixture = fixture().await;
    let (admin, ann) = (fixture.client(), fixture.bearing("Bearer hush"));
    let all = ListParams::default();
    assert_eq!(pods(&ann).list(&all).await.unwrap_err().reason(), Reason::Forbidden);
    let rules = json!([{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]);
    let role = json!({"metadata": {"name": "lister", "namespace": "default"}, "rules": rules});
    admin.api::<Role>().create(&mk(role)).await.unwrap();
    let binding = json!({
        "metadata": {"name": "listers", "namespace": "default"},
        "roleRef": {"kind": "Role", "name": "lister"},
        "subjects": [{"kind": "Group", "name": "dev"}],
    });
    admin.api::<RoleBinding>().create(&mk(binding)).await.unwrap();
    fixture.caught_up().await;
    pods(&ann).list(&all).await.unwrap();
    assert_eq!(pods(&ann).create(&mk_pod("a")).await.unwrap_err().reason(), Reason::Forbidden);

    let review: SubjectAccessReview = ask(
        &admin,
        json!({"spec": {"user": "x", "groups": ["dev"], "resourceAttributes":
            {"verb": "list", "resource": "pods", "namespace": "default"}}}),
    )
    .await;
    assert!(review.status.allowed);
    assert!(review.status.reason.contains("RoleBinding \"default/listers\""), "{}", review.status.reason);
    let held: SelfSubjectRulesReview = ask(&ann, json!({"spec": {"namespace": "default"}})).await;
    assert!(held.status.resource_rules.iter().any(|rule| rule.resources == ["pods"]));
    assert!(!held.status.incomplete);
    let refused = ann.api::<SubjectAccessReview>().create(&SubjectAccessReview::default()).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::Forbidden);
}

#[tokio::test]
async fn nobody_writes_a_role_with_more_than_he_has() {
    let fixture = fixture().await;
    let (admin, ann) = (fixture.client(), fixture.bearing("Bearer hush"));
    let binding = json!({
        "metadata": {"name": "admins", "namespace": "default"},
        "roleRef": {"kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "User", "name": "ann"}],
    });
    admin.api::<RoleBinding>().create(&mk(binding.clone())).await.unwrap();
    fixture.caught_up().await;
    let role = |resource: &str| {
        let rules = json!([{"verbs": ["get"], "apiGroups": [""], "resources": [resource]}]);
        mk::<Role>(json!({"metadata": {"name": resource, "namespace": "default"}, "rules": rules}))
    };
    ann.api::<Role>().create(&role("pods")).await.unwrap();
    let refused = ann.api::<Role>().create(&role("nodes")).await.unwrap_err();
    assert!(
        refused.message().contains("attempting to grant RBAC permissions not currently held"),
        "{refused}"
    );
    let mut binding: RoleBinding = mk(binding);
    binding.metadata.name = "more".into();
    binding.role_ref.name = "cluster-admin".into();
    let refused = ann.api::<RoleBinding>().create(&binding).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Forbidden);
}

#[tokio::test]
async fn the_default_roles_are_there_and_gathered_anew_when_a_part_changes() {
    let fixture = fixture().await;
    let roles = fixture.client().api::<ClusterRole>();
    let view = roles.get("view").await.unwrap();
    assert!(!view.rules.is_empty() && view.aggregation_rule.is_some());
    let more = json!({
        "metadata": {"name": "more", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["shoes"]}],
    });
    roles.create(&mk(more)).await.unwrap();
    let has = |role: &ClusterRole| role.rules.iter().any(|rule| rule.resources == ["shoes"]);
    for name in ["view", "edit", "admin"] {
        let mut role = roles.get(name).await.unwrap();
        for _ in 0..200 {
            if has(&role) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            role = roles.get(name).await.unwrap();
        }
        assert!(has(&role), "{name}");
    }
}

#[tokio::test]
async fn a_bound_token_ends_with_what_it_is_bound_to() {
    let fixture = fixture().await;
    let admin = fixture.client();
    let mut pod = mk_pod("worker");
    pod.spec.service_account_name = "robot".into();
    token(&fixture, "robot", json!({"audiences": []})).await.unwrap();
    let pod = pods(&admin).create(&pod).await.unwrap();
    let bound = json!({
        "audiences": [], "expirationSeconds": 600,
        "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "worker", "uid": pod.metadata.uid},
    });
    let token_of = |spec: &Value| token(&fixture, "robot", spec.clone());
    let bearer = token_of(&bound).await.unwrap();
    let user = fixture.bearing(&format!("Bearer {bearer}"));
    assert_eq!(who(&user).await, Ok("system:serviceaccount:default:robot".into()));
    let review: TokenReview = ask(&admin, json!({"spec": {"token": bearer}})).await;
    assert!(review.status.authenticated);
    let info = &review.status.user;
    assert_eq!(info.extra["authentication.kubernetes.io/pod-name"].items, ["worker"]);
    assert!(info.groups.contains(&"system:serviceaccounts:default".to_owned()));
    let other: TokenReview = ask(&admin, json!({"spec": {"token": bearer, "audiences": ["vault"]}})).await;
    assert!(
        !other.status.authenticated && other.status.error.contains("audiences"),
        "{}",
        other.status.error
    );

    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    pods(&admin).delete("worker", now.clone()).await.unwrap();
    fixture.caught_up().await;
    assert_eq!(who(&user).await, Err(Reason::Unauthorized));
    assert_eq!(token_of(&bound).await.unwrap_err().reason(), Reason::NotFound);

    let bearer = token_of(&json!({"audiences": []})).await.unwrap();
    let user = fixture.bearing(&format!("Bearer {bearer}"));
    who(&user).await.unwrap();
    admin.api::<ServiceAccount>().namespaced("default").delete("robot", now).await.unwrap();
    fixture.caught_up().await;
    assert_eq!(who(&user).await, Err(Reason::Unauthorized));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_for_a_token_is_told() {
    let fixture = fixture().await;
    for (spec, reason, told) in [
        (json!({"audiences": [], "expirationSeconds": 5}), Reason::Invalid, "less than 10 minutes"),
        (json!({"audiences": [], "expirationSeconds": 0}), Reason::Invalid, "less than 10 minutes"),
        (
            json!({"audiences": [], "boundObjectRef": {"kind": "Service", "apiVersion": "v1", "name": "a"}}),
            Reason::BadRequest,
            "cannot bind token to object of type v1, Kind=Service",
        ),
    ] {
        let error = token(&fixture, "robot", spec).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.message().contains(told), "{error}");
    }
    let documents: IssuerResponse =
        fixture.client().raw(ServiceAccount::KIND.service).unary("Issuer", &IssuerRequest {}).await.unwrap();
    let keys: Value = serde_json::from_str(&documents.keys).unwrap();
    assert_eq!(keys["keys"][0]["alg"], "ES256");
}

#[tokio::test]
async fn a_token_in_a_secret_lives_as_long_as_the_secret_holds_it() {
    let fixture = fixture().await;
    let admin = fixture.client();
    token(&fixture, "robot", json!({"audiences": []})).await.unwrap();
    let secrets = admin.api::<Secret>().namespaced("default");
    let secret = json!({
        "metadata": {"name": "robot-token", "namespace": "default",
            "annotations": {"kubernetes.io/service-account.name": "robot"}},
        "type": "kubernetes.io/service-account-token",
    });
    let mut secret = secrets.create(&mk(secret)).await.unwrap();
    let spec = json!({
        "audiences": [], "expirationSeconds": 0,
        "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "robot-token", "uid": secret.metadata.uid},
    });
    let bearer = token(&fixture, "robot", spec).await.unwrap();
    let user = fixture.bearing(&format!("Bearer {bearer}"));
    assert_eq!(who(&user).await, Err(Reason::Unauthorized), "the secret does not hold it yet");
    secret.data.insert("token".into(), bearer.clone().into_bytes());
    secrets.update(&secret).await.unwrap();
    fixture.caught_up().await;
    assert_eq!(who(&user).await, Ok("system:serviceaccount:default:robot".into()));
    secrets.delete("robot-token", DeleteOptions::default()).await.unwrap();
    fixture.caught_up().await;
    assert_eq!(who(&user).await, Err(Reason::Unauthorized));
}

#[tokio::test]
async fn a_kubelet_gets_tokens_for_its_own_pods_only() {
    let fixture = fixture().await;
    let admin = fixture.client();
    let node = |name: &str| mk::<Node>(json!({"metadata": {"name": name}}));
    admin.api::<Node>().create(&node("n1")).await.unwrap();
    token(&fixture, "robot", json!({"audiences": []})).await.unwrap();
    let ask = |node: &str, pod: Option<&Pod>| {
        let client = fixture.client_of(&format!("system:node:{node}"), "system:nodes");
        let mut object = TokenRequest::default();
        object.spec.bound_object_ref = pod.map(|pod| BoundObjectReference {
            kind: "Pod".into(),
            api_version: "v1".into(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
        });
        let (namespace, name) = ("default".into(), "robot".into());
        let request = CreateTokenRequest { namespace, name, object: Some(object), options: None };
        async move {
            let api = client.raw(ServiceAccount::KIND.service);
            let made: Result<TokenRequest, _> = api.unary("CreateToken", &request).await;
            made.map(|made| made.status.token).map_err(|error| error.reason())
        }
    };
    let mut pod = mk_pod("mine");
    pod.spec.service_account_name = "robot".into();
    let pod = pods(&admin).create(&pod).await.unwrap();
    pods(&admin).bind(&pod, "n1").await.unwrap();
    assert!(ask("n1", Some(&pod)).await.is_ok());
    assert_eq!(ask("n2", Some(&pod)).await, Err(Reason::Forbidden));
    assert_eq!(ask("n1", None).await, Err(Reason::Forbidden));
}

#[tokio::test]
async fn whoever_may_acts_as_somebody_else() {
    let fixture = fixture().await;
    let acting = |base: ForwardedUser, headers: &[(&str, &str)]| {
        let mut user = base;
        for (name, value) in headers {
            user = user.try_with(name, value).unwrap();
        }
        fixture.client_of(GATEWAY, "").acting_for(user)
    };
    let admin = || ForwardedUser::try_new("root", ["system:masters"]).unwrap();
    let ann = || ForwardedUser::try_credential("Bearer hush").unwrap();
    let as_bob = [("Impersonate-User", "bob"), ("Impersonate-Group", "dev")];
    assert_eq!(who(&acting(admin(), &as_bob)).await, Ok("bob".into()));
    assert_eq!(pods(&acting(admin(), &as_bob)).get("x").await.unwrap_err().reason(), Reason::Forbidden);
    assert_eq!(who(&acting(ann(), &as_bob)).await, Err(Reason::Forbidden));
    let robot = [("Impersonate-User", "system:serviceaccount:default:robot")];
    assert_eq!(who(&acting(admin(), &robot)).await, Ok("system:serviceaccount:default:robot".into()));
    assert_eq!(who(&acting(admin(), &[("Impersonate-Group", "dev")])).await, Err(Reason::BadRequest));
}

#[tokio::test]
async fn requests_are_written_down_without_what_was_sent() {
    let fixture = fixture().await;
    let ann = fixture.bearing("Bearer hush");
    let secret = json!({"metadata": {"name": "s", "namespace": "default"}, "stringData": {"a": "treasure"}});
    fixture.client().api::<Secret>().create(&mk(secret.clone())).await.unwrap();
    ann.api::<Secret>().create(&mk(secret)).await.unwrap_err();
    fixture.client().api::<Namespace>().get("default").await.unwrap();
    let path = fixture.dir.path().join("audit.log");
    let mut text = String::new();
    for _ in 0..200 {
        text = std::fs::read_to_string(&path).unwrap();
        if text.lines().count() >= 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(!text.contains("treasure") && !text.contains("hush"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |line: &Value| {
        let text = |path: &str| line.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        (
            text("/user/username"),
            text("/verb"),
            text("/objectRef/resource"),
            line["responseStatus"]["code"].as_u64(),
        )
    };
    let expected = [
        ("system:admin", "create", "secrets", 201),
        ("ann", "create", "secrets", 403),
        ("system:admin", "get", "namespaces", 200),
    ];
    for (user, verb, resource, code) in expected {
        let wanted = (user.to_owned(), verb.to_owned(), resource.to_owned(), Some(code));
        assert!(lines.iter().any(|line| told(line) == wanted), "{wanted:?} in {text}");
    }
    assert_eq!(lines[0]["apiVersion"], "audit.k8s.io/v1");
}
