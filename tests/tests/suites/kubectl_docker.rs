//! Real pods: what only containers on Docker can show, through kubectl.

use keelson_tests::docker::{self, BUSYBOX};
use keelson_tests::{Kubectl, Running, Session, Up, assert_eventually};
use serde_json::{Value, json};

/// A cluster on Docker, and somebody who works with it.
struct Lab {
    kubectl: Session,
    // Dropped after the session, in this order: the process, then what it left.
    _running: Running,
    up: Up,
}

fn lab() -> Lab {
    docker::load_busybox();
    let up = Up::docker();
    let running = up.start();
    let kubectl = Kubectl::newest().in_new_namespace(running.target(), "lab");
    Lab { kubectl, _running: running, up }
}

/// A pod of one container that runs a script.
fn script(name: &str, script: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container("main", script)]},
    })
}

fn container(name: &str, script: &str) -> Value {
    json!({"name": name, "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", script]})
}

impl Lab {
    fn create(&self, object: &Value) {
        self.kubectl.ok_with("create -f -", &object.to_string());
    }

    fn status(&self, pod: &str) -> Value {
        self.kubectl.json(&format!("get pod {pod}"))["status"].clone()
    }

    fn reaches(&self, pod: &str, phase: &str) {
        assert_eventually!(
            self.status(pod)["phase"] == phase,
            "{pod} is not {phase}: {:#}",
            self.status(pod)
        );
    }

    /// The app containers of a pod, as Docker knows them.
    fn containers(&self, pod: &str) -> Vec<docker::Container> {
        let all = docker::containers(&self.up.cluster_id());
        all.into_iter().filter(|container| container.pod == pod && container.role == "app").collect()
    }
}

#[test]
fn logs_of_containers_now_before_and_as_they_come() {
    let lab = lab();
    lab.create(&script("talker", "for i in 1 2 3; do echo line $i; done; echo oops >&2; sleep 600"));
    lab.reaches("talker", "Running");
    assert_eventually!(lab.kubectl.ok("logs talker").lines().count() == 4, "not four lines");
    let logs = lab.kubectl.ok("logs talker");
    // Each stream is in order; Docker promises nothing about one and the other.
    let lines: Vec<&str> = logs.lines().filter(|line| line.starts_with("line")).collect();
    assert_eq!(lines, ["line 1", "line 2", "line 3"], "{logs}");
    assert!(logs.contains("oops\n"), "{logs}");
    assert_eq!(lab.kubectl.ok("logs talker --tail=1").lines().count(), 1);
    let stamped = lab.kubectl.ok("logs talker --timestamps --tail=1");
    assert!(stamped.starts_with("20") && stamped.contains("Z "), "{stamped}");

    let mut two = script("two", "sleep 600");
    two["spec"]["containers"] =
        json!([container("a", "echo I am a; sleep 600"), container("b", "echo I am b; sleep 600")]);
    lab.create(&two);
    lab.reaches("two", "Running");
    assert_eventually!(lab.kubectl.ok("logs two -c b") == "I am b\n", "b says nothing");
    assert_eventually!(lab.kubectl.ok("logs two -c a") == "I am a\n", "a says nothing");
    let absent = lab.kubectl.fails("logs two -c c");
    assert!(absent.contains("container c is not valid for pod two"), "{absent}");

    lab.create(&script(
        "counter",
        "i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo count $i; sleep 0.2; done",
    ));
    lab.reaches("counter", "Running");
    let mut follow = lab.kubectl.stream("logs -f counter");
    follow.until_contains("count 1");
    follow.until_contains("count 9");
    lab.kubectl.ok("delete pod counter --wait=false");
    assert!(follow.ended().success(), "following ends with the container: {}", follow.said());
}

#[test]
fn containers_restart_as_their_policy_says() {
    let lab = lab();
    let mut again = script("again", "echo run; sleep 1; exit 3");
    again["spec"]["restartPolicy"] = json!("Always");
    lab.create(&again);
    for (name, code, policy) in [("succeeds", 0, "Never"), ("fails", 7, "Never"), ("once", 0, "OnFailure")] {
        let mut pod = script(name, &format!("exit {code}"));
        pod["spec"]["restartPolicy"] = json!(policy);
        lab.create(&pod);
    }
    lab.reaches("succeeds", "Succeeded");
    lab.reaches("once", "Succeeded");
    lab.reaches("fails", "Failed");
    let terminated = lab.status("fails")["containerStatuses"][0]["state"]["terminated"].clone();
    assert_eq!(
        (&terminated["exitCode"], &terminated["reason"]),
        (&json!(7), &json!("Error")),
        "{terminated}"
    );
    assert_eq!(lab.kubectl.table("get pods").cell("succeeds", "STATUS"), "Completed");

    let restarts = || lab.status("again")["containerStatuses"][0]["restartCount"].as_u64().unwrap_or(0);
    assert_eventually!(restarts() >= 1, "not restarted: {:#}", lab.status("again"));
    assert_eventually!(
        lab.kubectl.run("logs again --previous", "").stdout == "run\n",
        "no logs of the container before"
    );
    let last = lab.status("again")["containerStatuses"][0]["lastState"]["terminated"].clone();
    assert_eq!(last["exitCode"], 3, "{last}");
    // Back-off after the second end: 10 seconds of waiting, told as such.
    let waits =
        || lab.status("again")["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff";
    assert_eventually!(waits(), "{:#}", lab.status("again"));
}

#[test]
fn the_environment_of_a_container() {
    let lab = lab();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "front-end"},
        "spec": {"ports": [{"port": 80}]},
    });
    lab.create(&service);
    let address = lab.kubectl.ok("get service front-end -o jsonpath={.spec.clusterIP}");
    let mut pod = script("printer", "env; hostname; id -u; sleep 600");
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    pod["spec"]["containers"][0]["env"] = json!([
        {"name": "PLAIN", "value": "as it is"},
        {"name": "BUILT", "value": "$(PLAIN), $(POD)"},
        {"name": "POD", "valueFrom": field("metadata.name")},
        {"name": "ROOM", "valueFrom": field("metadata.namespace")},
        {"name": "ADDRESS", "valueFrom": field("status.podIP")},
    ]);
    lab.create(&pod);
    lab.reaches("printer", "Running");
    let ip = lab.status("printer")["podIP"].as_str().unwrap_or_default().to_owned();
    assert_eventually!(lab.kubectl.ok("logs printer").contains("ADDRESS="), "nothing printed");
    let logs = lab.kubectl.ok("logs printer");
    for line in [
        "PLAIN=as it is".to_owned(),
        "BUILT=as it is, $(POD)".to_owned(),
        "POD=printer".to_owned(),
        "ROOM=lab".to_owned(),
        format!("ADDRESS={ip}"),
        format!("FRONT_END_SERVICE_HOST={address}"),
        "FRONT_END_SERVICE_PORT=80".to_owned(),
        "KUBERNETES_SERVICE_PORT=443".to_owned(),
        "printer".to_owned(),
    ] {
        assert!(logs.lines().any(|found| found == line), "{line} is not in\n{logs}");
    }
}

#[test]
fn containers_of_a_pod_share_volumes_and_the_network() {
    let lab = lab();
    let mut pod = script("pair", "");
    pod["spec"]["volumes"] = json!([{"name": "shared", "emptyDir": {}}]);
    let mut writer = container("writer", "echo from the writer > /data/note; sleep 600");
    writer["volumeMounts"] = json!([{"name": "shared", "mountPath": "/data"}]);
    let mut reader = container("reader", "while ! cat /in/note 2>/dev/null; do sleep 0.1; done; sleep 600");
    reader["volumeMounts"] = json!([{"name": "shared", "mountPath": "/in", "readOnly": true}]);
    pod["spec"]["containers"] = json!([writer, reader]);
    lab.create(&pod);
    lab.reaches("pair", "Running");
    assert_eventually!(
        lab.kubectl.ok("logs pair -c reader") == "from the writer\n",
        "the reader reads nothing"
    );
    let containers = docker::containers(&lab.up.cluster_id());
    let of_pod = containers.iter().filter(|container| container.pod == "pair").count();
    assert_eq!(of_pod, 3, "two containers and one that holds the network: {containers:?}");
}

#[test]
fn deletion_gives_time_and_leaves_nothing() {
    let lab = lab();
    let trap = "trap 'echo told; sleep 1; exit 0' TERM; echo ready; while true; do sleep 0.1; done";
    let mut polite = script("polite", trap);
    polite["spec"]["terminationGracePeriodSeconds"] = json!(20);
    lab.create(&polite);
    lab.create(&script("deaf", "trap '' TERM; while true; do sleep 1; done"));
    lab.reaches("polite", "Running");
    lab.reaches("deaf", "Running");
    assert_eventually!(lab.kubectl.ok("logs polite") == "ready\n", "not ready");
    let mut follow = lab.kubectl.stream("logs -f polite");
    lab.kubectl.ok("delete pod polite deaf");
    follow.until_contains("told");
    assert!(lab.kubectl.fails("get pod polite").contains("NotFound"));
    assert!(lab.kubectl.fails("get pod deaf").contains("NotFound"));
    assert_eventually!(
        lab.containers("polite").is_empty() && lab.containers("deaf").is_empty(),
        "containers stay"
    );
}

#[test]
fn controllers_scale_real_pods() {
    let lab = lab();
    let pod = script("web", "sleep 600");
    let rc = json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "web"},
        "spec": {
            "replicas": 2, "selector": {"app": "web"},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod["spec"]},
        },
    });
    lab.create(&rc);
    let running = || {
        let all = docker::containers(&lab.up.cluster_id());
        all.iter().filter(|container| container.role == "app" && container.state == "running").count()
    };
    for replicas in [2, 4, 1, 0] {
        lab.kubectl.ok(&format!("scale rc web --replicas={replicas}"));
        assert_eventually!(running() == replicas, "{} instead of {replicas} containers run", running());
    }
    assert_eventually!(lab.kubectl.ok("get pods -o name").is_empty(), "pods stay");
}

#[test]
fn an_image_that_is_not_there_is_told() {
    let lab = lab();
    let mut pod = script("absent", "true");
    pod["spec"]["containers"][0]["image"] = json!("keelson/absent:1");
    lab.create(&pod);
    let reason = || lab.status("absent")["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
    assert_eventually!(reason() == "ErrImageNeverPull", "{:#}", lab.status("absent"));
    assert_eq!(lab.status("absent")["phase"], "Pending");
}

#[test]
fn pods_find_services_by_name() {
    let lab = lab();
    lab.create(&script(
        "web",
        "while true; do echo -e 'HTTP/1.0 200 OK\\r\\n\\r\\nhello' | nc -l -p 8080; done",
    ));
    lab.kubectl.ok("expose pod web --port=80 --target-port=8080");
    lab.kubectl.ok("expose pod web --port=80 --target-port=8080 --name=peers --cluster-ip=None");
    lab.reaches("web", "Running");
    assert_eventually!(
        lab.kubectl.json("get endpoints peers")["subsets"].is_array(),
        "the headless service has no endpoints"
    );
    let service = lab.kubectl.json("get service web")["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let pod = lab.status("web")["podIP"].as_str().unwrap().to_owned();
    // Not by wget: a static busybox cannot look up names, not even addresses.
    lab.create(&script(
        "asker",
        "cat /etc/resolv.conf; nslookup web; nslookup peers.lab.svc.cluster.local; \
         echo | nc -w 5 $(nslookup web | grep -A1 ^Name | grep -o '[0-9.]*$') 80; echo done; sleep 600",
    ));
    lab.reaches("asker", "Running");
    assert_eventually!(lab.kubectl.ok("logs asker").contains("done"), "{}", lab.kubectl.ok("logs asker"));
    let said = lab.kubectl.ok("logs asker");
    assert!(said.contains("search lab.svc.cluster.local svc.cluster.local cluster.local"), "{said}");
    for answer in [&service, &pod] {
        assert!(said.contains(answer.as_str()), "{answer} was not found: {said}");
    }
    assert!(said.contains("NXDOMAIN"), "a name that is not there: {said}");
    assert!(said.contains("hello"), "the service did not answer at the address that its name has: {said}");
}
