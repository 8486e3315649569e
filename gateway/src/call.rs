//! One call on objects, from request to response: read, translate, ask api, spell.

mod connect;
mod read;
mod scale;
mod watch;
mod write;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode, Uri};
use hyper::upgrade::OnUpgrade;
use keelson_base_client::{Client, RawApi};
use keelson_base_daemon::serve::ConnectionInfo;
use keelson_base_model::status::ApiError;
use keelson_proto::core::Pod;
use keelson_proto::{Object as _, json};

use crate::body::{self, Content, Validation};
use crate::gateway::Shared;
use crate::kinds::{Codec, codec};
use crate::negotiate::Form;
use crate::query::Query;
use crate::response;
use crate::route::{Call, Verb};

/// A call and all that came with it.
pub(crate) struct Exchange {
    /// What all calls share.
    pub(crate) shared: Arc<Shared>,
    /// Calls api for the user.
    pub(crate) client: Client,
    /// Watches for the user, over a connection of its own.
    pub(crate) watch_client: Client,
    /// What is asked for.
    pub(crate) call: Call,
    /// With which parameters.
    pub(crate) query: Query,
    /// With which headers.
    pub(crate) headers: HeaderMap,
    /// In which form to answer.
    pub(crate) form: Form,
    /// What else is known of the request.
    pub(crate) line: Line,
}

/// A request as it stood on its connection, for what goes on after its answer or is passed on.
pub(crate) struct Line {
    /// How it was sent.
    pub(crate) method: Method,
    /// To which path.
    pub(crate) uri: Uri,
    /// Over which connection, if over one.
    pub(crate) connection: Option<ConnectionInfo>,
    /// The connection, once its protocol has changed; HTTP/2 has no such change.
    pub(crate) upgrade: Option<OnUpgrade>,
    /// Its place among the requests under way.
    pub(crate) place: Place,
}

/// A place among the requests under way, kept until the last clone is gone.
pub(crate) type Place = Arc<dyn Send + Sync>;

/// Answers a call that came with `body`.
pub(crate) async fn answer(exchange: Exchange, body: Body) -> Result<Response, ApiError> {
    match exchange.call.verb {
        Verb::List => read::list(&exchange).await,
        Verb::Get => read::get(&exchange).await,
        Verb::Log => read::log(&exchange).await,
        Verb::GetScale => scale::get(&exchange).await,
        Verb::Watch => watch::watch(&exchange).await,
        Verb::Create => write::create(&exchange, body).await,
        Verb::Update | Verb::UpdateStatus | Verb::Finalize => write::update(&exchange, body).await,
        Verb::Patch | Verb::PatchStatus => write::patch(&exchange, body).await,
        Verb::PatchScale => scale::patch(&exchange, body).await,
        Verb::Delete => write::delete(&exchange, body).await,
        Verb::DeleteCollection => write::delete_collection(&exchange, body).await,
        Verb::Bind => write::bind(&exchange, body).await,
        Verb::Evict => write::evict(&exchange, body).await,
        Verb::CreateToken => write::create_token(&exchange, body).await,
        Verb::Exec | Verb::Attach => connect::container(exchange).await,
        Verb::PortForward => connect::port_forward(exchange).await,
        Verb::Proxy => connect::proxy(exchange, body).await,
        Verb::UpdateScale => scale::update(&exchange, body).await,
    }
}

// === impl Exchange ===

impl Exchange {
    fn codec(&self) -> Result<&'static Codec, ApiError> {
        codec(self.call.kind)
    }

    /// The registry of the call's kind; bindings are the business of pods.
    fn api(&self) -> RawApi {
        match self.call.kind.service {
            "" => self.client.raw(Pod::KIND.service),
            service => self.client.raw(service),
        }
    }

    async fn content(&self, body: Body) -> Result<Content, ApiError> {
        let media = body::media(&self.headers)?;
        Ok(Content { bytes: self.bytes(body).await?, media })
    }

    async fn bytes(&self, body: Body) -> Result<bytes::Bytes, ApiError> {
        body::bytes(body, self.shared.config.max_body).await
    }

    /// The object of kind `T` that was sent; `T` need not have a registry.
    async fn received<T>(&self, body: Body) -> Result<(T, Vec<String>), ApiError>
    where
        T: json::Message + keelson_proto::Message + Default,
    {
        let content = self.content(body).await?;
        body::decode(&content, Validation::read(&self.query)?)
    }

    fn object(&self, code: StatusCode, object: &bytes::Bytes) -> Result<Response, ApiError> {
        response::object(self.form, self.codec()?, code, object)
    }
}
