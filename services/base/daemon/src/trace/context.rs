//! The name of one span in one trace, and its three written forms: header, bytes, OpenTelemetry.

use std::fmt;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Length of a version 00 `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`.
const HEADER_LEN: usize = 55;

/// Names one span of one trace, and says whether that trace is recorded (W3C Trace Context level 1).
///
/// Always valid: neither id is zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    flags: TraceFlags,
}

// === impl TraceContext ===

impl TraceContext {
    /// Length of [`TraceContext::to_bytes`].
    pub const ENCODED_LEN: usize = 25;

    /// The first span of a new, recorded trace.
    pub fn root() -> Self {
        Self { trace: TraceId::from(fastrand::u128(1..)), span: random_span(), flags: TraceFlags::SAMPLED }
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span: random_span(), ..self }
    }

    /// The same, saying that the trace is not recorded.
    #[must_use]
    pub fn unsampled(self) -> Self {
        Self { flags: TraceFlags::default(), ..self }
    }

    /// Reads a `traceparent` header; `None` if it breaks the W3C grammar in any way, as the standard demands.
    ///
    /// Versions after 00 may append fields, which are ignored. Flags other than "sampled" are dropped, since a
    /// receiver that does not know them must not hand them on.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let text = traceparent.as_bytes();
        let version = hex::<1>(text.get(0..2)?)?[0];
        let shape_ok = match version {
            0 => text.len() == HEADER_LEN,
            0xff => false,
            _ => text.len() == HEADER_LEN || text.get(HEADER_LEN) == Some(&b'-'),
        };
        if !shape_ok || [2, 35, 52].iter().any(|&at| text.get(at) != Some(&b'-')) {
            return None;
        }
        let trace = hex::<16>(text.get(3..35)?)?;
        let span = hex::<8>(text.get(36..52)?)?;
        let flags = hex::<1>(text.get(53..55)?)?[0];
        Self::new(trace, span, flags)
    }

    /// The version 00 `traceparent` header.
    pub fn to_header(self) -> String {
        self.to_string()
    }

    /// The stored form: trace id (16 bytes), span id (8), flags (1).
    pub fn to_bytes(self) -> [u8; Self::ENCODED_LEN] {
        let mut bytes = [0; Self::ENCODED_LEN];
        bytes[..16].copy_from_slice(&self.trace.to_bytes());
        bytes[16..24].copy_from_slice(&self.span.to_bytes());
        bytes[24] = self.flags.to_u8();
        bytes
    }

    /// Reads the stored form; `None` if the length is wrong or an id is zero.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::ENCODED_LEN] = bytes.try_into().ok()?;
        let (ids, flags) = bytes.split_at(24);
        let (trace, span) = ids.split_at(16);
        Self::new(trace.try_into().ok()?, span.try_into().ok()?, flags[0])
    }

    /// Whether spans of this trace are recorded.
    pub fn is_sampled(self) -> bool {
        self.flags.is_sampled()
    }

    /// The id shared by all spans of the trace.
    pub fn trace_id(self) -> TraceId {
        self.trace
    }

    /// The id of this span.
    pub fn span_id(self) -> SpanId {
        self.span
    }

    /// The same in OpenTelemetry's terms, for an exporter.
    pub fn to_span_context(self, is_remote: bool) -> SpanContext {
        SpanContext::new(self.trace, self.span, self.flags, is_remote, TraceState::NONE)
    }

    fn new(trace: [u8; 16], span: [u8; 8], flags: u8) -> Option<Self> {
        let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
        let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
        (trace != TraceId::INVALID && span != SpanId::INVALID).then_some(Self { trace, span, flags })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trace = u128::from_be_bytes(self.trace.to_bytes());
        let span = u64::from_be_bytes(self.span.to_bytes());
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", self.flags.to_u8())
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

fn random_span() -> SpanId {
    SpanId::from(fastrand::u64(1..))
}

/// Reads exactly `N` bytes of lower-case hex: the standard forbids capitals, and `from_str_radix` would take a sign.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
