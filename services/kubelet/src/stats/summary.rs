//! `/stats/summary`, in the form of Kubernetes' stats/v1alpha1. Pure.

use keelson_proto::meta::Time;
use keelson_proto::v1::{ContainerUsage, KubeletStatsResponse, PodUsage, Usage};
use serde_json::{Map, Value, json};

/// The summary of what is used.
pub(crate) fn summary(stats: &KubeletStatsResponse) -> Value {
    let mut node = Map::new();
    node.insert("nodeName".to_owned(), json!(stats.node_name));
    if let Some(root) = &stats.root {
        node.extend(used(root));
        node.extend(filesystem(root));
    }
    json!({ "node": node, "pods": stats.pods.iter().map(pod).collect::<Vec<_>>() })
}

fn pod(pod: &PodUsage) -> Value {
    let mut told = Map::new();
    let name = json!({ "name": pod.name, "namespace": pod.namespace, "uid": pod.uid });
    told.insert("podRef".to_owned(), name);
    let starts = pod.containers.iter().filter_map(|container| container.started_at);
    let start = starts.min_by_key(|time| (time.seconds, time.nanos));
    told.insert("startTime".to_owned(), json!(start));
    told.insert("containers".to_owned(), pod.containers.iter().map(container).collect());
    if let Some(usage) = &pod.usage {
        told.extend(used(usage));
        if let Some(processes) = usage.processes {
            told.insert("process_stats".to_owned(), json!({ "process_count": processes }));
        }
    }
    Value::Object(told)
}

fn container(container: &ContainerUsage) -> Value {
    let mut told = Map::new();
    told.insert("name".to_owned(), json!(container.name));
    told.insert("startTime".to_owned(), json!(container.started_at));
    told.extend(container.usage.iter().flat_map(used));
    Value::Object(told)
}

/// Processor, memory and network.
fn used(usage: &Usage) -> Map<String, Value> {
    let time = usage.time;
    let mut told = Map::new();
    let cpu = [("usageNanoCores", usage.cpu_nano_cores), ("usageCoreNanoSeconds", usage.cpu_nanoseconds)];
    told.insert("cpu".to_owned(), timed(time, &cpu));
    let available = usage.memory_limit_bytes.zip(usage.memory_working_set_bytes);
    let memory = [
        ("availableBytes", available.map(|(limit, used)| limit.saturating_sub(used))),
        ("usageBytes", usage.memory_usage_bytes),
        ("workingSetBytes", usage.memory_working_set_bytes),
        ("rssBytes", usage.memory_rss_bytes),
        ("pageFaults", usage.memory_page_faults),
        ("majorPageFaults", usage.memory_major_page_faults),
    ];
    told.insert("memory".to_owned(), timed(time, &memory));
    if !usage.interfaces.is_empty() {
        told.insert("network".to_owned(), network(usage));
    }
    told
}

/// All interfaces, and the first one (or eth0) as the default one beside them.
fn network(usage: &Usage) -> Value {
    let one = |is: &keelson_proto::v1::InterfaceUsage| {
        json!({
            "name": is.name,
            "rxBytes": is.received_bytes,
            "rxErrors": is.receive_errors,
            "txBytes": is.sent_bytes,
            "txErrors": is.send_errors,
        })
    };
    let default = usage.interfaces.iter().find(|is| is.name == "eth0").or_else(|| usage.interfaces.first());
    let mut told = default.map(one).unwrap_or_else(|| json!({}));
    told["time"] = json!(usage.time);
    told["interfaces"] = usage.interfaces.iter().map(one).collect();
    told
}

fn filesystem(usage: &Usage) -> Map<String, Value> {
    let Some(fs) = &usage.filesystem else { return Map::new() };
    let amounts = [
        ("availableBytes", Some(fs.available_bytes)),
        ("capacityBytes", Some(fs.capacity_bytes)),
        ("usedBytes", Some(fs.used_bytes)),
        ("inodesFree", Some(fs.inodes_free)),
        ("inodes", Some(fs.inodes)),
        ("inodesUsed", Some(fs.inodes.saturating_sub(fs.inodes_free))),
    ];
    Map::from_iter([("fs".to_owned(), timed(usage.time, &amounts))])
}

fn timed(time: Option<Time>, amounts: &[(&str, Option<u64>)]) -> Value {
    let known = amounts.iter().filter_map(|(name, amount)| Some(((*name).to_owned(), json!((*amount)?))));
    let mut told: Map<String, Value> = known.collect();
    told.insert("time".to_owned(), json!(time));
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use keelson_proto::v1::{FilesystemUsage, InterfaceUsage};

    use super::*;

    #[test]
    fn the_summary_has_kubernetes_form() {
        let usage = Usage {
            time: Some(Time { seconds: 1, nanos: 0 }),
            cpu_nanoseconds: Some(7),
            memory_usage_bytes: Some(100),
            memory_working_set_bytes: Some(80),
            memory_limit_bytes: Some(200),
            processes: Some(2),
            interfaces: vec![InterfaceUsage {
                name: "eth0".to_owned(),
                received_bytes: 5,
                ..Default::default()
            }],
            ..Usage::default()
        };
        let filesystem =
            FilesystemUsage { capacity_bytes: 10, inodes: 4, inodes_free: 1, ..Default::default() };
        let stats = KubeletStatsResponse {
            node_name: "n1".to_owned(),
            root: Some(Usage { filesystem: Some(filesystem), ..Usage::default() }),
            pods: vec![PodUsage {
                name: "web".to_owned(),
                usage: Some(usage.clone()),
                containers: vec![ContainerUsage {
                    name: "main".to_owned(),
                    usage: Some(Usage { interfaces: vec![], ..usage }),
                    ..ContainerUsage::default()
                }],
                ..PodUsage::default()
            }],
        };
        let told = summary(&stats);
        assert_eq!(told["node"]["nodeName"], "n1");
        assert_eq!(told["node"]["fs"]["inodesUsed"], 3);
        let pod = &told["pods"][0];
        assert_eq!(pod["podRef"]["name"], "web");
        assert_eq!(pod["memory"]["availableBytes"], 120);
        assert_eq!(pod["network"]["rxBytes"], 5);
        assert_eq!(pod["network"]["interfaces"][0]["name"], "eth0");
        assert_eq!(pod["process_stats"]["process_count"], 2);
        let container = &pod["containers"][0];
        assert_eq!(container["cpu"]["usageCoreNanoSeconds"], 7);
        assert_eq!(container["cpu"]["time"], "1970-01-01T00:00:01Z");
        assert_eq!(container["cpu"].get("usageNanoCores"), None, "what is not known is left out");
        assert_eq!(container.get("network"), None);
    }
}
