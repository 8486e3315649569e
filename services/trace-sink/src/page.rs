//! Traces as plain HTML: no script, no style but a few lines. Whatever was sent is escaped.

use std::fmt::Write as _;

use crate::span::{PodName, Summary, Trace};
use crate::text::{duration, time};
use crate::waterfall::{Row, Waterfall, layout};

const STYLE: &str = "body{font:14px sans-serif;margin:1.5em}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;padding:2px 8px;white-space:nowrap;vertical-align:top}tr:nth-child(even){background:#f4f4f4}\
td.bar{width:60%;padding:2px 0}div.bar{background:#4a7ebb;height:12px;min-width:2px}div.failed{background:#c0392b}\
small{color:#666}summary{cursor:pointer}pre{margin:0}";

/// Steps of a bar's place and width.
const STEPS: usize = 10_000;

/// All traces, or those of a pod.
pub(crate) fn list(summaries: &[Summary], pod: Option<&PodName>) -> String {
    let mut rows = String::new();
    for summary in summaries {
        let pods: Vec<String> = summary.pods.iter().map(link_to_pod).collect();
        let failed = if summary.errors > 0 { format!("{} failed", summary.errors) } else { String::new() };
        put(
            &mut rows,
            format_args!(
                "<tr><td>{}</td><td><a href=\"/traces/{id}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
                 <td>{}</td></tr>\n",
                time(summary.start),
                escaped(&summary.name),
                escaped(&summary.service),
                summary.spans,
                duration(summary.end.saturating_sub(summary.start)),
                failed,
                pods.join(" "),
                id = escaped(&summary.id),
            ),
        );
    }
    let title = match pod {
        Some(pod) => format!("traces of pod {pod}"),
        None => "traces".to_owned(),
    };
    let head = "<tr><th>began</th><th>name</th><th>service</th><th>spans</th><th>took</th><th></th><th>pods</th></tr>";
    page(&title, &format!("<table>{head}\n{rows}</table>"))
}

/// One trace.
pub(crate) fn trace(trace: &Trace) -> String {
    let waterfall = layout(trace);
    let summary = trace.summary();
    let mut rows = String::new();
    for row in &waterfall.rows {
        put(&mut rows, format_args!("{}", span(row, &waterfall)));
    }
    let lost = match (summary.orphans, trace.dropped) {
        (0, 0) => String::new(),
        (orphans, dropped) => format!(", {orphans} with a parent that is not here, {dropped} not kept"),
    };
    let about = format!(
        "<p><a href=\"/\">all traces</a> <small>{}, began {}, took {}: {} spans{lost}</small></p>",
        escaped(&trace.id),
        time(summary.start),
        duration(waterfall.duration()),
        summary.spans,
    );
    page(&summary.name, &format!("{about}<table>{rows}</table>"))
}

/// That there is no such page.
pub(crate) fn missing(what: &str) -> String {
    page("not found", &format!("<p>{} <a href=\"/\">all traces</a></p>", escaped(what)))
}

fn span(row: &Row<'_>, waterfall: &Waterfall<'_>) -> String {
    let span = row.span;
    let bar = waterfall.bar(span, STEPS);
    let percent = |steps: usize| steps as f64 * 100.0 / STEPS as f64;
    let mut details = String::new();
    if let Some(error) = &span.error {
        put(&mut details, format_args!("failed: {}\n", escaped(error)));
    }
    for link in &span.links {
        let id = escaped(&link.trace_id);
        put(&mut details, format_args!("because of trace <a href=\"/traces/{id}\">{id}</a>\n"));
    }
    put(&mut details, format_args!("{} {}\n", span.kind.as_str(), escaped(&span.instance)));
    for (key, value) in &span.attributes {
        put(&mut details, format_args!("{} = {}\n", escaped(key), escaped(value)));
    }
    format!(
        "<tr><td>{}</td><td style=\"padding-left:{}em\"><details><summary>{}{}</summary><pre>{details}</pre></details>\
         </td><td class=\"bar\"><div class=\"bar{}\" style=\"margin-left:{:.2}%;width:{:.2}%\"></div></td><td>{}</td></tr>\n",
        escaped(&span.service),
        row.guides.len(),
        if row.is_orphan { "? " } else { "" },
        escaped(&span.name),
        if span.error.is_some() { " failed" } else { "" },
        percent(bar.offset),
        percent(bar.length),
        duration(span.end.saturating_sub(span.start)),
    )
}

fn link_to_pod(pod: &PodName) -> String {
    // Names of objects need no escape in an address; what is none was not sent by Keelson.
    let name = escaped(&pod.to_string());
    format!("<a href=\"/?pod={name}\">{name}</a>")
}

fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style>\
         </head><body><h1>{title}</h1>\n{body}\n</body></html>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{Link, Span};

    #[test]
    fn whatever_was_sent_is_text() {
        let evil = "<script>'\"&";
        let span = Span {
            trace_id: evil.into(),
            span_id: evil.into(),
            name: evil.into(),
            service: evil.into(),
            instance: evil.into(),
            error: Some(evil.into()),
            attributes: [("k8s.namespace.name", evil), ("k8s.pod.name", evil), (evil, evil)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            links: vec![Link { trace_id: evil.into(), span_id: evil.into() }],
            ..Span::default()
        };
        let whole = Trace { id: evil.into(), spans: vec![span], dropped: 0 };
        for page in [trace(&whole), list(&[whole.summary()], whole.spans[0].pod().as_ref()), missing(evil)] {
            assert!(!page.contains("<script>") && page.contains("&lt;script&gt;&#39;&quot;&amp;"), "{page}");
        }
    }
}
