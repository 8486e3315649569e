//! What containers see of config maps, secrets, tokens and their pod, on real Docker.

use std::time::{Duration, Instant};

use keelson_tests::docker::{self, BUSYBOX};
use keelson_tests::{Kubectl, Running, Session, Up, assert_eventually};
use serde_json::{Value, json};

/// A cluster on Docker, and somebody who works with it.
struct Lab {
    kubectl: Session,
    // Dropped after the session, in this order: the process, then what it left.
    _running: Running,
    _up: Up,
}

fn lab() -> Lab {
    docker::load_busybox();
    let up = Up::docker();
    let running = up.start();
    let kubectl = Kubectl::newest().in_new_namespace(running.target(), "volumes");
    Lab { kubectl, _running: running, _up: up }
}

/// A pod of one container that runs a script, with volumes mounted at `/<name>`.
fn script(name: &str, script: &str, volumes: &Value) -> Value {
    let mounts = volumes.as_array().unwrap().iter().map(|volume| {
        let name = volume["name"].as_str().unwrap();
        json!({"name": name, "mountPath": format!("/{name}")})
    });
    let mounts: Vec<_> = mounts.collect();
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never", "volumes": volumes, "containers": [{
            "name": "main", "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", script],
            "volumeMounts": mounts,
        }]},
    })
}

impl Lab {
    fn create(&self, object: &Value) {
        self.kubectl.ok_with("create -f -", &object.to_string());
    }

    fn status(&self, pod: &str) -> Value {
        self.kubectl.json(&format!("get pod {pod}"))["status"].clone()
    }

    /// What the pod's one container said, once it has ended well.
    fn said(&self, pod: &str) -> String {
        let phase = || self.status(pod)["phase"].clone();
        assert_eventually!(phase() == "Succeeded", "{pod} has not ended well: {:#}", self.status(pod));
        self.kubectl.ok(&format!("logs {pod}"))
    }

    fn waits(&self, pod: &str, reason: &str) -> String {
        let waiting = || self.status(pod)["containerStatuses"][0]["state"]["waiting"].clone();
        assert_eventually!(waiting()["reason"] == reason, "{pod} does not wait: {:#}", self.status(pod));
        waiting()["message"].as_str().unwrap_or_default().to_owned()
    }
}

#[test]
fn a_change_of_a_config_map_reaches_a_running_container_within_a_second() {
    let lab = lab();
    lab.kubectl.ok("create configmap paint --from-literal=color=blue");
    let watch = "last=; while :; do now=$(cat /paint/color); [ \"$now\" = \"$last\" ] || echo color $now; last=$now; sleep 0.02; done";
    lab.create(&script("painter", watch, &json!([{"name": "paint", "configMap": {"name": "paint"}}])));
    assert_eventually!(lab.status("painter")["phase"] == "Running", "{:#}", lab.status("painter"));
    let mut follow = lab.kubectl.stream("logs -f painter");
    follow.until_contains("color blue");
    for color in ["red", "green", "white"] {
        lab.kubectl.ok(&format!("patch configmap paint -p {{\"data\":{{\"color\":\"{color}\"}}}}"));
        let changed = Instant::now();
        follow.until_contains(&format!("color {color}"));
        let took = changed.elapsed();
        assert!(took < Duration::from_secs(1), "{color} took {took:?}");
    }
    lab.kubectl.ok("delete pod painter --wait=false");
}

#[test]
fn secrets_are_files_in_memory_and_variables() {
    let lab = lab();
    lab.kubectl.ok("create secret generic door --from-literal=code=hush --from-literal=owner=ann");
    lab.kubectl.ok("create configmap paint --from-literal=color=blue");
    let look = "ls -lL /door; grep ' /door ' /proc/mounts; cat /door/in/code; echo; echo x > /door/y; \
                echo $CODE $P_color $OWNER; exit 0";
    let secret = json!({"secretName": "door", "defaultMode": 0o400, "items": [
        {"key": "code", "path": "in/code", "mode": 0o440}, {"key": "owner", "path": "owner"}]});
    let mut pod = script("looks", look, &json!([{"name": "door", "secret": secret}]));
    let main = &mut pod["spec"]["containers"][0];
    main["envFrom"] = json!([{"prefix": "P_", "configMapRef": {"name": "paint"}},
                             {"secretRef": {"name": "none", "optional": true}}]);
    main["env"] = json!([
        {"name": "CODE", "valueFrom": {"secretKeyRef": {"name": "door", "key": "code"}}},
        {"name": "OWNER", "value": "owned by $(P_color)"},
    ]);
    lab.create(&pod);
    let said = lab.said("looks");
    assert!(said.contains("-r--------") && said.contains("owner"), "{said}");
    assert!(said.contains("tmpfs /door tmpfs ro"), "{said}");
    assert!(said.contains("hush\n") && said.contains("hush blue owned by blue\n"), "{said}");
    assert!(said.contains("Read-only file system"), "nobody writes there: {said}");
}

#[test]
fn pods_wait_for_what_they_name_and_go_on_at_once() {
    let lab = lab();
    lab.create(&script(
        "mounts",
        "cat /paint/taste",
        &json!([{"name": "paint", "configMap": {"name": "paint"}}]),
    ));
    let mut reads = script("reads", "echo $COLOR", &json!([]));
    let from = json!({"configMapKeyRef": {"name": "paint", "key": "color"}});
    reads["spec"]["containers"][0]["env"] = json!([{"name": "COLOR", "valueFrom": from}]);
    lab.create(&reads);
    assert_eq!(lab.waits("reads", "CreateContainerConfigError"), "configmap \"paint\" not found");
    let message = lab.waits("mounts", "ContainerCreating");
    assert_eq!(message, "MountVolume.SetUp failed for volume \"paint\" : configmap \"paint\" not found");
    let events = || lab.kubectl.ok("describe pod mounts");
    assert_eventually!(events().contains("FailedMount"), "{}", events());
    lab.kubectl.ok("create configmap paint --from-literal=taste=sour");
    let key = "couldn't find key color in ConfigMap";
    assert_eventually!(
        lab.waits("reads", "CreateContainerConfigError").starts_with(key),
        "{:#}",
        lab.status("reads")
    );
    lab.kubectl.ok("patch configmap paint -p {\"data\":{\"color\":\"blue\"}}");
    assert_eq!(lab.said("reads"), "blue\n");
    lab.said("mounts");
}

#[test]
fn a_sub_path_never_leads_out_of_its_volume() {
    let lab = lab();
    let setup = "mkdir -p /v/deep && echo inside > /v/deep/file && ln -s /etc /v/evil && ln -s deep /v/good";
    let init = json!({"name": "init", "image": BUSYBOX, "imagePullPolicy": "Never",
        "command": ["sh", "-c", setup.replace("mkdir", "/bin/busybox mkdir").replace("ln ", "/bin/busybox ln ")],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}]});
    let pod = |name: &str, sub_path: &str| {
        let mut pod = script(name, "cat /v/file; ls /v", &json!([{"name": "v", "emptyDir": {}}]));
        pod["spec"]["initContainers"] = json!([init]);
        pod["spec"]["containers"][0]["volumeMounts"][0]["subPath"] = json!(sub_path);
        pod
    };
    lab.create(&pod("good", "good"));
    lab.create(&pod("evil", "evil"));
    assert_eq!(lab.said("good"), "inside\nfile\n");
    let message = lab.waits("evil", "CreateContainerConfigError");
    assert!(message.contains("subPath \"evil\" must stay inside its volume"), "{message}");
}

#[test]
fn a_pod_knows_itself_its_token_and_its_names() {
    let lab = lab();
    lab.kubectl.ok("create configmap paint --from-literal=color=blue");
    let projected = json!({"sources": [
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"configMap": {"name": "paint", "items": [{"key": "color", "path": "paint/color"}]}},
        {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}},
    ]});
    let look = "cat /all/labels; echo; cat /all/paint/color; echo; cat /all/token; echo; cat /etc/hosts; hostname; \
                while ! grep changed /all/labels; do sleep 0.05; done";
    let mut pod = script("me", look, &json!([{"name": "all", "projected": projected}]));
    pod["spec"]["subdomain"] = json!("family");
    pod["spec"]["setHostnameAsFQDN"] = json!(true);
    pod["spec"]["hostAliases"] = json!([{"ip": "10.9.8.7", "hostnames": ["friend", "old-friend"]}]);
    lab.create(&pod);
    assert_eventually!(lab.status("me")["phase"] == "Running", "{:#}", lab.status("me"));
    lab.kubectl.ok("label pod me state=changed");
    let said = lab.said("me");
    assert!(said.contains("app=\"me\"\nblue\n") && said.contains("state=\"changed\""), "{said}");
    let dots = said.lines().filter(|line| line.split('.').count() == 3 && line.starts_with("ey")).count();
    assert_eq!(dots, 1, "a token has three parts: {said}");
    assert!(said.contains("# Kubernetes-managed hosts file."), "{said}");
    assert!(said.contains("10.9.8.7\tfriend\told-friend"), "{said}");
    let ip = lab.status("me")["podIP"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("me.family.volumes"), "{said} {ip}");
}

#[test]
fn a_label_given_to_the_node_lets_in_whom_it_is_for() {
    let lab = lab();
    let mut pod = script("picky", "echo here", &json!([]));
    pod["spec"]["nodeSelector"] = json!({"disk": "fast"});
    lab.create(&pod);
    lab.kubectl.ok("label node node-1 disk=fast");
    assert_eq!(lab.said("picky"), "here\n");
}
