//! What tests are made of: small objects.

use keelson_base_model::{conditions, node, pod};
use keelson_proto::core::{
    Endpoints, Node, NodeCondition, Pod, PodCondition, PodTemplateSpec, ReplicationController, Service,
    ServicePort,
};
use keelson_proto::intstr::IntOrString;
use keelson_proto::meta::{ObjectMeta, Time};

/// Metadata of an object in `default` whose uid is made of its name.
pub(crate) fn mk_metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: name.to_owned(),
        namespace: "default".to_owned(),
        uid: format!("uid-{name}"),
        ..ObjectMeta::default()
    }
}

/// A pod labelled `app=<app>`.
pub(crate) fn mk_pod(name: &str, app: &str, phase: &str) -> Pod {
    let mut pod = Pod { metadata: mk_metadata(name), ..Pod::default() };
    pod.metadata.labels.insert("app".to_owned(), app.to_owned());
    pod.status.phase = phase.to_owned();
    pod
}

/// The pod, ready since then.
pub(crate) fn ready_since(mut pod: Pod, seconds: i64) -> Pod {
    let ready = PodCondition {
        r#type: pod::condition_type::READY.to_owned(),
        status: conditions::TRUE.to_owned(),
        ..PodCondition::default()
    };
    conditions::set(&mut pod.status.conditions, ready, Time { seconds, nanos: 0 });
    pod
}

/// The pod, reachable there.
pub(crate) fn with_address(mut pod: Pod, ip: &str) -> Pod {
    pod.status.pod_ip = ip.to_owned();
    pod
}

/// A controller of pods labelled `app=<name>`.
pub(crate) fn mk_rc(name: &str, replicas: i32) -> ReplicationController {
    let mut rc = ReplicationController { metadata: mk_metadata(name), ..ReplicationController::default() };
    rc.metadata.uid = format!("uid-of-rc-{name}");
    let labels = [("app".to_owned(), name.to_owned())];
    let mut template = PodTemplateSpec::default();
    template.metadata.labels.extend(labels.clone());
    rc.spec.template = Some(template);
    rc.spec.selector.extend(labels);
    rc.spec.replicas = Some(replicas);
    rc
}

/// A service of pods labelled `app=<name>`, with these ports: name, port, target.
pub(crate) fn mk_service(name: &str, ports: &[(&str, i32, IntOrString)]) -> Service {
    let mut service = Service { metadata: mk_metadata(name), ..Service::default() };
    service.spec.selector.insert("app".to_owned(), name.to_owned());
    service.spec.cluster_ip = "10.96.0.7".to_owned();
    service.spec.ports = ports
        .iter()
        .map(|(name, port, target)| ServicePort {
            name: (*name).to_owned(),
            protocol: "TCP".to_owned(),
            port: *port,
            target_port: target.clone(),
            ..ServicePort::default()
        })
        .collect();
    service
}

/// A node whose kubelet has said this of it.
pub(crate) fn mk_node(name: &str, ready: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.to_owned();
    let heartbeat = Time { seconds: 1, nanos: 0 };
    node.status.conditions.push(NodeCondition {
        r#type: node::READY.to_owned(),
        status: ready.to_owned(),
        last_heartbeat_time: Some(heartbeat),
        last_transition_time: Some(heartbeat),
        ..NodeCondition::default()
    });
    node
}

/// Endpoints without addresses.
pub(crate) fn mk_endpoints(name: &str) -> Endpoints {
    Endpoints { metadata: mk_metadata(name), ..Endpoints::default() }
}
