//! A kubelet's streams, verbs and statistics on real containers, asked of the kubelet itself by gRPC.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keelson_tests::docker::{self, BUSYBOX};
use keelson_tests::{Grpcurl, Kubectl, Output, Running, Session, Up, assert_eventually};
use serde_json::{Value, json};

/// A cluster on Docker, and somebody who works with it.
struct Lab {
    kubectl: Session,
    // Dropped after the session, in this order: the process, then what it left.
    running: Running,
    up: Up,
}

fn lab() -> Lab {
    docker::load_busybox();
    let up = Up::docker();
    let running = up.start();
    let kubectl = Kubectl::newest().in_new_namespace(running.target(), "streams");
    Lab { kubectl, running, up }
}

impl Lab {
    fn kubelet(&self) -> Grpcurl<'_> {
        Grpcurl::at(self.running.target(), &self.running.target().kubelets()[0])
    }

    /// Runs a pod of one container, until it is ready.
    fn run(&self, name: &str, container: Value) {
        let mut main = json!({"name": "main", "image": BUSYBOX, "imagePullPolicy": "Never"});
        for (key, value) in container.as_object().unwrap() {
            main[key] = value.clone();
        }
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [main]},
        });
        self.kubectl.ok_with("create --validate=false -f -", &pod.to_string());
        self.kubectl.ok(&format!("wait --for=condition=Ready pod/{name} --timeout=60s"));
    }

    fn pod(&self, name: &str) -> Value {
        json!({"namespace": "streams", "name": name})
    }

    /// What a command writes, and the status that it ends with.
    fn exec(&self, pod: &str, options: &Value, input: &[Value]) -> (String, String, Value) {
        let mut start = self.pod(pod);
        start["options"] = options.clone();
        let messages: Vec<Value> = [json!({ "exec": start })].into_iter().chain(input.to_vec()).collect();
        let answers = self.kubelet().send("keelson.v1.Kubelet/Exec", &messages);
        let exit = answers.last().unwrap()["exit"].clone();
        (all(&answers, "stdout"), all(&answers, "stderr"), exit)
    }

    /// Reads a path of the kubelet.
    fn get(&self, path: &str) -> String {
        let target = self.running.target();
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail"]).arg("--cacert").arg(target.ca());
        command.arg("--cert").arg(target.certificate()).arg("--key").arg(target.key());
        Output::of(command.arg(format!("https://{}{path}", target.kubelets()[0])), "").ok()
    }
}

/// All bytes of one kind in the answers.
fn all(answers: &[Value], kind: &str) -> String {
    let pieces = answers.iter().filter_map(|answer| answer[kind].as_str());
    let bytes: Vec<u8> = pieces.flat_map(|piece| STANDARD.decode(piece).unwrap()).collect();
    String::from_utf8(bytes).unwrap()
}

fn stdin(text: &str) -> Value {
    json!({"stdin": STANDARD.encode(text)})
}

#[test]
fn commands_have_input_outputs_a_terminal_and_an_exit_code() {
    let lab = lab();
    lab.run("web", json!({"command": ["sleep", "600"]}));
    let script = "cat; echo err >&2; exit 3";
    let options = json!({"stdin": true, "stdout": true, "stderr": true, "command": ["sh", "-c", script]});
    let (out, err, exit) = lab.exec("web", &options, &[stdin("one\n"), stdin("two\n")]);
    assert_eq!((out.as_str(), err.as_str()), ("one\ntwo\n", "err\n"));
    assert_eq!((&exit["status"], &exit["reason"]), (&json!("Failure"), &json!("NonZeroExitCode")));
    let cause = &exit["details"]["causes"][0];
    assert_eq!((&cause["reason"], &cause["message"]), (&json!("ExitCode"), &json!("3")));

    let script = "read line; busybox stty size; echo $line";
    let options = json!({"stdin": true, "stdout": true, "tty": true, "command": ["sh", "-c", script]});
    let resize = json!({"resize": {"width": 77, "height": 22}});
    let (out, _, exit) = lab.exec("web", &options, &[resize, stdin("typed\n")]);
    assert!(out.contains("22 77"), "{out:?}");
    assert!(out.trim_end().ends_with("typed"), "{out:?}");
    assert_eq!(exit["status"], "Success");
}

#[test]
fn streams_that_lead_nowhere_are_refused() {
    let lab = lab();
    lab.run("web", json!({"command": ["sleep", "600"]}));
    let kubelet = lab.kubelet();
    let mut start = lab.pod("none");
    start["options"] = json!({"stdout": true, "command": ["true"]});
    let refused = kubelet.refused("keelson.v1.Kubelet/Exec", &json!({ "exec": start }));
    assert!(refused.contains("NotFound") && refused.contains("\"none\" not found"), "{refused}");
    let mut start = lab.pod("web");
    start["options"] = json!({"stdout": true, "command": ["true"], "container": "other"});
    let refused = kubelet.refused("keelson.v1.Kubelet/Exec", &json!({ "exec": start }));
    assert!(refused.contains("container other is not valid for pod web"), "{refused}");
    let mut start = lab.pod("web");
    start["port"] = json!(7777);
    let refused = kubelet.refused("keelson.v1.Kubelet/PortForward", &json!({ "start": start }));
    assert!(refused.contains("refused"), "{refused}");
}

#[test]
fn a_port_on_the_pods_loopback_is_forwarded() {
    let lab = lab();
    lab.run("web", json!({"command": ["busybox", "httpd", "-f", "-p", "127.0.0.1:7777"]}));
    let mut start = lab.pod("web");
    start["port"] = json!(7777);
    let request = STANDARD.encode("GET /none HTTP/1.0\r\n\r\n");
    let messages = [json!({ "start": start }), json!({ "data": request })];
    let answers = lab.kubelet().send("keelson.v1.Kubelet/PortForward", &messages);
    assert_eq!(answers[0], json!({}), "the connection stands");
    let answer = all(&answers, "data");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[test]
fn whoever_attaches_talks_to_the_container() {
    let lab = lab();
    let script = "while read line; do echo got $line; done; echo bye";
    lab.run("web", json!({"command": ["sh", "-c", script], "stdin": true, "stdinOnce": true}));
    let mut start = lab.pod("web");
    start["options"] = json!({"stdin": true, "stdout": true, "stderr": true});
    let messages = [json!({ "attach": start }), stdin("one\n"), stdin("two\n")];
    let answers = lab.kubelet().send("keelson.v1.Kubelet/Attach", &messages);
    assert_eq!(all(&answers, "stdout"), "got one\ngot two\nbye\n");
    assert_eq!(answers.last().unwrap()["exit"]["status"], "Success");
    assert_eventually!(lab.kubectl.ok("logs web --previous").contains("bye"), "it has not ended");
}

#[test]
fn the_slides_verbs_act_on_containers_and_may_be_said_twice() {
    let lab = lab();
    lab.run("web", json!({"command": ["sleep", "600"]}));
    let (kubelet, web) = (lab.kubelet(), lab.pod("web"));
    let ask = |verb: &str, request: &Value| kubelet.ask(&format!("keelson.v1.Kubelet/{verb}"), request);
    let ids = || {
        let all = docker::containers(&lab.up.cluster_id());
        all.into_iter().filter(|c| c.state == "running").map(|c| (c.name, c.id)).collect::<Vec<_>>()
    };
    let before = ids();

    let mut command = web.clone();
    command["command"] = json!(["sh", "-c", "echo out; echo err >&2; exit 4"]);
    let ran = ask("RunCommand", &command);
    assert_eq!(
        ran,
        json!({"exitCode": 4, "stdout": STANDARD.encode("out\n"), "stderr": STANDARD.encode("err\n")})
    );

    let run = ask("RunContainer", &web);
    assert_eq!((&run["name"], &run["running"]), (&json!("main"), &json!(true)));
    let network = ask("MakeNetworkContainer", &web);
    assert_eq!(network["name"], "POD");
    assert_eq!(ids(), before, "both run already");
    assert_eq!(ask("ContainerHealth", &web)["health"], "HEALTHY");
    assert_eq!(ask("SyncNow", &web)["status"]["phase"], "Running");

    let killed = ask("KillContainer", &web);
    assert_eq!(killed["id"], run["id"]);
    assert_eventually!(ids().len() == 2 && ids() != before, "the container does not run again");
    lab.kubectl.ok("wait --for=condition=Ready pod/web --timeout=60s");

    let mut delete = web;
    delete["graceSeconds"] = json!(0);
    let second = ids();
    let deleted = ask("DeleteContainers", &delete);
    assert!(deleted["ids"].as_array().unwrap().len() >= 2, "{deleted}");
    let renewed = || ids().len() == 2 && ids().iter().all(|id| !second.contains(id));
    assert_eventually!(renewed(), "the pod has no new containers: {:?}", ids());
}

#[test]
fn statistics_are_those_of_the_containers() {
    let lab = lab();
    lab.run(
        "busy",
        json!({"command": ["sh", "-c", "while true; do true; done"],
        "resources": {"limits": {"cpu": "200m", "memory": "64Mi"}}}),
    );
    lab.run("idle", json!({"command": ["sleep", "600"]}));
    let summary: Value = serde_json::from_str(&lab.get("/stats/summary")).unwrap();
    let pods = summary["pods"].as_array().unwrap();
    let cores = |name: &str| {
        let pod = pods.iter().find(|pod| pod["podRef"]["name"] == name).unwrap();
        pod["containers"][0]["cpu"]["usageNanoCores"].as_u64().unwrap()
    };
    assert!(cores("busy") > 20_000_000 && cores("idle") < cores("busy"), "{summary:#}");
    let node = &summary["node"];
    assert!(node["memory"]["workingSetBytes"].as_u64().unwrap() > 1 << 20, "{node:#}");
    assert!(node["fs"]["capacityBytes"].as_u64().unwrap() > 0, "{node:#}");
    let busy = pods.iter().find(|pod| pod["podRef"]["name"] == "busy").unwrap();
    assert!(busy["network"]["name"] == "eth0", "{busy:#}");

    let metrics = lab.get("/metrics/cadvisor");
    let line = metrics.lines().find(|line| {
        line.starts_with("container_spec_memory_limit_bytes{container=\"main\"")
            && line.contains("pod=\"busy\"")
    });
    assert!(line.unwrap().ends_with(" 67108864"), "{line:?}");
    let told = lab.kubelet().ask("keelson.v1.Kubelet/PodInfo", &lab.pod("busy"));
    assert_eq!(told["containers"][0]["usage"]["memoryLimitBytes"], "67108864");
    assert!(lab.get("/pods").contains("\"kind\":\"PodList\""));
    assert!(lab.get("/spec").contains("num_cores"));
}
