//! A waterfall for the terminal.

use std::fmt::Write as _;

use crate::span::{Span, Summary, Trace};
use crate::waterfall::{Row, Waterfall, layout};

/// Fewest cells for the bars.
const NARROWEST: usize = 16;

/// Widest column of names; longer ones are cut.
const WIDEST_NAME: usize = 64;

/// How a trace is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Cells of a line.
    pub width: usize,
    /// Whether each span's attributes follow it.
    pub attributes: bool,
}

/// A trace as lines of text.
pub fn trace(trace: &Trace, look: Look) -> String {
    let waterfall = layout(trace);
    let mut text = head(trace, &waterfall);
    let services = waterfall.rows.iter().map(|row| cells(&row.span.service)).max().unwrap_or_default();
    let labels: Vec<String> = waterfall.rows.iter().map(label).collect();
    let names = labels.iter().map(|label| cells(label)).max().unwrap_or_default().min(WIDEST_NAME);
    // Two spaces between columns, the bars' two edges, and the times.
    let bars = look.width.saturating_sub(services + names + 2 + 2 + 2 + 22).max(NARROWEST);
    for (row, label) in waterfall.rows.iter().zip(&labels) {
        let bar = waterfall.bar(row.span, bars);
        let mark = if row.span.error.is_some() { "x" } else { "█" };
        let drawn = format!("{}{}", " ".repeat(bar.offset), mark.repeat(bar.length));
        line(
            &mut text,
            format_args!(
                "{}  {}  |{}| {:>9} +{:>9}",
                pad(&row.span.service, services),
                pad(label, names),
                pad(&drawn, bars),
                duration(row.span.start.saturating_sub(waterfall.start)),
                duration(row.span.end.saturating_sub(row.span.start)),
            ),
        );
        let indent = services + 4;
        details(&mut text, row, indent, look);
    }
    text
}

/// Traces as a table.
pub fn list(summaries: &[Summary]) -> String {
    let mut text = String::new();
    let wide =
        |cell: fn(&Summary) -> usize, least: usize| summaries.iter().map(cell).max().unwrap_or(0).max(least);
    let services = wide(|summary| cells(&summary.service), 7);
    let names = wide(|summary| cells(&summary.name), 4);
    line(
        &mut text,
        format_args!(
            "{:<32}  {:<24}  {}  {}  {:>5}  {:>9}  PODS",
            "TRACE",
            "BEGAN",
            pad("SERVICE", services),
            pad("NAME", names),
            "SPANS",
            "TOOK"
        ),
    );
    for summary in summaries {
        let pods: Vec<String> = summary.pods.iter().map(ToString::to_string).collect();
        line(
            &mut text,
            format_args!(
                "{:<32}  {:<24}  {}  {}  {:>5}  {:>9}  {}",
                summary.id,
                time(summary.start),
                pad(&clean(&summary.service), services),
                pad(&clean(&summary.name), names),
                summary.spans,
                duration(summary.end.saturating_sub(summary.start)),
                clean(&pods.join(" ")),
            ),
        );
    }
    text
}

/// A length of time, in the unit that suits it.
pub fn duration(nanos: u64) -> String {
    let (value, unit) = match nanos {
        0..1_000_000 => (nanos as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (nanos as f64 / 1e6, "ms"),
        _ => (nanos as f64 / 1e9, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}

/// A time in UTC.
pub fn time(nanos: u64) -> String {
    let millis = i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map(|time| format!("{time:.3}")).unwrap_or_default()
}

fn head(trace: &Trace, waterfall: &Waterfall<'_>) -> String {
    let summary = trace.summary();
    let mut text = format!("trace {}  {}", clean(&trace.id), clean(&summary.name));
    let services: std::collections::BTreeSet<_> = trace.spans.iter().map(|span| &span.service).collect();
    let _ = write!(
        text,
        "\nbegan {}, took {}: {} spans of {} services",
        time(summary.start),
        duration(waterfall.duration()),
        summary.spans,
        services.len()
    );
    for (count, what) in [
        (summary.errors, "failed"),
        (summary.orphans, "with a parent that is not here"),
        (trace.dropped, "too many and not kept"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text.push_str("\n\n");
    text
}

/// The name, below its parent's.
fn label(row: &Row<'_>) -> String {
    let mut label = String::new();
    if let Some((own, above)) = row.guides.split_last() {
        above.iter().for_each(|more| label.push_str(if *more { "│ " } else { "  " }));
        label.push_str(if *own { "├ " } else { "└ " });
    }
    if row.is_orphan {
        label.push_str("? ");
    }
    label.push_str(&clean(&row.span.name));
    label
}

fn details(text: &mut String, row: &Row<'_>, indent: usize, look: Look) {
    let span: &Span = row.span;
    let indent = " ".repeat(indent + 2 * row.guides.len());
    if let Some(error) = &span.error {
        line(text, format_args!("{indent}failed: {}", clean(error)));
    }
    for link in &span.links {
        line(
            text,
            format_args!("{indent}because of trace {}, span {}", clean(&link.trace_id), clean(&link.span_id)),
        );
    }
    if look.attributes {
        for (key, value) in &span.attributes {
            line(text, format_args!("{indent}{} = {}", clean(key), clean(value)));
        }
    }
}

/// What came over the network must not move the terminal's cursor.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn cells(text: &str) -> usize {
    text.chars().count()
}

/// Exactly `width` cells: filled up, or cut.
fn pad(text: &str, width: usize) -> String {
    let text = clean(text);
    match cells(&text) {
        long if long > width => text.chars().take(width.saturating_sub(1)).chain(['…']).take(width).collect(),
        short => text + &" ".repeat(width - short),
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.push_str(line.to_string().trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Link;

    fn mk_span(id: &str, parent: Option<&str>, service: &str, name: &str, times: (u64, u64)) -> Span {
        Span {
            trace_id: "t".into(),
            span_id: id.into(),
            parent_span_id: parent.map(Into::into),
            service: service.into(),
            name: name.into(),
            start: times.0 * 1_000_000,
            end: times.1 * 1_000_000,
            ..Span::default()
        }
    }

    fn mk_trace() -> Trace {
        let mut failed = mk_span("3", Some("2"), "keelson-api", "store commit", (3, 5));
        failed.error = Some("conflict\u{1b}[2J".into());
        failed.attributes.insert("db.system.name".into(), "etcd".into());
        failed.links.push(Link { trace_id: "other".into(), span_id: "9".into() });
        Trace {
            id: "t".into(),
            spans: vec![
                mk_span("1", None, "keelson-gateway", "POST /api/v1/pods", (0, 10)),
                mk_span("2", Some("1"), "keelson-api", "keelson.v1.Pods/Create", (2, 8)),
                failed,
                mk_span("4", Some("gone"), "keelson-kubelet", "sync", (8, 10)),
            ],
            dropped: 0,
        }
    }

    #[test]
    fn a_trace_is_drawn() {
        let drawn = trace(&mk_trace(), Look { width: 80, attributes: false });
        let expected = "\
trace t  POST /api/v1/pods
began 1970-01-01T00:00:00.000Z, took 10.0 ms: 4 spans of 3 services, 1 failed, 1 with a parent that is not here

keelson-gateway  POST /api/v1/pods         |████████████████|   0.00 us +  10.0 ms
keelson-api      └ keelson.v1.Pods/Create  |   █████████    |   2.00 ms +  6.00 ms
keelson-api        └ store commit          |    xxxx        |   3.00 ms +  2.00 ms
                       failed: conflict\u{fffd}[2J
                       because of trace other, span 9
keelson-kubelet  ? sync                    |            ████|   8.00 ms +  2.00 ms
";
        assert_eq!(drawn, expected);
        let full = trace(&mk_trace(), Look { width: 200, attributes: true });
        assert!(full.contains("db.system.name = etcd"));
        assert!(full.lines().all(|line| cells(line) <= 200), "{full}");
    }

    #[test]
    fn traces_are_listed() {
        let mut traced = mk_trace();
        traced.spans[1].attributes = [("k8s.namespace.name", "default"), ("k8s.pod.name", "web")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        let text = list(&[traced.summary()]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("TRACE") && lines[0].ends_with("TOOK  PODS"), "{text}");
        assert!(lines[1].contains("POST /api/v1/pods      4    10.0 ms  default/web"), "{text}");
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        for (nanos, text) in [
            (0, "0.00 us"),
            (999, "1.00 us"),
            (12_340, "12.3 us"),
            (123_400, "123 us"),
            (1_500_000, "1.50 ms"),
            (61_000_000_000, "61.0 s"),
        ] {
            assert_eq!(duration(nanos), text);
        }
        assert_eq!(time(1_500_000_000_123_456_789), "2017-07-14T02:40:00.123Z");
        assert!(!time(u64::MAX).is_empty());
    }
}
