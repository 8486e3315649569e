//! Calls that become conversations, or are passed on.

use axum::body::Body;
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use keelson_base_model::status::ApiError;

use super::Exchange;
use crate::request;
use crate::route::{Verb, proxied};
use crate::stream::container::{self, Conversation};
use crate::stream::forward::{self, Pod};
use crate::stream::upgrade::Upgrade;
use crate::stream::{Room, proxy};

/// Exec and attach.
pub(super) async fn container(exchange: Exchange) -> Result<Response, ApiError> {
    let (method, (start, wanted)) = match exchange.call.verb {
        Verb::Attach => ("Attach", request::connect::attach(&exchange.call, &exchange.query)?),
        _ => ("Exec", request::connect::exec(&exchange.call, &exchange.query)?),
    };
    let upgrade = Upgrade::required(&exchange.headers)?;
    let protocol = container::Protocol::choose(&upgrade)?;
    let changed = exchange.line_upgrade()?;
    let api = exchange.watch_client.raw(exchange.call.kind.service);
    let conversation = Conversation::begin(&api, method, start, wanted).await?;
    exchange
        .room()
        .converse("container", changed, move |io, activity| conversation.with_client(io, protocol, activity));
    Ok(upgrade.accept(protocol.name))
}

/// Port-forward.
pub(super) async fn port_forward(exchange: Exchange) -> Result<Response, ApiError> {
    let upgrade = Upgrade::required(&exchange.headers)?;
    let protocol = forward::Protocol::choose(&upgrade)?;
    let ports = match protocol.wants_ports() {
        true => request::connect::ports(&exchange.query)?,
        false => Vec::new(),
    };
    let changed = exchange.line_upgrade()?;
    let pod = Pod {
        api: exchange.watch_client.raw(exchange.call.kind.service),
        namespace: exchange.call.namespace.clone(),
        name: exchange.call.name.clone(),
    };
    pod.ask().await?;
    exchange.room().converse("port-forward", changed, move |io, activity| {
        pod.with_client(io, protocol, ports, activity)
    });
    Ok(upgrade.accept(protocol.name()))
}

/// A request that is passed on to a pod, a service or a node.
pub(super) async fn proxy(exchange: Exchange, body: Body) -> Result<Response, ApiError> {
    let path = exchange.line.uri.path().to_owned();
    let proxied = proxied::read(&path)?.ok_or_else(ApiError::unknown_resource)?;
    let api = exchange.watch_client.raw(exchange.call.kind.service);
    let received = proxy::Received {
        proxied,
        method: &exchange.line.method,
        query: exchange.line.uri.query(),
        headers: &exchange.headers,
        connection: exchange.line.connection,
        upgrade: exchange.line.upgrade.clone(),
    };
    received.pass_on(&api, body, exchange.room()).await
}

// === impl Exchange ===

impl Exchange {
    /// The connection, once its protocol has changed.
    pub(super) fn line_upgrade(&self) -> Result<OnUpgrade, ApiError> {
        // HTTP/2 has no such change.
        self.line.upgrade.clone().ok_or_else(|| {
            ApiError::bad_request("Upgrade request required: this connection cannot change its protocol")
        })
    }

    /// Where conversations run.
    pub(super) fn room(&self) -> Room<impl Send + use<>> {
        Room { tasks: self.shared.config.tasks.clone(), place: self.line.place.clone() }
    }
}
