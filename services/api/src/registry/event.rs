//! Events: kept for an hour.

use std::time::Duration;

use keelson_base_model::event;
use keelson_base_model::field::ErrorList;
use keelson_proto::core::Event;

use crate::registry::Strategy;

/// What is particular to events: they expire, and an update creates.
pub(crate) struct EventStrategy {
    /// How long events are kept.
    pub(crate) ttl: Duration,
}

// === impl EventStrategy ===

impl Strategy for EventStrategy {
    type Object = Event;
    const PREFIX: &'static str = "/registry/events/";
    const FIELDS: &'static [&'static str] = event::FIELDS;

    fn fields(object: &Event) -> Vec<(&'static str, String)> {
        super::fields_of(event::FIELDS, |field| event::fields(object, field))
    }

    fn set_defaults(&self, object: &mut Event) {
        event::set_defaults(object);
    }

    fn validate_create(&self, object: &Event) -> ErrorList {
        event::validate(object)
    }

    fn prepare_update(&self, new: &mut Event, old: &Event) {
        event::prepare_update(new, old);
    }

    fn validate_update(&self, new: &Event, old: &Event) -> ErrorList {
        event::validate_update(new, old)
    }

    fn create_on_update(&self) -> bool {
        true
    }

    fn ttl(&self) -> Option<Duration> {
        Some(self.ttl)
    }
}
