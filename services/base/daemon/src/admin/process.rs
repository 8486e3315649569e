//! The `process_*` metrics that every Prometheus client library has, read from /proc at each scrape.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Clock ticks per second in /proc/*/stat: the kernel's USER_HZ, 100 on every architecture Linux runs Docker on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads /proc when scraped. What cannot be read is left out.
#[derive(Debug)]
pub(super) struct ProcessCollector;

/// What /proc/self/stat tells.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    /// Since boot.
    start_seconds: f64,
    virtual_bytes: u64,
}

// === impl ProcessCollector ===

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        if let Some(stat) = read("/proc/self/stat").as_deref().and_then(Stat::parse) {
            let cpu = ConstCounter::new(stat.cpu_seconds);
            add(&mut encoder, "process_cpu_seconds", "CPU time used, user and system", &cpu)?;
            let memory = ConstGauge::new(stat.virtual_bytes);
            add(&mut encoder, "process_virtual_memory_bytes", "Size of the address space", &memory)?;
            if let Some(boot) = read("/proc/stat").as_deref().and_then(|text| field(text, "btime")) {
                // Seconds since 1970 fit a float exactly.
                let start = ConstGauge::new(boot as f64 + stat.start_seconds);
                add(&mut encoder, "process_start_time_seconds", "Start, in seconds since 1970", &start)?;
            }
        }
        if let Some(kib) = read("/proc/self/status").as_deref().and_then(|text| field(text, "VmRSS:")) {
            let memory = ConstGauge::new(kib * 1024);
            add(&mut encoder, "process_resident_memory_bytes", "Memory in RAM", &memory)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory itself.
            let open = ConstGauge::new(open.count().saturating_sub(1) as u64);
            add(&mut encoder, "process_open_fds", "Open file descriptors", &open)?;
        }
        if let Some(max) = read("/proc/self/limits").as_deref().and_then(|text| field(text, "Max open files"))
        {
            add(&mut encoder, "process_max_fds", "Limit of open file descriptors", &ConstGauge::new(max))?;
        }
        Ok(())
    }
}

// === impl Stat ===

impl Stat {
    /// Fields are counted after the last `)`, because the program's name before it may hold anything (proc(5)).
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        Some(Self {
            cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
            start_seconds: ticks(19)? / TICKS_PER_SECOND,
            virtual_bytes: fields.get(20)?.parse().ok()?,
        })
    }
}

/// The first number after `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn add(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> Result<(), std::fmt::Error> {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_survives_an_odd_program_name() {
        let text = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 9 0 4200 1048576 77";
        let expected = Stat { cpu_seconds: 2.0, start_seconds: 42.0, virtual_bytes: 1_048_576 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("12 (short) S 1"), None);
    }

    #[test]
    fn field_table() {
        let text =
            "cpu 1 2\nVmRSS:\t  2048 kB\nMax open files            1024                 4096\nbtime 99\n";
        let table =
            [("VmRSS:", Some(2048)), ("Max open files", Some(1024)), ("btime", Some(99)), ("none", None)];
        for (name, expected) in table {
            assert_eq!(field(text, name), expected, "{name}");
        }
    }
}
