//! The row of an event.

use jiff::Timestamp;
use keelson_proto::core::Event;
use keelson_proto::events;

use super::{Cell, Column, NAME, Tabled, UNKNOWN, number, since, since_micro, text, wide};
use crate::kinds::alias;

impl Tabled for Event {
    const COLUMNS: &'static [Column] = &[
        text("Last Seen", "How long ago it last happened."),
        text("Type", "Normal or Warning."),
        text("Reason", "What happened, in one word."),
        text("Object", "What it happened to."),
        wide(text("Subobject", "Part of the object that it happened to.")),
        wide(text("Source", "Component that reported it.")),
        text("Message", "What happened."),
        wide(text("First Seen", "How long ago it first happened.")),
        wide(number("Count", "How often it happened.")),
        wide(NAME),
    ];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let Seen { first, last, count } = seen(self, now);
        vec![
            last.into(),
            self.r#type.as_str().into(),
            self.reason.as_str().into(),
            object(self).into(),
            self.involved_object.field_path.as_str().into(),
            source(self).into(),
            self.message.trim().into(),
            first.into(),
            count.into(),
            self.metadata.name.as_str().into(),
        ]
    }
}

impl Tabled for events::Event {
    const COLUMNS: &'static [Column] = Event::COLUMNS;

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        alias::core_event(self).cells(now)
    }
}

/// When it happened, and how often.
struct Seen {
    first: String,
    last: String,
    count: i32,
}

/// Older reporters fill in timestamps and a count, newer ones a time and a series.
fn seen(event: &Event, now: Timestamp) -> Seen {
    let mut first = since(event.first_timestamp, now);
    if first == UNKNOWN {
        first = since_micro(event.event_time, now);
    }
    if let Some(series) = &event.series {
        return Seen { last: since_micro(series.last_observed_time, now), count: series.count, first };
    }
    let mut last = since(event.last_timestamp, now);
    if last == UNKNOWN {
        last.clone_from(&first);
    }
    Seen { first, last, count: event.count.max(1) }
}

fn object(event: &Event) -> String {
    let kind = event.involved_object.kind.to_lowercase();
    match event.involved_object.name.as_str() {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn source(event: &Event) -> String {
    let or = |one: &str, other: &str| {
        if one.is_empty() { other.to_owned() } else { one.to_owned() }
    };
    let component = or(&event.source.component, &event.reporting_component);
    match or(&event.source.host, &event.reporting_instance) {
        host if host.is_empty() => component,
        host => format!("{component}, {host}"),
    }
}
