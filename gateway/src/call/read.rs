//! Calls that change nothing.

use axum::body::Body;
use axum::response::Response;
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use keelson_base_client::Messages;
use keelson_base_model::status::ApiError;
use keelson_proto::OBSERVED;
use keelson_proto::v1::{LogChunk, RawList};

use super::Exchange;
use crate::kinds::alias;
use crate::request;
use crate::response::{self, gzip};

/// GET on a collection. An unlimited list comes in pages of one revision, so that no answer is held whole.
pub(super) async fn list(exchange: &Exchange) -> Result<Response, ApiError> {
    let codec = exchange.codec()?;
    let request = request::list::list(&exchange.call, &exchange.query)?;
    let gzip = gzip::accepted(&exchange.headers);
    // What is observed is few, and there are no pages of it.
    let observed = OBSERVED.contains(exchange.call.kind);
    if observed || request.limit != 0 || !request.r#continue.is_empty() {
        let mut page = alias::page(exchange.call.kind, exchange.api().list(request).await?)?;
        // It is said of pages that are not asked for here.
        page.items_bytes = 0;
        return response::list::list(exchange.form, codec, page, stream::empty().boxed(), gzip).await;
    }
    let pages: Messages<RawList> = exchange.api().list_stream(request).await?;
    let kind = exchange.call.kind;
    let mut pages = pages.map(move |page| alias::page(kind, page?));
    let mut first = pages.next().await.transpose()?.unwrap_or_default();
    // To the client the pages are one list, which does not go on.
    if let Some(metadata) = &mut first.metadata {
        metadata.r#continue.clear();
        metadata.remaining_item_count = None;
    }
    response::list::list(exchange.form, codec, first, pages.boxed(), gzip).await
}

/// GET on an object.
pub(super) async fn get(exchange: &Exchange) -> Result<Response, ApiError> {
    let object = exchange.api().get(request::get(&exchange.call, &exchange.query)).await?;
    exchange.object(StatusCode::OK, &alias::outward(exchange.call.kind, object)?)
}

/// GET on a log: plain text, as it comes.
pub(super) async fn log(exchange: &Exchange) -> Result<Response, ApiError> {
    let request = request::log::log(&exchange.call, &exchange.query)?;
    let api = exchange.watch_client.raw(exchange.call.kind.service);
    let chunks: Messages<LogChunk> = api.server_stream("Log", &request).await?;
    let drain = exchange.shared.config.tasks.drain();
    let text = chunks.map(|chunk| chunk.map(|chunk| chunk.data)).take_until(drain.signaled_owned());
    Ok(response::plain(StatusCode::OK, "text/plain", Body::from_stream(text)))
}
