//! An etcd whose data is of another time, and one that is full.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keelson_tests::{Curl, Kubectl, Output, Stack, StackConfig, Target, eventually};
use serde_json::{Value, json};

use super::{run_pod, sentence};

/// The most that etcd may store here, in bytes.
const QUOTA: usize = 4 << 20;

/// How long writes may take to work again once there is room.
const RECOVERS: Duration = Duration::from_secs(20);

const PODS: &str = "/api/v1/namespaces/default/pods";

/// A call of etcd's own, by its JSON gateway: the answer, which may be an error.
#[track_caller]
fn etcd(address: SocketAddr, method: &str, request: &Value) -> Value {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "20", "--data-binary", "@-"]);
    let output = Output::of(curl.arg(format!("http://{address}/v3/{method}")), &request.to_string());
    serde_json::from_str(&output.clone().ok()).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

#[test]
fn api_leaves_data_of_a_newer_format_alone() {
    let mut stack = Stack::prepare(StackConfig { etcd: 1, ..StackConfig::default() });
    stack.part("etcd-1").start();
    stack.part("etcd-1").wait_ready();
    let address = stack.part("etcd-1").address();
    let put = etcd(address, "kv/put", &json!({"key": encoded("/keelson/format"), "value": encoded("2")}));
    let written = put["header"]["revision"].clone();
    assert!(written.is_string(), "{put}");
    let api = stack.part("api-1");
    api.start();
    assert_eq!(api.wait_ended().code(), Some(1), "{}", api.log());
    let log = api.log();
    let said = sentence(&log);
    for part in ["format 2", "newer than the 1", "use a newer keelson"] {
        assert!(said.contains(part), "{part:?} is missing: {log}");
    }
    let everything = json!({"key": encoded("\0"), "range_end": encoded("\0")});
    let now = etcd(address, "kv/range", &everything);
    assert_eq!((&now["header"]["revision"], &now["count"]), (&written, &json!("1")), "nothing was written");
}

#[test]
fn an_etcd_without_room_refuses_writes_until_there_is_some() {
    let quota = format!("--quota-backend-bytes={QUOTA}");
    let mut stack = Stack::start(StackConfig { etcd: 1, etcd_flags: vec![quota], ..StackConfig::default() });
    let address = stack.part("etcd-1").address();
    let kubectl = Kubectl::newest().session(stack.target());
    run_pod(&kubectl, "before");

    let junk = "x".repeat(QUOTA / 8);
    let fill = |number: usize| {
        let key = encoded(&format!("/junk/{number}"));
        let put = etcd(address, "kv/put", &json!({"key": key, "value": encoded(&junk)}));
        put["error"].as_str().map(str::to_owned)
    };
    let refusal = (0..32).find_map(fill).expect("etcd keeps to its quota");
    assert!(refusal.contains("space exceeded"), "{refusal}");

    // Nothing is acknowledged that is not stored, and what is stored can be read.
    let target = Target::new(stack.target().kubeconfig(), None, Vec::new());
    let curl = Curl::new(&target);
    let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "after"},
        "spec": {"containers": [{"name": "main", "image": "i:1"}]}});
    let create = || curl.send("POST", PODS, "application/json", pod.to_string().as_bytes());
    for _ in 0..3 {
        let refused = create().failure();
        assert!(refused["code"].as_u64() >= Some(400), "{refused}");
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains("the store is out of space"), "{refused}");
    }
    assert_eq!(kubectl.ok("get pods -o name"), "pod/before\n");
    assert_eq!(curl.get(&format!("{PODS}/after")).code, 404);
    let mut watch = kubectl.stream("get pods --watch --output=name");
    watch.until_contains("pod/before");
    assert!(stack.part("api-1").is_running() && stack.part("gateway-1").is_running());

    // What an administrator does with etcdctl.
    let range = json!({"key": encoded("/junk/"), "range_end": encoded("/junk0")});
    let deleted = etcd(address, "kv/deleterange", &range);
    let revision = deleted["header"]["revision"].clone();
    etcd(address, "kv/compaction", &json!({"revision": revision, "physical": true}));
    etcd(address, "maintenance/defragment", &json!({}));
    let alarms = etcd(address, "maintenance/alarm", &json!({"action": "GET"}));
    let member = &alarms["alarms"][0]["memberID"];
    assert_eq!(alarms["alarms"][0]["alarm"], "NOSPACE", "{alarms}");
    let disarm = json!({"action": "DEACTIVATE", "alarm": "NOSPACE", "memberID": member});
    etcd(address, "maintenance/alarm", &disarm);
    eventually::within(RECOVERS, || match create() {
        answer if answer.code == 201 => Ok(()),
        answer => Err(format!("{answer:?}")),
    });
    watch.until_contains("pod/after");
    run_pod(&kubectl, "later");
    for name in stack.services() {
        assert!(stack.part(&name).is_running(), "{name} ended");
    }
}
