//! Spans in the order in which they are drawn: parents above their children, earlier ones first. Pure.

use std::collections::{HashMap, HashSet};

use crate::span::{Span, Trace};

/// Deeper spans are drawn at this depth: whoever sends spans chooses the depth, and it is not to cost memory.
const DEEPEST: usize = 64;

/// A trace, laid out.
#[derive(Debug, PartialEq)]
pub struct Waterfall<'a> {
    /// When the first span began: nanoseconds since 1970.
    pub start: u64,
    /// When the last one ended.
    pub end: u64,
    /// One row per span.
    pub rows: Vec<Row<'a>>,
}

/// A span, and where it is drawn.
#[derive(Debug, PartialEq)]
pub struct Row<'a> {
    /// The span.
    pub span: &'a Span,
    /// For each level above, from the outermost, and for its own: whether more spans of that level follow. Empty for
    /// a span without a parent here.
    pub guides: Vec<bool>,
    /// Its parent is not here: it was lost, or is the caller's, or is yet to come.
    pub is_orphan: bool,
}

/// Where a bar begins and how long it is, in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Cells before it.
    pub offset: usize,
    /// Its own cells; at least one.
    pub length: usize,
}

/// Lays out a trace.
pub fn layout(trace: &Trace) -> Waterfall<'_> {
    let known: HashSet<&str> = trace.spans.iter().map(|span| span.span_id.as_str()).collect();
    let mut children: HashMap<Option<&str>, Vec<&Span>> = HashMap::new();
    for span in &trace.spans {
        let parent = span.parent_span_id.as_deref().filter(|parent| known.contains(parent));
        children.entry(parent).or_default().push(span);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end), &span.span_id));
    }
    let mut drawing = Drawing { children, known, drawn: HashSet::new(), rows: Vec::new() };
    drawing.draw(None);
    // Spans whose ancestors go round in circles have no place below anybody.
    let mut rest: Vec<&Span> = trace.spans.iter().filter(|span| !drawing.is_drawn(span)).collect();
    rest.sort_by_key(|span| (span.start, &span.span_id));
    for span in rest {
        if !drawing.is_drawn(span) {
            drawing.row(span, Vec::new(), true);
            drawing.draw(Some(span));
        }
    }
    Waterfall {
        start: trace.spans.iter().map(|span| span.start).min().unwrap_or_default(),
        end: trace.spans.iter().map(|span| span.end).max().unwrap_or_default(),
        rows: drawing.rows,
    }
}

/// A layout in the making.
struct Drawing<'a> {
    children: HashMap<Option<&'a str>, Vec<&'a Span>>,
    known: HashSet<&'a str>,
    drawn: HashSet<&'a str>,
    rows: Vec<Row<'a>>,
}

// === impl Waterfall ===

impl Waterfall<'_> {
    /// From the first beginning to the last end, in nanoseconds.
    pub fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Where a span's bar goes if all of the time is `cells` wide.
    pub fn bar(&self, span: &Span, cells: usize) -> Bar {
        let total = u128::from(self.duration().max(1));
        let cell = |nanos: u64| {
            let cell = u128::from(nanos) * cells as u128 / total;
            usize::try_from(cell).unwrap_or(cells)
        };
        let offset = cell(span.start.saturating_sub(self.start)).min(cells.saturating_sub(1));
        let end = cell(span.end.saturating_sub(self.start)).min(cells);
        Bar { offset, length: end.saturating_sub(offset).max(1) }
    }
}

// === impl Drawing ===

impl<'a> Drawing<'a> {
    /// Draws all that is below `top`, or below nobody, without recursion.
    fn draw(&mut self, top: Option<&'a Span>) {
        let mut stack: Vec<(&'a Span, Vec<bool>)> = Vec::new();
        let is_top = top.is_none();
        self.push_children(top.map(|span| span.span_id.as_str()), &[], is_top, &mut stack);
        while let Some((span, guides)) = stack.pop() {
            if self.is_drawn(span) {
                continue;
            }
            self.row(span, guides.clone(), false);
            self.push_children(Some(&span.span_id), &guides, false, &mut stack);
        }
    }

    fn push_children(
        &self,
        parent: Option<&'a str>,
        guides: &[bool],
        is_top: bool,
        stack: &mut Vec<(&'a Span, Vec<bool>)>,
    ) {
        let siblings = self.children.get(&parent).map(Vec::as_slice).unwrap_or_default();
        for (index, span) in siblings.iter().enumerate().rev() {
            let mut guides = guides.to_vec();
            if !is_top && guides.len() < DEEPEST {
                guides.push(index + 1 < siblings.len());
            }
            stack.push((span, guides));
        }
    }

    fn row(&mut self, span: &'a Span, guides: Vec<bool>, in_circle: bool) {
        let missing = span.parent_span_id.as_deref().is_some_and(|parent| !self.known.contains(parent));
        self.drawn.insert(&span.span_id);
        self.rows.push(Row { span, guides, is_orphan: missing || in_circle });
    }

    fn is_drawn(&self, span: &Span) -> bool {
        self.drawn.contains(span.span_id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans as `id<parent@start-end`.
    fn mk_trace(spans: &str) -> Trace {
        let span = |text: &str| {
            let (ids, times) = text.split_once('@').unwrap();
            let (id, parent) = ids.split_once('<').map_or((ids, None), |(id, parent)| (id, Some(parent)));
            let (start, end) = times.split_once('-').unwrap();
            Span {
                span_id: id.into(),
                parent_span_id: parent.map(Into::into),
                start: start.parse().unwrap(),
                end: end.parse().unwrap(),
                ..Span::default()
            }
        };
        Trace { spans: spans.split_whitespace().map(span).collect(), ..Trace::default() }
    }

    fn drawn(trace: &Trace) -> String {
        let row = |row: &Row<'_>| {
            let guides: String = row.guides.iter().map(|more| if *more { '|' } else { '.' }).collect();
            format!("{guides}{}{}", row.span.span_id, if row.is_orphan { "?" } else { "" })
        };
        layout(trace).rows.iter().map(row).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn layout_table() {
        let table = [
            ("nothing", "", ""),
            ("one", "a@0-1", "a"),
            ("children in the order of time", "a@0-9 c<a@5-6 b<a@1-2", "a |b .c"),
            ("the longer one first", "a@0-9 b<a@1-2 c<a@1-8", "a |c .b"),
            ("deeper", "a@0-9 b<a@1-5 c<b@2-3 d<a@6-7", "a |b |.c .d"),
            ("an orphan stands beside the root", "a@0-9 x<gone@2-3 y<x@2-3", "a x? .y"),
            ("parents may arrive later than children", "b<a@1-2 a@0-9", "a .b"),
            ("a circle is cut", "a<b@1-2 b<a@0-3 r@0-9", "r b? .a"),
            ("its own parent", "a<a@0-1", "a?"),
            ("two roots", "b@5-6 a@0-1", "a b"),
        ];
        for (name, spans, expected) in table {
            assert_eq!(drawn(&mk_trace(spans)), expected, "{name}");
        }
    }

    #[test]
    fn bars_lie_within_the_width_and_are_never_invisible() {
        let trace = mk_trace("a@100-200 b<a@100-150 c<a@150-200 d<a@200-200 e<a@133-134");
        let waterfall = layout(&trace);
        let bar = |id: &str, cells| {
            let span = trace.spans.iter().find(|span| span.span_id == id).unwrap();
            let Bar { offset, length } = waterfall.bar(span, cells);
            (offset, length)
        };
        assert_eq!(waterfall.duration(), 100);
        for (id, expected) in
            [("a", (0, 40)), ("b", (0, 20)), ("c", (20, 20)), ("d", (39, 1)), ("e", (13, 1))]
        {
            assert_eq!(bar(id, 40), expected, "{id}");
        }
        for cells in [1, 7, 1000] {
            for span in &trace.spans {
                let Bar { offset, length } = waterfall.bar(span, cells);
                assert!(length >= 1 && offset + length <= cells, "{cells} {span:?}");
            }
        }
    }

    #[test]
    fn a_trace_as_deep_as_it_is_long_is_drawn() {
        let spans: Vec<String> = (1..20_000).map(|n| format!("{n}<{}@{n}-{n}", n - 1)).collect();
        let trace = mk_trace(&format!("0@0-1 {}", spans.join(" ")));
        let waterfall = layout(&trace);
        assert_eq!(waterfall.rows.len(), 20_000);
        assert!(waterfall.rows.iter().all(|row| row.guides.len() <= DEEPEST));
    }
}
