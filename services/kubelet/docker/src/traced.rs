//! What calls of Docker say of themselves in traces.

use keelson_base_daemon::trace::{self, Span, SpanKind};

/// The span of a call about a container, by its id or name.
pub(crate) fn container(name: &'static str, id: &str) -> Span {
    about(name, "container.id", id)
}

/// The span of a call about an image.
pub(crate) fn image(name: &'static str, image: &str) -> Span {
    about(name, "container.image.name", image)
}

fn about(name: &'static str, key: &'static str, value: &str) -> Span {
    let mut span = trace::span(name).kind(SpanKind::Client);
    if span.is_recording() {
        span.attribute("server.address", "docker");
        span.attribute(key, value.to_owned());
    }
    span
}
