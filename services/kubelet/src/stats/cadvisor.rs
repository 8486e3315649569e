//! `/metrics/cadvisor`: containers' counters under cAdvisor's names, in Prometheus' text form. Pure.

use std::fmt::Write as _;

use keelson_proto::v1::{InterfaceUsage, KubeletStatsResponse, Usage};

/// A counter or gauge: its name, whether it only grows, what it says, and where its value is. Values that are not known
/// have no line.
struct Series {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&Usage) -> Option<f64>,
}

/// The same of a network interface.
struct InterfaceSeries {
    name: &'static str,
    help: &'static str,
    value: fn(&InterfaceUsage) -> u64,
}

const SERIES: [Series; 9] = [
    Series {
        name: "container_cpu_usage_seconds_total",
        kind: "counter",
        help: "Cumulative cpu time consumed in seconds.",
        value: |usage| usage.cpu_nanoseconds.map(|nanoseconds| nanoseconds as f64 / 1e9),
    },
    Series {
        name: "container_memory_usage_bytes",
        kind: "gauge",
        help: "Current memory usage in bytes, including all memory regardless of when it was accessed",
        value: |usage| usage.memory_usage_bytes.map(|bytes| bytes as f64),
    },
    Series {
        name: "container_memory_working_set_bytes",
        kind: "gauge",
        help: "Current working set in bytes.",
        value: |usage| usage.memory_working_set_bytes.map(|bytes| bytes as f64),
    },
    Series {
        name: "container_memory_rss",
        kind: "gauge",
        help: "Size of RSS in bytes.",
        value: |usage| usage.memory_rss_bytes.map(|bytes| bytes as f64),
    },
    Series {
        name: "container_spec_memory_limit_bytes",
        kind: "gauge",
        help: "Memory limit for the container.",
        value: |usage| usage.memory_limit_bytes.map(|bytes| bytes as f64),
    },
    Series {
        name: "container_processes",
        kind: "gauge",
        help: "Number of processes running inside the container.",
        value: |usage| usage.processes.map(|count| count as f64),
    },
    Series {
        name: "container_fs_reads_bytes_total",
        kind: "counter",
        help: "Cumulative count of bytes read",
        value: |usage| usage.disk_read_bytes.map(|bytes| bytes as f64),
    },
    Series {
        name: "container_fs_writes_bytes_total",
        kind: "counter",
        help: "Cumulative count of bytes written",
        value: |usage| usage.disk_written_bytes.map(|bytes| bytes as f64),
    },
    Series {
        name: "container_last_seen",
        kind: "gauge",
        help: "Last time a container was seen by the exporter",
        value: |usage| usage.time.map(|time| time.seconds as f64),
    },
];

const INTERFACE_SERIES: [InterfaceSeries; 4] = [
    InterfaceSeries {
        name: "container_network_receive_bytes_total",
        help: "Cumulative count of bytes received",
        value: |is| is.received_bytes,
    },
    InterfaceSeries {
        name: "container_network_receive_errors_total",
        help: "Cumulative count of errors encountered while receiving",
        value: |is| is.receive_errors,
    },
    InterfaceSeries {
        name: "container_network_transmit_bytes_total",
        help: "Cumulative count of bytes transmitted",
        value: |is| is.sent_bytes,
    },
    InterfaceSeries {
        name: "container_network_transmit_errors_total",
        help: "Cumulative count of errors encountered while transmitting",
        value: |is| is.send_errors,
    },
];

/// Counters of the machine, the pods and their containers.
pub(crate) fn exposition(stats: &KubeletStatsResponse, cores: u64, memory: u64) -> String {
    let used = labelled(stats);
    let mut text = String::new();
    machine(&mut text, "machine_cpu_cores", "Number of logical CPU cores.", cores);
    machine(&mut text, "machine_memory_bytes", "Amount of memory installed on the machine.", memory);
    for series in &SERIES {
        head(&mut text, series.name, series.kind, series.help);
        for (labels, usage) in &used {
            if let Some(value) = (series.value)(usage) {
                line(&mut text, series.name, labels, value);
            }
        }
    }
    for series in &INTERFACE_SERIES {
        head(&mut text, series.name, "counter", series.help);
        for (labels, usage) in &used {
            for is in &usage.interfaces {
                let labels = format!("{labels},interface=\"{}\"", escaped(&is.name));
                line(&mut text, series.name, &labels, (series.value)(is) as f64);
            }
        }
    }
    text
}

/// What is used, with the labels of who uses it: the machine is `/`, a pod has no container.
fn labelled(stats: &KubeletStatsResponse) -> Vec<(String, &Usage)> {
    let labels = |container: &str, id: &str, namespace: &str, pod: &str| {
        let [container, id, namespace, pod] = [container, id, namespace, pod].map(escaped);
        format!("container=\"{container}\",id=\"{id}\",namespace=\"{namespace}\",pod=\"{pod}\"")
    };
    let mut used: Vec<(String, &Usage)> =
        stats.root.iter().map(|root| (labels("", "/", "", ""), root)).collect();
    for pod in &stats.pods {
        let own = pod.usage.iter().map(|usage| (labels("", &pod.uid, &pod.namespace, &pod.name), usage));
        used.extend(own);
        for container in &pod.containers {
            let labels = labels(&container.name, &container.id, &pod.namespace, &pod.name);
            used.extend(container.usage.iter().map(|usage| (labels.clone(), usage)));
        }
    }
    used
}

fn machine(text: &mut String, name: &str, help: &str, value: u64) {
    head(text, name, "gauge", help);
    // Writing to a string does not fail.
    let _ = writeln!(text, "{name} {value}");
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &str, value: f64) {
    let _ = writeln!(text, "{name}{{{labels}}} {value}");
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use keelson_proto::v1::{ContainerUsage, PodUsage};

    use super::*;

    #[test]
    fn counters_have_cadvisors_names_and_labels() {
        let usage = |nanoseconds| Usage { cpu_nanoseconds: Some(nanoseconds), ..Usage::default() };
        let interfaces =
            vec![InterfaceUsage { name: "eth0".to_owned(), received_bytes: 7, ..InterfaceUsage::default() }];
        let stats = KubeletStatsResponse {
            root: Some(usage(2_500_000_000)),
            pods: vec![PodUsage {
                namespace: "default".to_owned(),
                name: "web".to_owned(),
                uid: "u".to_owned(),
                usage: Some(Usage { interfaces, ..usage(0) }),
                containers: vec![ContainerUsage {
                    name: "main\"".to_owned(),
                    id: "docker://ab".to_owned(),
                    usage: Some(usage(1)),
                    ..ContainerUsage::default()
                }],
            }],
            ..KubeletStatsResponse::default()
        };
        let text = exposition(&stats, 4, 1024);
        let wanted = [
            "machine_cpu_cores 4",
            "# TYPE container_cpu_usage_seconds_total counter",
            "container_cpu_usage_seconds_total{container=\"\",id=\"/\",namespace=\"\",pod=\"\"} 2.5",
            "container_cpu_usage_seconds_total{container=\"main\\\"\",id=\"docker://ab\",namespace=\"default\",\
             pod=\"web\"} 0.000000001",
            "container_network_receive_bytes_total{container=\"\",id=\"u\",namespace=\"default\",pod=\"web\",\
             interface=\"eth0\"} 7",
        ];
        for line in wanted {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("container_memory_rss{"), "what is not known has no line");
    }
}
