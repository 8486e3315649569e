//! Calls that change something.

use axum::body::Body;
use axum::response::Response;
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use keelson_base_model::status::ApiError;
use keelson_proto::core::Binding;
use keelson_proto::meta::Status;
use keelson_proto::wire;

use super::Exchange;
use crate::body::Validation;
use crate::request;
use crate::response::{self, status};
use crate::route::Verb;

/// POST on a collection.
pub(super) async fn create(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content = exchange.content(body).await?;
    let received = exchange.codec()?.read(&content, Validation::read(&exchange.query)?)?;
    let request = request::create::create(&exchange.call, &exchange.query, &received)?;
    let object = exchange.api().create(request).await?;
    let mut response = exchange.object(StatusCode::CREATED, &object)?;
    response::warn(&mut response, &received.warnings);
    Ok(response)
}

/// PUT on an object, its status or its finalizers.
pub(super) async fn update(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content = exchange.content(body).await?;
    let received = exchange.codec()?.read(&content, Validation::read(&exchange.query)?)?;
    let request = request::update::update(&exchange.call, &exchange.query, &received)?;
    let api = exchange.api();
    let object = match exchange.call.verb {
        Verb::UpdateStatus => api.update_status(request).await?,
        Verb::Finalize => api.unary_bytes("Finalize", &request).await?,
        _ => api.update(request).await?,
    };
    let mut response = exchange.object(StatusCode::OK, &object)?;
    response::warn(&mut response, &received.warnings);
    Ok(response)
}

/// PATCH on an object or its status.
pub(super) async fn patch(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content_type = crate::body::content_type(&exchange.headers);
    let patch = exchange.bytes(body).await?;
    let request = request::patch::patch(&exchange.call, &exchange.query, content_type, patch)?;
    let object = exchange.api().patch(request).await?;
    exchange.object(StatusCode::OK, &object)
}

/// DELETE on an object. What is gone at once is told by a Status, but for the kinds that clients know to come back
/// as objects; what stays for its grace or its finalizers is told by the object.
pub(super) async fn delete(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content = exchange.content(body).await?;
    let options = request::delete::options(&exchange.query, content)?;
    let deleted = exchange.api().delete(request::delete::delete(&exchange.call, options)).await?;
    let kind = exchange.call.kind;
    if !deleted.removed || status::returns_deleted(kind) {
        return exchange.object(StatusCode::OK, &deleted.object);
    }
    let metadata = wire::metadata(&deleted.object)
        .map_err(|error| ApiError::internal(format!("cannot read the deleted object: {error}")))?;
    response::message(exchange.form, StatusCode::OK, &status::deleted(kind, metadata))
}

/// DELETE on a collection.
pub(super) async fn delete_collection(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content = exchange.content(body).await?;
    let options = request::delete::options(&exchange.query, content)?;
    let request = request::delete::collection(&exchange.call, &exchange.query, options)?;
    let deleted = exchange.api().delete_collection(request).await?;
    response::list::list(exchange.form, exchange.codec()?, deleted, stream::empty().boxed(), false).await
}

/// POST of a binding.
pub(super) async fn bind(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let (binding, warnings) = exchange.received::<Binding>(body).await?;
    let request = request::binding::bind(&exchange.call, binding)?;
    let _: Status = exchange.api().unary("Bind", &request).await?;
    let mut response = response::message(exchange.form, StatusCode::CREATED, &status::success())?;
    response::warn(&mut response, &warnings);
    Ok(response)
}
