//! A table for each predicate, and a slow checker that adds up everything anew.

use keelson_base_model::pod;
use keelson_proto::core::{
    Affinity, AwsElasticBlockStoreVolumeSource, GcePersistentDiskVolumeSource, NodeAffinity, NodeSelector,
    NodeSelectorRequirement, NodeSelectorTerm, Pod, Volume,
};

use super::*;
use crate::decision::Filter;
use crate::testing::{MkNode, MkPod, mk_node, mk_pod, mk_service, mk_snapshot};

/// What `rule` says of a pod for a node with other pods, in words; "" if nothing.
fn verdict(rule: Rule, pod: MkPod, node: MkNode, others: impl IntoIterator<Item = MkPod>) -> String {
    let snapshot = mk_snapshot([node], others);
    let node = snapshot.nodes().next().unwrap();
    let mut refusals = Vec::new();
    Predicate::new("x", rule).check(&pod.info(), node, &snapshot, &mut refusals);
    let reasons: Vec<_> = refusals.iter().map(|refusal| refusal.reason.as_ref()).collect();
    reasons.join(", ")
}

#[test]
fn only_ready_and_open_nodes_are_taken() {
    let rule = |rule, node| verdict(rule, mk_pod("p"), node, []);
    assert_eq!(rule(Rule::Ready, mk_node("n")), "");
    assert_eq!(rule(Rule::Ready, mk_node("n").not_ready()), "node(s) were not ready");
    assert_eq!(
        rule(Rule::Ready, mk_node("n").edit(|node| node.status.conditions.clear())),
        "node(s) were not ready"
    );
    assert_eq!(rule(Rule::Schedulable, mk_node("n")), "");
    assert_eq!(rule(Rule::Schedulable, mk_node("n").closed()), "node(s) were unschedulable");
    let may = mk_pod("p").tolerating("node.kubernetes.io/unschedulable");
    assert_eq!(verdict(Rule::Schedulable, may, mk_node("n").closed(), []), "");
}

#[test]
fn taints_keep_away_who_does_not_tolerate_them() {
    let table = [
        ("NoSchedule", "", "node(s) had untolerated taint {gpu: yes}"),
        ("NoExecute", "", "node(s) had untolerated taint {gpu: yes}"),
        ("PreferNoSchedule", "", ""),
        ("NoSchedule", "gpu", ""),
        ("NoSchedule", "cpu", "node(s) had untolerated taint {gpu: yes}"),
    ];
    for (effect, tolerated, expected) in table {
        let pod = if tolerated.is_empty() { mk_pod("p") } else { mk_pod("p").tolerating(tolerated) };
        let node = mk_node("n").taint("gpu", "yes", effect);
        assert_eq!(verdict(Rule::Taints, pod, node, []), expected, "{effect} {tolerated:?}");
    }
}

#[test]
fn a_node_asked_for_by_name_is_the_only_one() {
    assert_eq!(verdict(Rule::HostName, mk_pod("p"), mk_node("n"), []), "");
    assert_eq!(verdict(Rule::HostName, mk_pod("p").on("n"), mk_node("n"), []), "");
    let other = verdict(Rule::HostName, mk_pod("p").on("m"), mk_node("n"), []);
    assert_eq!(other, "node(s) didn't match the requested node name");
}

#[test]
fn requests_must_fit_beside_those_of_others() {
    let pod = |cpu: &str, memory: &str| mk_pod("p").container(&[("cpu", cpu), ("memory", memory)]);
    let node = |cpu: &str, memory: &str, pods: &str| {
        mk_node("n").has("cpu", cpu).has("memory", memory).has("pods", pods)
    };
    let other = || [mk_pod("o").container(&[("cpu", "1"), ("memory", "100")]).on("n")];
    let table = [
        (pod("1", "100"), node("2", "200", "2"), ""),
        (pod("1001m", "100"), node("2", "200", "2"), "Insufficient cpu"),
        (pod("1", "101"), node("2", "200", "2"), "Insufficient memory"),
        (pod("2", "300"), node("2", "200", "1"), "Too many pods, Insufficient cpu, Insufficient memory"),
        // Asking for nothing is allowed where others have taken too much.
        (pod("0", "0"), node("500m", "10", "2"), ""),
        (mk_pod("p"), node("500m", "10", "2"), ""),
        (mk_pod("p"), node("500m", "10", "1"), "Too many pods"),
        (pod("9223372036854775807", "0"), node("2", "200", "2"), "Insufficient cpu"),
        (mk_pod("p").container(&[("a.b/gpu", "1")]), mk_node("n"), "Insufficient a.b/gpu"),
        (mk_pod("p").container(&[("a.b/gpu", "1")]), mk_node("n").has("a.b/gpu", "1"), ""),
        (
            mk_pod("p").container(&[("ephemeral-storage", "2")]),
            mk_node("n").has("ephemeral-storage", "1"),
            "Insufficient ephemeral-storage",
        ),
    ];
    for (index, (pod, node, expected)) in table.into_iter().enumerate() {
        assert_eq!(verdict(Rule::Resources, pod, node, other()), expected, "row {index}");
    }
    let silent = mk_node("n").edit(|node| drop(node.status.allocatable.remove("pods")));
    assert_eq!(verdict(Rule::Resources, mk_pod("p"), silent, other()), "", "a node that names no number");
}

#[test]
fn a_refusal_shows_the_numbers_compared() {
    let others = [mk_pod("o").container(&[("cpu", "3")]).on("n")];
    let snapshot = mk_snapshot([mk_node("n")], others);
    let pod = mk_pod("p").container(&[("cpu", "1500m")]).info();
    let refusals = Filter::new().refusals(&pod, snapshot.nodes().next().unwrap(), &snapshot);
    let amounts = Amounts { resource: "cpu".into(), requested: 1500, used: 3000, capacity: 4000 };
    let refusal = Refusal {
        predicate: "PodFitsResources".into(),
        reason: "Insufficient cpu".into(),
        amounts: Some(amounts),
    };
    assert_eq!(refusals, [refusal]);
}

#[test]
fn ports_conflict_by_number_protocol_and_address() {
    let taken = "node(s) didn't have free ports for the requested pod ports";
    let table = [
        ((80, "TCP", ""), (80, "TCP", ""), taken),
        ((80, "TCP", ""), (81, "TCP", ""), ""),
        ((80, "TCP", ""), (80, "UDP", ""), ""),
        ((80, "TCP", "10.0.0.1"), (80, "TCP", "10.0.0.2"), ""),
        ((80, "TCP", "10.0.0.1"), (80, "TCP", "10.0.0.1"), taken),
        ((80, "TCP", "10.0.0.1"), (80, "TCP", "0.0.0.0"), taken),
        ((80, "TCP", "0.0.0.0"), (80, "TCP", "10.0.0.1"), taken),
        ((80, "", ""), (80, "TCP", ""), taken),
        ((0, "TCP", ""), (0, "TCP", ""), ""),
    ];
    for (wanted, used, expected) in table {
        let pod = mk_pod("p").port(wanted.0, wanted.1, wanted.2);
        let other = mk_pod("o").port(used.0, used.1, used.2).on("n");
        assert_eq!(verdict(Rule::Ports, pod, mk_node("n"), [other]), expected, "{wanted:?} {used:?}");
    }
}

fn with_gce(pod: MkPod, name: &str, read_only: bool) -> MkPod {
    pod.edit(|pod| {
        let disk =
            GcePersistentDiskVolumeSource { pd_name: name.to_owned(), read_only, ..Default::default() };
        let mut volume = Volume::default();
        volume.volume_source.gce_persistent_disk = Some(disk);
        pod.spec.volumes.push(volume);
    })
}

fn with_ebs(pod: MkPod, id: &str, read_only: bool) -> MkPod {
    pod.edit(|pod| {
        let disk =
            AwsElasticBlockStoreVolumeSource { volume_id: id.to_owned(), read_only, ..Default::default() };
        let mut volume = Volume::default();
        volume.volume_source.aws_elastic_block_store = Some(disk);
        pod.spec.volumes.push(volume);
    })
}

#[test]
fn disks_are_shared_only_to_read_and_never_on_aws() {
    type With = fn(MkPod, &str, bool) -> MkPod;
    let (gce, ebs): (With, With) = (with_gce, with_ebs);
    let taken = "node(s) had no available disk";
    let table = [
        (gce, "a", false, gce, "a", false, taken),
        (gce, "a", true, gce, "a", false, taken),
        (gce, "a", true, gce, "a", true, ""),
        (gce, "a", false, gce, "b", false, ""),
        (ebs, "a", true, ebs, "a", true, taken),
        (ebs, "a", false, ebs, "b", false, ""),
        (ebs, "a", false, gce, "a", false, ""),
    ];
    for (index, (mine, my_disk, my_reads, theirs, their_disk, their_reads, expected)) in
        table.into_iter().enumerate()
    {
        let pod = mine(mk_pod("p"), my_disk, my_reads);
        let other = theirs(mk_pod("o").on("n"), their_disk, their_reads);
        assert_eq!(verdict(Rule::Disks, pod, mk_node("n"), [other]), expected, "row {index}");
    }
}

fn requiring(terms: &[&[(&str, &str, &[&str])]]) -> MkPod {
    let requirement = |(key, operator, values): &(&str, &str, &[&str])| NodeSelectorRequirement {
        key: (*key).to_owned(),
        operator: (*operator).to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let term = |requirements: &&[(&str, &str, &[&str])]| {
        let (fields, labels): (Vec<_>, Vec<_>) =
            requirements.iter().map(requirement).partition(|one| one.key == "metadata.name");
        NodeSelectorTerm { match_expressions: labels, match_fields: fields }
    };
    let required = NodeSelector { node_selector_terms: terms.iter().map(term).collect() };
    let node_affinity = NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(required),
        ..NodeAffinity::default()
    };
    let affinity = Affinity { node_affinity: Some(node_affinity), ..Affinity::default() };
    mk_pod("p").edit(|pod| pod.spec.affinity = Some(affinity))
}

#[test]
fn the_selector_and_the_required_affinity_must_both_match() {
    let node = || mk_node("n").label("disk", "ssd").label("cores", "8");
    let table = [
        (mk_pod("p"), true),
        (mk_pod("p").selector("disk", "ssd"), true),
        (mk_pod("p").selector("disk", "hdd"), false),
        (mk_pod("p").selector("disk", "ssd").selector("zone", "a"), false),
        (requiring(&[]), false),
        (requiring(&[&[]]), false),
        (requiring(&[&[("disk", "In", &["hdd", "ssd"])]]), true),
        (requiring(&[&[("disk", "NotIn", &["hdd", "ssd"])]]), false),
        (requiring(&[&[("zone", "NotIn", &["a"])]]), true),
        (requiring(&[&[("disk", "Exists", &[])], &[("zone", "Exists", &[])]]), true),
        (requiring(&[&[("disk", "Exists", &[]), ("zone", "Exists", &[])]]), false),
        (requiring(&[&[("zone", "DoesNotExist", &[])]]), true),
        (requiring(&[&[("cores", "Gt", &["7"])]]), true),
        (requiring(&[&[("cores", "Gt", &["8"])]]), false),
        (requiring(&[&[("cores", "Lt", &["9"])]]), true),
        (requiring(&[&[("disk", "Lt", &["9"])]]), false),
        (requiring(&[&[("zone", "Gt", &["0"])]]), false),
        (requiring(&[&[("metadata.name", "In", &["n"])]]), true),
        (requiring(&[&[("metadata.name", "In", &["m"])]]), false),
        (requiring(&[&[("disk", "In", &["ssd"])]]).selector("zone", "a"), false),
    ];
    for (index, (pod, expected)) in table.into_iter().enumerate() {
        let words = if expected { "" } else { "node(s) didn't match Pod's node affinity/selector" };
        assert_eq!(verdict(Rule::NodeSelector, pod, node(), []), words, "row {index}");
    }
}

#[test]
fn labels_must_be_there_or_must_not() {
    let refused = "node(s) didn't have the requested labels";
    let table = [
        (&["a"][..], true, ""),
        (&["a", "b"], true, refused),
        (&["a"], false, refused),
        (&["b"], false, ""),
        (&["a", "b"], false, refused),
        (&[], true, ""),
    ];
    for (labels, presence, expected) in table {
        let rule = Rule::LabelsPresence { labels: labels.iter().map(|&key| key.into()).collect(), presence };
        let node = mk_node("n").label("a", "");
        assert_eq!(verdict(rule, mk_pod("p"), node, []), expected, "{labels:?} {presence}");
    }
}

#[test]
fn the_pods_of_a_service_stay_where_its_first_pod_is() {
    let rule = || Predicate::new("x", Rule::ServiceAffinity { labels: vec!["zone".into()] });
    let nodes =
        || [("n1", "a"), ("n2", "a"), ("n3", "b")].map(|(name, zone)| mk_node(name).label("zone", zone));
    let fitting = |pod: MkPod, others: Vec<MkPod>| {
        let mut snapshot = mk_snapshot(nodes().into_iter().chain([mk_node("n4")]), others);
        snapshot.apply_service(&mk_service("web", "app", "web"));
        let fitting = Filter::of([rule()]).fitting(&pod.info(), &snapshot).unwrap_or_default();
        fitting.iter().map(|node| node.name().to_owned()).collect::<Vec<_>>()
    };
    let web = |name: &str| mk_pod(name).label("app", "web");
    assert_eq!(fitting(web("p"), vec![]), ["n1", "n2", "n3", "n4"], "the first is free");
    assert_eq!(fitting(web("p"), vec![web("o").on("n2")]), ["n1", "n2"]);
    assert_eq!(fitting(mk_pod("p"), vec![web("o").on("n2")]), ["n1", "n2", "n3", "n4"], "not of the service");
    assert_eq!(fitting(web("p").selector("zone", "b"), vec![web("o").on("n2")]), ["n3"], "it says so itself");
}

#[test]
fn policies_find_predicates_by_todays_names_as_well() {
    assert_eq!(Predicate::named("PodFitsHostPorts"), Predicate::named("PodFitsPorts"));
    assert_eq!(Predicate::named("PodFitsPorts").unwrap().name(), "PodFitsPorts");
    assert_eq!(Predicate::named("CheckServiceAffinity"), None);
}

/// Adds up everything anew, from the pods as they are written.
fn refuses_slowly(pod: &Pod, node: &NodeInfo, all: &[MkPodOn]) -> Vec<&'static str> {
    let there: Vec<_> = all.iter().filter(|other| other.0 == node.name()).map(|other| &other.1).collect();
    let mut names = Vec::new();
    let ports =
        |pod: &Pod| pod::host_ports(pod).map(|port| (port.port, port.ip.to_owned())).collect::<Vec<_>>();
    let meet = |one: &(i32, String), two: &(i32, String)| {
        one.0 == two.0 && (one.1.is_empty() || two.1.is_empty() || one.1 == two.1)
    };
    let wanted = ports(pod);
    if there.iter().any(|other| ports(other).iter().any(|one| wanted.iter().any(|two| meet(one, two)))) {
        names.push("PodFitsPorts");
    }
    let sum = |of: fn(&Pod) -> i64| there.iter().map(|other| of(other)).sum::<i64>();
    let cpu: fn(&Pod) -> i64 = |pod| pod::requests(pod).milli_cpu;
    if cpu(pod) > 0 && sum(cpu) + cpu(pod) > node.allocatable.milli_cpu {
        names.push("PodFitsResources");
    }
    names
}

/// A node's name and a pod on it.
type MkPodOn = (String, Pod);

fn random_pod(rng: &mut fastrand::Rng, name: &str, node: &str) -> MkPod {
    let cpu = format!("{}m", rng.u32(0..1500));
    let pod = mk_pod(name).container(&[("cpu", &cpu)]).on(node);
    match rng.u8(0..3) {
        0 => pod.port(rng.i32(80..83), "TCP", ["", "10.0.0.1", "10.0.0.2"][rng.usize(0..3)]),
        _ => pod,
    }
}

#[test]
fn the_quick_sums_agree_with_slow_ones() {
    let mut refused = 0;
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut snapshot = mk_snapshot(["a", "b", "c"].map(mk_node), []);
        let mut all: Vec<MkPodOn> = Vec::new();
        for index in 0..25 {
            let node = ["a", "b", "c"][rng.usize(0..3)];
            let pod = random_pod(&mut rng, &format!("p{index}"), node);
            let info = pod.info();
            snapshot.observe(info.clone());
            all.push((node.to_owned(), (*info.pod).clone()));
            if rng.u8(0..3) == 0 {
                let (_, gone) = all.swap_remove(rng.usize(0..all.len()));
                snapshot.remove(&pod::key(&gone));
            }
            let asked = random_pod(&mut rng, "asked", "").info();
            for node in snapshot.nodes() {
                let quick = Filter::new().refusals(&asked, node, &snapshot);
                let quick: Vec<_> = quick.iter().map(|refusal| refusal.predicate.as_ref()).collect();
                let slow = refuses_slowly(&asked.pod, node, &all);
                assert_eq!(quick, slow, "seed {seed}, pod {index}, node {}", node.name());
                refused += slow.len();
            }
        }
    }
    assert!(refused > 1000, "the histories fill the nodes");
}
