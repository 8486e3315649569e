//! Calls that change something.

use axum::body::Body;
use axum::response::Response;
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use keelson_base_model::status::ApiError;
use keelson_proto::authentication::TokenRequest;
use keelson_proto::core::Binding;
use keelson_proto::meta::Status;
use keelson_proto::policy::Eviction;
use keelson_proto::wire;

use super::Exchange;
use crate::body::Validation;
use crate::kinds::alias;
use crate::request;
use crate::response::{self, status};
use crate::route::Verb;

/// POST on a collection.
pub(super) async fn create(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content = exchange.content(body).await?;
    let received = exchange.codec()?.read(&content, Validation::read(&exchange.query)?)?;
    let kind = exchange.call.kind;
    let mut request = request::create::create(&exchange.call, &exchange.query, &received)?;
    request.object = alias::inward(kind, &request.object)?;
    let object = exchange.api().create(request).await?;
    let mut response = exchange.object(StatusCode::CREATED, &alias::outward(kind, object)?)?;
    response::warn(&mut response, &received.warnings);
    Ok(response)
}

/// PUT on an object, its status or its finalizers.
pub(super) async fn update(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content = exchange.content(body).await?;
    let received = exchange.codec()?.read(&content, Validation::read(&exchange.query)?)?;
    let kind = exchange.call.kind;
    let mut request = request::update::update(&exchange.call, &exchange.query, &received)?;
    request.object = alias::inward(kind, &request.object)?;
    let api = exchange.api();
    let object = match exchange.call.verb {
        Verb::UpdateStatus => api.update_status(request).await?,
        Verb::Finalize => api.unary_bytes("Finalize", &request).await?,
        _ => api.update(request).await?,
    };
    let mut response = exchange.object(StatusCode::OK, &alias::outward(kind, object)?)?;
    response::warn(&mut response, &received.warnings);
    Ok(response)
}

/// PATCH on an object or its status.
pub(super) async fn patch(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content_type = crate::body::content_type(&exchange.headers);
    let patch = exchange.bytes(body).await?;
    Validation::read(&exchange.query)?;
    let kind = exchange.call.kind;
    let patch = alias::patch(kind, &content_type, patch);
    let request = request::patch::patch(&exchange.call, &exchange.query, content_type, patch)?;
    let (object, notes) = exchange.api().unary_noted("Patch", &request).await?;
    let code = if notes.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = exchange.object(code, &alias::outward(kind, object)?)?;
    response::warn(&mut response, &notes.warnings);
    Ok(response)
}

/// DELETE on an object. What is gone at once is told by a Status, but for the kinds that clients know to come back
/// as objects; what stays for its grace or its finalizers is told by the object.
pub(super) async fn delete(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content = exchange.content(body).await?;
    let options = request::delete::options(&exchange.query, content)?;
    let deleted = exchange.api().delete(request::delete::delete(&exchange.call, options)).await?;
    let kind = exchange.call.kind;
    if !deleted.removed || status::returns_deleted(kind) {
        return exchange.object(StatusCode::OK, &alias::outward(kind, deleted.object)?);
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
    let deleted = alias::page(exchange.call.kind, exchange.api().delete_collection(request).await?)?;
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

/// POST of an eviction.
pub(super) async fn evict(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let (eviction, warnings) = exchange.received::<Eviction>(body).await?;
    let request = request::evict::evict(&exchange.call, &exchange.query, eviction)?;
    let _: Status = exchange.api().unary("Evict", &request).await?;
    let mut response = response::message(exchange.form, StatusCode::CREATED, &status::success())?;
    response::warn(&mut response, &warnings);
    Ok(response)
}

/// POST of a request for a token.
pub(super) async fn create_token(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let (asked, warnings) = exchange.received::<TokenRequest>(body).await?;
    let request = request::token::token(&exchange.call, &exchange.query, asked)?;
    let made: TokenRequest = exchange.api().unary("CreateToken", &request).await?;
    let mut response = response::message(exchange.form, StatusCode::CREATED, &made)?;
    response::warn(&mut response, &warnings);
    Ok(response)
}
