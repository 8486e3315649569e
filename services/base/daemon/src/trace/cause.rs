//! Why somebody acts: the traced write that a list or a watch told of.

use std::time::{Duration, SystemTime};

use super::TraceContext;

/// A reaction that comes so long after the news is no part of the writer's trace any more: what it waited for was
/// something else, for instance to be elected.
const LATE: Duration = Duration::from_secs(60);

/// A traced write that reached a reader, and how long the news took.
///
/// The first reaction to news that came as it happened belongs to the writer's trace ([`super::Tracer::reaction`]).
/// Whatever comes later (news from a list, retries, resyncs) is a trace of its own that links to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    context: TraceContext,
    /// When the server learnt of the write, and when the reader did.
    delivery: Option<(SystemTime, SystemTime)>,
    is_late: bool,
}

// === impl Cause ===

impl Cause {
    /// Length of [`Cause::encode`].
    pub const ENCODED_LEN: usize = TraceContext::ENCODED_LEN + 8;

    /// The form of a watch frame: the stored form of the context, and when the server learnt of the write
    /// (microseconds since 1970, big endian).
    pub fn encode(context: TraceContext, learnt: SystemTime) -> [u8; Self::ENCODED_LEN] {
        let mut bytes = [0; Self::ENCODED_LEN];
        let (ids, time) = bytes.split_at_mut(TraceContext::ENCODED_LEN);
        ids.copy_from_slice(&context.to_bytes());
        let since_epoch = learnt.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        time.copy_from_slice(&u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX).to_be_bytes());
        bytes
    }

    /// Reads what a watch frame carries, just received, with or without the time; `None` if it is malformed.
    pub fn received(bytes: &[u8]) -> Option<Self> {
        let (context, time) = bytes.split_at_checked(TraceContext::ENCODED_LEN)?;
        let cause = Self::from(TraceContext::from_bytes(context)?);
        let Ok(micros) = time.try_into().map(u64::from_be_bytes) else {
            return time.is_empty().then_some(cause);
        };
        if !cause.context.is_sampled() {
            return Some(cause);
        }
        let learnt = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros))?;
        let now = SystemTime::now();
        // Of two hosts' clocks one may be ahead: news does not arrive before it is sent.
        Some(Self { delivery: Some((learnt.min(now), now)), ..cause })
    }

    /// Reads what a list carries of an object: whoever reacts to it is late.
    pub fn listed(bytes: &[u8]) -> Option<Self> {
        Some(Self::from(TraceContext::from_bytes(bytes.get(..TraceContext::ENCODED_LEN)?)?).late())
    }

    /// The same for a reaction that is not the first.
    #[must_use]
    pub fn late(self) -> Self {
        Self { is_late: true, ..self }
    }

    /// Whether a reaction is a trace of its own: it is not the first, or nobody has reacted for a minute.
    pub fn is_late(self) -> bool {
        self.is_late || self.received_at().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > LATE)
    }

    /// The span of the write.
    pub fn context(self) -> TraceContext {
        self.context
    }

    /// When the reader learnt of the write, if it was traced and told as it happened.
    pub fn received_at(self) -> Option<SystemTime> {
        self.delivery.map(|(_, received)| received)
    }

    pub(super) fn delivery(self) -> Option<(SystemTime, SystemTime)> {
        self.delivery
    }
}

impl From<TraceContext> for Cause {
    fn from(context: TraceContext) -> Self {
        Self { context, delivery: None, is_late: false }
    }
}
