//! A watch on its way to one client: upstream is always drained into a bounded buffer, so that a client that
//! reads slowly stalls nobody else; when the buffer is full, its watch ends with 410 and it lists again.

mod frames;
mod ring;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::stream::{self, Stream, StreamExt as _};
use keelson_base_daemon::tasks::Drain;
use keelson_base_model::status::ApiError;
use keelson_proto::v1::RawWatchEvent;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

pub(crate) use self::frames::Speller;
pub(crate) use self::ring::Ring;

use crate::meter::Meter;

/// Most frames that wait for a client.
const MOST_FRAMES: usize = 16 * 1024;

/// When a watch ends, and how much of it may wait for its client.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The watch ends after this time.
    pub(crate) timeout: Duration,
    /// Most bytes that wait for the client.
    pub(crate) buffer: usize,
    /// The watch ends when the gateway stops.
    pub(crate) drain: Drain,
}

/// A frame that waits, and its share of the buffer.
type Waiting = (Bytes, OwnedSemaphorePermit);

/// Moves frames from upstream to the buffer.
pub(crate) struct Pump<S> {
    upstream: S,
    speller: Speller,
    limits: Limits,
    room: Arc<Semaphore>,
    frames: mpsc::Sender<Waiting>,
    /// What the client reads after all else.
    farewell: oneshot::Sender<Bytes>,
    meter: Option<Meter>,
}

/// Why a watch ends.
enum End {
    /// There is no more to say: time is up, upstream is done, or the client is gone.
    Quiet,
    /// The client is told.
    Error(ApiError),
}

/// A watch of `upstream`: the pump, to be spawned, and the body that its frames come out of.
pub(crate) fn start<S>(upstream: S, speller: Speller, limits: Limits) -> (Pump<S>, Body)
where
    S: Stream<Item = Result<RawWatchEvent, ApiError>> + Unpin + Send + 'static,
{
    let (frames, waiting) = mpsc::channel::<Waiting>(MOST_FRAMES);
    let (farewell, last) = oneshot::channel();
    let room = Arc::new(Semaphore::new(limits.buffer.min(Semaphore::MAX_PERMITS)));
    let body = stream::unfold(waiting, |mut waiting| async move {
        // The permit is given back when the frame leaves for the connection.
        waiting.recv().await.map(|(frame, _permit)| (frame, waiting))
    });
    let last = stream::once(last).filter_map(|last| std::future::ready(last.ok()));
    let body = Body::from_stream(body.chain(last).map(Ok::<_, ApiError>));
    (Pump { upstream, speller, limits, room, frames, farewell, meter: None }, body)
}

// === impl Pump ===

impl<S> Pump<S>
where
    S: Stream<Item = Result<RawWatchEvent, ApiError>> + Unpin + Send + 'static,
{
    /// Counts what is moved.
    pub(crate) fn counted(mut self, meter: &Meter) -> Self {
        self.meter = Some(meter.clone());
        self
    }

    /// Moves frames until the watch ends.
    pub(crate) async fn run(mut self) {
        let deadline = Instant::now() + self.limits.timeout;
        let drain = self.limits.drain.clone();
        let end = tokio::select! {
            end = self.pump() => end,
            () = tokio::time::sleep_until(deadline) => End::Quiet,
            () = drain.signaled() => End::Quiet,
        };
        if let End::Error(error) = end
            && let Ok(frame) = self.speller.error(error)
        {
            // A client that is gone does not mind.
            let _ = self.farewell.send(frame);
        }
    }

    async fn pump(&mut self) -> End {
        loop {
            // What is there already needs no waiting, which costs more than the change itself; though others want to
            // run too.
            tokio::task::consume_budget().await;
            let next = match self.upstream.next().now_or_never() {
                Some(next) => next,
                None => tokio::select! {
                    next = self.upstream.next() => next,
                    () = self.frames.closed() => return End::Quiet,
                },
            };
            let sent = match next {
                Some(Ok(event)) => self.speller.frame(&event).and_then(|frame| self.send(frame)),
                Some(Err(error)) => Err(error),
                None => return End::Quiet,
            };
            if let Err(error) = sent {
                return End::Error(error);
            }
        }
    }

    /// Puts a frame into the buffer; fails with `Expired` if there is no room.
    fn send(&self, frame: Bytes) -> Result<(), ApiError> {
        let size = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let lagging = || {
            if let Some(meter) = &self.meter {
                meter.lagging_watches.inc();
            }
            ApiError::expired("the client reads the watch too slowly; list again and watch from there")
        };
        let permit = self.room.clone().try_acquire_many_owned(size).map_err(|_| lagging())?;
        match self.frames.try_send((frame, permit)) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(lagging()),
            // A client that is gone is noticed by the loop.
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Ok(()) => {
                if let Some(meter) = &self.meter {
                    meter.watch_events.inc();
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
