//! Calls on the scale of an object.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use keelson_base_model::patch::Form;
use keelson_base_model::status::ApiError;
use keelson_proto::autoscaling::Scale;

use super::Exchange;
use crate::request;
use crate::response;

/// How often a patch is applied anew because somebody else was faster.
const TRIES: usize = 5;

/// GET on a scale.
pub(super) async fn get(exchange: &Exchange) -> Result<Response, ApiError> {
    response::message(exchange.form, StatusCode::OK, &read(exchange).await?)
}

/// PUT on a scale.
pub(super) async fn update(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let (scale, warnings) = exchange.received::<Scale>(body).await?;
    let request = request::scale::scale(&exchange.call, &exchange.query, scale)?;
    let scale: Scale = exchange.api().unary("Scale", &request).await?;
    let mut response = response::message(exchange.form, StatusCode::OK, &scale)?;
    response::warn(&mut response, &warnings);
    Ok(response)
}

/// PATCH on a scale: api has no call for it, so it is read, patched and written here. A lost race is run again,
/// unless the patch itself names the version that it is for.
pub(super) async fn patch(exchange: &Exchange, body: Body) -> Result<Response, ApiError> {
    let content_type = crate::body::content_type(&exchange.headers);
    let form = Form::from_content_type(&content_type).ok_or_else(|| {
        ApiError::unsupported_media_type(&[Form::Json, Form::Merge, Form::Strategic].map(Form::content_type))
    })?;
    let patch = exchange.bytes(body).await?;
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let old = read(exchange).await?;
        let request = request::scale::patched(&exchange.call, &exchange.query, form, &patch, &old)?;
        let new = request.scale.as_ref().map(|scale| scale.metadata.resource_version.clone());
        let names_version = new.as_ref() != Some(&old.metadata.resource_version);
        match exchange.api().unary::<Scale>("Scale", &request).await {
            Err(error) if error.is_conflict() && !names_version && tries > 0 => {}
            Err(error) => return Err(error),
            Ok(scale) => return response::message(exchange.form, StatusCode::OK, &scale),
        }
    }
}

async fn read(exchange: &Exchange) -> Result<Scale, ApiError> {
    let request = request::get(&exchange.call, &exchange.query);
    exchange.api().unary("GetScale", &request).await
}
