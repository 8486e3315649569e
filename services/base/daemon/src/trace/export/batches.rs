//! The task that sends the spans of one service.

use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{Link, SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::{SpanData, SpanExporter, SpanLinks};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::Counts;
use crate::trace::SpanRecord;

/// Most spans sent at a time.
const BATCH: usize = 512;

/// How long a span waits for others: whoever looks at a trace just made should find it.
const DELAY: Duration = Duration::from_millis(200);

/// What the task holds.
pub(super) struct Batches<E> {
    pub(super) exporter: E,
    pub(super) queue: mpsc::Receiver<SpanRecord>,
    /// Those who wait until all is sent.
    pub(super) flushes: mpsc::Receiver<oneshot::Sender<()>>,
    pub(super) counts: Counts,
    /// Whether the last batch was lost, so that a long absence of the collector is one line in the log.
    pub(super) failing: bool,
}

// === impl Batches ===

impl<E: SpanExporter> Batches<E> {
    /// Sends until nobody records any more.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = self.queue.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                    let flushed = self.gather(&mut batch).await;
                    self.send(&mut batch).await;
                    if let Some(flushed) = flushed {
                        self.flush(&mut batch, flushed).await;
                    }
                }
                Some(flushed) = self.flushes.recv() => self.flush(&mut batch, flushed).await,
            }
        }
    }

    /// Waits for more spans, until the batch is full, the first has waited long enough, or somebody wants to flush.
    async fn gather(&mut self, batch: &mut Vec<SpanRecord>) -> Option<oneshot::Sender<()>> {
        let due = Instant::now() + DELAY;
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                taken = self.queue.recv_many(batch, room) => {
                    if taken == 0 {
                        return None;
                    }
                }
                Some(flushed) = self.flushes.recv() => return Some(flushed),
                () = sleep_until(due) => return None,
            }
        }
        None
    }

    /// Sends all that has been recorded so far.
    async fn flush(&mut self, batch: &mut Vec<SpanRecord>, flushed: oneshot::Sender<()>) {
        let mut left = self.queue.len();
        while left > 0 {
            let taken = self.queue.recv_many(batch, left.min(BATCH)).await;
            left = if taken == 0 { 0 } else { left.saturating_sub(taken) };
            self.send(batch).await;
        }
        // Who asked may have given up waiting.
        let _ = flushed.send(());
    }

    async fn send(&mut self, batch: &mut Vec<SpanRecord>) {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let scope = InstrumentationScope::builder("keelson").build();
        let spans = batch.drain(..).map(|span| to_data(span, &scope)).collect();
        match self.exporter.export(spans).await {
            Ok(()) => {
                self.counts.exported.inc_by(count);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("spans are exported again");
                }
            }
            Err(error) => {
                self.counts.dropped.inc_by(count);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "cannot export spans; they are dropped until the collector answers");
                }
            }
        }
    }
}

/// A span in the exporter's terms.
fn to_data(span: SpanRecord, scope: &InstrumentationScope) -> SpanData {
    let mut links = SpanLinks::default();
    let link = |cause: crate::trace::TraceContext| Link::with_context(cause.to_span_context(true));
    links.links = span.links.into_iter().map(link).collect();
    SpanData {
        span_context: span.context.to_span_context(false),
        parent_span_id: span.parent.unwrap_or(SpanId::INVALID),
        // Only whoever serves a call, or hears of a write, has its parent in another service.
        parent_span_is_remote: matches!(span.kind, SpanKind::Server | SpanKind::Consumer),
        span_kind: span.kind,
        name: span.name,
        start_time: span.start,
        end_time: span.end,
        attributes: span.attributes,
        dropped_attributes_count: 0,
        events: Default::default(),
        links,
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}
