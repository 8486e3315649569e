//! Watches: the answer begins at once and lasts.

use std::time::Duration;

use axum::response::Response;
use futures::stream::{self, StreamExt as _};
use http::{HeaderName, HeaderValue, StatusCode};
use keelson_base_model::status::ApiError;

use super::Exchange;
use crate::kinds::alias;
use crate::negotiate::{Media, OBJECTS};
use crate::request;
use crate::response;
use crate::stream::upgrade::Upgrade;
use crate::stream::watch as messages;
use crate::watch::{Limits, Speller, start};

/// Tells proxies not to hold the stream back.
const NOSNIFF: HeaderName = http::header::X_CONTENT_TYPE_OPTIONS;

/// GET on a collection with `watch`.
pub(super) async fn watch(exchange: &Exchange) -> Result<Response, ApiError> {
    let codec = exchange.codec()?;
    if exchange.form.media == Media::Yaml {
        return Err(ApiError::not_acceptable(&[OBJECTS[0], OBJECTS[2]]));
    }
    let request = request::watch::watch(&exchange.call, &exchange.query)?;
    let config = &exchange.shared.config;
    let limits = Limits {
        timeout: request::watch::timeout(&exchange.query)?.unwrap_or_else(|| patience(config.watch_timeout)),
        buffer: config.watch_buffer,
        drain: config.tasks.drain(),
    };
    let kind = exchange.call.kind;
    let upstream = match exchange.watch_client.raw(exchange.call.kind.service).watch(request).await {
        Ok(upstream) => upstream.map(move |event| alias::change(kind, event?)).left_stream(),
        // As in Kubernetes, that history is gone is told within the watch: kube-rs lists again only if it is.
        Err(error) if error.is_expired() => stream::once(std::future::ready(Err(error))).right_stream(),
        Err(error) => return Err(error),
    };
    let speller = Speller::new(codec, exchange.form, exchange.shared.ring.clone());
    let content_type = speller.content_type();
    let (pump, body) = start(upstream, speller, limits);
    config.tasks.spawn("watch", pump.counted(&exchange.shared.meter).run());
    if let Some(upgrade @ Upgrade::WebSocket { .. }) = Upgrade::read(&exchange.headers) {
        let framing = match exchange.form.media {
            Media::Protobuf => messages::Framing::Binary,
            _ => messages::Framing::Text,
        };
        exchange.room().converse("watch-messages", exchange.line_upgrade()?, move |io, activity| {
            messages::serve(io, body, framing, activity)
        });
        return Ok(upgrade.accept(""));
    }
    let mut response = response::plain(StatusCode::OK, content_type, body);
    response.headers_mut().insert(NOSNIFF, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// How long a watch may last whose client does not say: at least `least`, less than twice that, so that clients that
/// came together do not all come back together.
fn patience(least: Duration) -> Duration {
    least + least.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_end_at_different_times() {
        let least = Duration::from_secs(1800);
        let all: Vec<Duration> = std::iter::repeat_with(|| patience(least)).take(100).collect();
        assert!(all.iter().all(|time| (least..least * 2).contains(time)));
        assert!(all.iter().any(|time| *time != all[0]));
    }
}
