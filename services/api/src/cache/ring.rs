//! The latest changes of one kind, bounded in number and bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::cache::Event;

/// Most changes kept.
const MOST_EVENTS: usize = 8192;
/// Most bytes kept alive.
const MOST_BYTES: usize = 8 << 20;

/// The latest changes. It knows every change after `floor`.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    floor: u64,
    /// Changes added since the process began.
    pub(crate) received: u64,
}

// === impl Ring ===

impl Ring {
    /// Begins anew: everything up to `floor` is forgotten.
    pub(crate) fn reset(&mut self, floor: u64) {
        *self = Self { floor, received: self.received, ..Self::default() };
    }

    /// Adds the latest change.
    pub(crate) fn push(&mut self, event: Arc<Event>) {
        self.received += 1;
        self.bytes += event.weight();
        self.events.push_back(event);
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.weight();
            self.floor = oldest.revision;
        }
    }

    /// The changes after `revision`, in order.
    ///
    /// # Errors
    /// The oldest revision that can be asked for, if that is later.
    pub(crate) fn after(&self, revision: u64) -> Result<Vec<Arc<Event>>, u64> {
        if revision < self.floor {
            return Err(self.floor);
        }
        let start = self.events.partition_point(|event| event.revision <= revision);
        Ok(self.events.range(start..).cloned().collect())
    }
}
