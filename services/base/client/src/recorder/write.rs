//! The task that writes Events to api.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keelson_base_daemon::backoff::Backoff;
use keelson_base_model::status::ApiError;
use keelson_proto::core::{Event, EventSource};
use keelson_proto::meta::Time;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::Note;
use super::correlate::{Correlator, Outcome};
use crate::{Api, Patch};

/// How often a write is tried while api cannot be reached, and the pauses between.
const TRIES: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// How long the last notes may take once the process is asked to stop.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Writes notes as events.
pub(super) struct Writer {
    api: Api<Event>,
    correlator: Correlator,
}

// === impl Writer ===

impl Writer {
    pub(super) fn new(api: Api<Event>, source: Arc<EventSource>) -> Self {
        Self { api, correlator: Correlator::new(source) }
    }

    /// Writes until all recorders are gone, or until `draining` ends and what was told before is written.
    pub(super) async fn run(
        mut self,
        mut notes: mpsc::Receiver<Note>,
        draining: impl Future<Output = ()> + Send,
    ) {
        tokio::select! {
            () = async { while let Some(note) = notes.recv().await { self.note(note).await; } } => return,
            () = draining => notes.close(),
        }
        let last_words = async {
            while let Some(note) = notes.recv().await {
                self.note(note).await;
            }
        };
        if timeout(LAST_WORDS, last_words).await.is_err() {
            tracing::debug!("events dropped: stopping");
        }
    }

    async fn note(&mut self, note: Note) {
        let suffix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let suffix = u64::try_from(suffix.as_nanos()).unwrap_or_default();
        let outcome = self.correlator.judge(note, Instant::now(), Time::now(), suffix);
        let mut backoff = Backoff::new(FIRST_PAUSE, MAX_PAUSE);
        for _ in 0..TRIES {
            let error = match self.write(&outcome).await {
                Ok(()) => return,
                Err(error) => error,
            };
            if !error.is_retryable() {
                // For instance in a namespace that is going: there is nobody left to tell.
                tracing::debug!(%error, "event refused");
                return;
            }
            sleep(backoff.next_delay()).await;
        }
        tracing::warn!("event dropped: api cannot be reached");
    }

    async fn write(&self, outcome: &Outcome) -> Result<(), ApiError> {
        match outcome {
            Outcome::Create(event) => self.create(event).await,
            Outcome::Repeat(event) => match self.raise(event).await {
                // Events live for an hour.
                Err(error) if error.is_not_found() => self.create(event).await,
                raised => raised,
            },
            Outcome::Unheard => Ok(()),
        }
    }

    async fn create(&self, event: &Event) -> Result<(), ApiError> {
        match self.api.create(event).await {
            // Our own name: an earlier try did arrive.
            Err(error) if error.is_already_exists() => Ok(()),
            created => created.map(drop),
        }
    }

    async fn raise(&self, event: &Event) -> Result<(), ApiError> {
        let last = event.last_timestamp.as_ref().map(ToString::to_string);
        let patch = Patch::merge(&serde_json::json!({ "count": event.count, "lastTimestamp": last }))?;
        let api = self.api.namespaced(&event.metadata.namespace);
        api.patch(&event.metadata.name, &patch).await.map(drop)
    }
}
