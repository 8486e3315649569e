//! The older of Prometheus' two text formats, which `promtool` and people with curl read.

/// Its media type.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// OpenMetrics in the older format: there a counter's family has its suffix in the comments too, and units and the
/// end are not written. Exemplars, which the older format does not know, are none of ours.
pub(super) fn of(openmetrics: &str) -> String {
    let mut plain = String::with_capacity(openmetrics.len());
    // A help comes before the type that decides under which name it stands.
    let mut help = None;
    for line in openmetrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            plain.push_str(line);
            plain.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("HELP"), Some(name), text) => help = Some((name, text.unwrap_or_default())),
            (Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = family(kind);
                if let Some((_, text)) = help.take().filter(|(of, _)| *of == name) {
                    plain.push_str(&format!("# HELP {name}{suffix} {text}\n"));
                }
                plain.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
            }
            _ => {}
        }
    }
    plain
}

/// What a family's name ends in and what its type is called, by its type in OpenMetrics.
fn family(kind: &str) -> (&'static str, &str) {
    match kind {
        "counter" => ("_total", "counter"),
        "info" => ("_info", "gauge"),
        "stateset" => ("", "gauge"),
        "unknown" | "gaugehistogram" => ("", "untyped"),
        other => ("", other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_get_their_suffix_everywhere() {
        let openmetrics = "# HELP binds Pods bound.\n# TYPE binds counter\nbinds_total{a=\"# TYPE b\"} 3\n\
                           # HELP cpu_seconds CPU time.\n# TYPE cpu_seconds counter\n# UNIT cpu_seconds seconds\n\
                           cpu_seconds_total 0.5\n\
                           # HELP waits Waits.\n# TYPE waits histogram\nwaits_sum 1.0\nwaits_count 1\n\
                           waits_bucket{le=\"+Inf\"} 1\n# EOF\n";
        let plain = "# HELP binds_total Pods bound.\n# TYPE binds_total counter\nbinds_total{a=\"# TYPE b\"} 3\n\
                     # HELP cpu_seconds_total CPU time.\n# TYPE cpu_seconds_total counter\ncpu_seconds_total 0.5\n\
                     # HELP waits Waits.\n# TYPE waits histogram\nwaits_sum 1.0\nwaits_count 1\n\
                     waits_bucket{le=\"+Inf\"} 1\n";
        assert_eq!(of(openmetrics), plain);
    }
}
