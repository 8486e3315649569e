//! The verbs that all nouns share, on encoded objects: which noun is data.
//!
//! Every noun's messages have the same fields at the same numbers, so the raw twins of `keelson.v1` are the wire of
//! all of them.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::uri::PathAndQuery;
use keelson_base_daemon::trace::rpc;
use keelson_base_model::status::ApiError;
use keelson_proto::Message;
use keelson_proto::v1::{
    DeleteCollectionRequest, DeleteRequest, GetRequest, ListRequest, PatchRequest, RawCreateRequest,
    RawDeleteResponse, RawList, RawUpdateRequest, RawWatchEvent, WatchRequest,
};
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic::{Request, Response, Status, Streaming};

use crate::channel::Lost;
use crate::client::CallOptions;
use crate::codec::BytesCodec;
use crate::notes::Notes;
use crate::{Channel, status};

/// The largest message that is accepted, in bytes: a list is one message.
pub const MAX_MESSAGE: usize = 64 << 20;

/// The verbs of one noun's service, on encoded objects. Cheap to clone.
#[derive(Clone)]
pub struct RawApi {
    service: Arc<str>,
    calls: Grpc<Channel>,
    watches: Grpc<Channel>,
    options: Arc<CallOptions>,
}

/// The messages of a server's stream, decoded as they arrive.
pub struct Messages<A> {
    stream: Streaming<Bytes>,
    message: PhantomData<fn() -> A>,
}

// === impl RawApi ===

impl RawApi {
    pub(crate) fn new(service: &str, calls: Channel, watches: Channel, options: CallOptions) -> Self {
        let grpc = |channel| Grpc::new(channel).max_decoding_message_size(MAX_MESSAGE);
        Self {
            service: service.into(),
            calls: grpc(calls),
            watches: grpc(watches),
            options: Arc::new(options),
        }
    }

    /// Full name of the gRPC service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Reads one object.
    pub async fn get(&self, request: GetRequest) -> Result<Bytes, ApiError> {
        self.unary_bytes("Get", &request).await
    }

    /// Reads one page.
    pub async fn list(&self, request: ListRequest) -> Result<RawList, ApiError> {
        self.unary("List", &request).await
    }

    /// Reads all pages of one revision, as they come.
    pub async fn list_stream(&self, request: ListRequest) -> Result<Messages<RawList>, ApiError> {
        self.server_stream("ListStream", &request).await
    }

    /// Follows changes.
    pub async fn watch(&self, request: WatchRequest) -> Result<Messages<RawWatchEvent>, ApiError> {
        self.server_stream("Watch", &request).await
    }

    /// Stores a new object; answers with it as it was stored.
    pub async fn create(&self, request: RawCreateRequest) -> Result<Bytes, ApiError> {
        self.unary_bytes("Create", &request).await
    }

    /// Replaces an object, its status excepted.
    pub async fn update(&self, request: RawUpdateRequest) -> Result<Bytes, ApiError> {
        self.unary_bytes("Update", &request).await
    }

    /// Replaces an object's status and nothing else.
    pub async fn update_status(&self, request: RawUpdateRequest) -> Result<Bytes, ApiError> {
        self.unary_bytes("UpdateStatus", &request).await
    }

    /// Changes part of an object.
    pub async fn patch(&self, request: PatchRequest) -> Result<Bytes, ApiError> {
        self.unary_bytes("Patch", &request).await
    }

    /// Deletes an object, or begins its graceful deletion.
    pub async fn delete(&self, request: DeleteRequest) -> Result<RawDeleteResponse, ApiError> {
        self.unary("Delete", &request).await
    }

    /// Deletes all that a list would show; answers with it.
    pub async fn delete_collection(&self, request: DeleteCollectionRequest) -> Result<RawList, ApiError> {
        self.unary("DeleteCollection", &request).await
    }

    /// Any other unary method of the service.
    pub async fn unary<A: Message + Default>(
        &self,
        method: &'static str,
        request: &impl Message,
    ) -> Result<A, ApiError> {
        decode(self.unary_bytes(method, request).await?)
    }

    /// The same, with the answer as it came.
    pub async fn unary_bytes(&self, method: &'static str, request: &impl Message) -> Result<Bytes, ApiError> {
        let span = rpc::client(&self.service, method);
        span.instrument_result(self.call(method, request)).await.map(Response::into_inner)
    }

    /// The same, with what the server notes besides.
    pub async fn unary_noted(
        &self,
        method: &'static str,
        request: &impl Message,
    ) -> Result<(Bytes, Notes), ApiError> {
        let span = rpc::client(&self.service, method);
        let answer = span.instrument_result(self.call(method, request)).await?;
        let notes = Notes::read(answer.metadata());
        Ok((answer.into_inner(), notes))
    }

    async fn call(&self, method: &'static str, request: &impl Message) -> Result<Response<Bytes>, ApiError> {
        let (office, deadline) = self.options.bounds(method)?;
        let message = Bytes::from(request.encode_to_vec());
        let path = self.path(method)?;
        let until = Instant::now() + deadline;
        let send = || {
            let mut request = self.request(message.clone());
            request.set_timeout(until.saturating_duration_since(Instant::now()));
            if let Some(office) = office.clone() {
                request.extensions_mut().insert(office);
            }
            let (mut grpc, path) = (self.calls.clone(), path.clone());
            async move {
                grpc.ready().await?;
                grpc.unary(request, path, BytesCodec).await
            }
        };
        let call = async {
            match send().await {
                Err(status) if may_be_repeated(method) && is_lost(&status) => send().await,
                answer => answer,
            }
        };
        self.within_deadline(method, deadline, call).await
    }

    /// Any other method of the service that answers with a stream. Opening it is subject to the deadline, reading is
    /// not.
    pub async fn server_stream<A: Message + Default>(
        &self,
        method: &'static str,
        request: &impl Message,
    ) -> Result<Messages<A>, ApiError> {
        let span = rpc::client(&self.service, method);
        let stream = span.instrument_result(self.open(method, request)).await?;
        Ok(Messages { stream, message: PhantomData })
    }

    async fn open(&self, method: &'static str, request: &impl Message) -> Result<Streaming<Bytes>, ApiError> {
        let request = self.request(request.encode_to_vec().into());
        let path = self.path(method)?;
        let mut grpc = self.watches.clone();
        let call = async move {
            grpc.ready().await?;
            grpc.server_streaming(request, path, BytesCodec).await
        };
        self.within_deadline(method, self.options.deadline, call).await.map(Response::into_inner)
    }

    /// Any other method of the service that takes a stream and answers with one. Opening it is subject to the deadline,
    /// for which the server may need the first of `requests`; what follows is not. Dropping the answer ends the call.
    pub async fn bidi_stream<Q: Message + 'static, A: Message + Default>(
        &self,
        method: &'static str,
        requests: impl Stream<Item = Q> + Send + 'static,
    ) -> Result<Messages<A>, ApiError> {
        let requests = requests.map(|request| Bytes::from(request.encode_to_vec()));
        let span = rpc::client(&self.service, method);
        let stream = span.instrument_result(self.open_both(method, requests)).await?;
        Ok(Messages { stream, message: PhantomData })
    }

    async fn open_both(
        &self,
        method: &'static str,
        requests: impl Stream<Item = Bytes> + Send + 'static,
    ) -> Result<Streaming<Bytes>, ApiError> {
        let (office, deadline) = self.options.bounds(method)?;
        let mut request = Request::new(requests);
        self.options.write(request.metadata_mut());
        if let Some(office) = office {
            request.extensions_mut().insert(office);
        }
        let path = self.path(method)?;
        let mut grpc = self.watches.clone();
        let call = async move {
            grpc.ready().await?;
            grpc.streaming(request, path, BytesCodec).await
        };
        self.within_deadline(method, deadline, call).await.map(Response::into_inner)
    }

    /// Waits for an answer. A server may get the deadline too, but it may be the server that does not answer.
    async fn within_deadline<T>(
        &self,
        method: &'static str,
        deadline: Duration,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<Response<T>, ApiError> {
        let begun = Instant::now();
        let answer = match tokio::time::timeout(deadline, call).await {
            Ok(answer) => answer.map_err(status::from_grpc),
            Err(_) => {
                let late = format!("/{}/{method} did not answer within {deadline:?}", self.service);
                Err(status::from_grpc(Status::deadline_exceeded(late)))
            }
        };
        if let Some(meter) = &self.options.meter {
            meter.answered(method, answer.as_ref().map_or_else(ApiError::code, |_| 200), begun.elapsed());
        }
        answer
    }

    fn request(&self, message: Bytes) -> Request<Bytes> {
        let mut request = Request::new(message);
        self.options.write(request.metadata_mut());
        request
    }

    fn path(&self, method: &'static str) -> Result<PathAndQuery, ApiError> {
        let path = format!("/{}/{method}", self.service);
        let refused = |error| ApiError::internal(format!("{path:?} is no gRPC method: {error}"));
        PathAndQuery::try_from(path.as_str()).map_err(refused)
    }
}

impl fmt::Debug for RawApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawApi").field("service", &self.service).finish_non_exhaustive()
    }
}

// === impl Messages ===

impl<A: Message + Default> Stream for Messages<A> {
    type Item = Result<A, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream
            .poll_next_unpin(cx)
            .map(|next| next.map(|message| message.map_err(status::from_grpc).and_then(decode)))
    }
}

impl<A> fmt::Debug for Messages<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

/// Whether a call that got no answer may be made again, once: it changes nothing. Of writes only those who make them
/// know whether they may.
fn may_be_repeated(method: &str) -> bool {
    matches!(method, "Get" | "List")
}

/// Whether a call was under way when its connection ended: a server may have got it.
fn is_lost(status: &Status) -> bool {
    std::error::Error::source(status).is_some_and(|source| source.is::<Lost>())
}

/// Reads a message; bytes fields share `bytes`.
pub(crate) fn decode<A: Message + Default>(bytes: Bytes) -> Result<A, ApiError> {
    A::decode(bytes).map_err(|error| ApiError::internal(format!("cannot read the server's answer: {error}")))
}
