//! A registry without its kind's type: requests in, bytes out. What the rpc layer serves.

use bytes::Bytes;
use futures::future::BoxFuture;
use keelson_base_model::status::ApiError;
use keelson_proto::v1::{
    DeleteCollectionRequest, DeleteRequest, GetRequest, ListRequest, PatchRequest, RawCreateRequest,
    RawDeleteResponse, RawList, RawUpdateRequest, WatchRequest,
};
use keelson_proto::{Kind, Object};

use crate::auth::{Access, Caller};
use crate::cache::Watch;
use crate::registry::{Part, Registry, Strategy};

/// What a call comes to.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, ApiError>>;

/// A registry of some kind.
pub(crate) trait Noun: Send + Sync + 'static {
    /// Which kind.
    fn kind(&self) -> &'static Kind;
    /// Who decides what may be done with its objects.
    fn access(&self) -> &Access;
    /// Whether it has a status subresource.
    fn has_status(&self) -> bool;
    /// Reads one object.
    fn get(&self, request: GetRequest) -> Answer<'_, Bytes>;
    /// Lists objects.
    fn list(&self, request: ListRequest) -> Answer<'_, RawList>;
    /// Begins a watch.
    fn watch(&self, request: WatchRequest) -> Answer<'_, Watch>;
    /// Stores a new object.
    fn create(&self, caller: Caller, request: RawCreateRequest) -> Answer<'_, Bytes>;
    /// Replaces an object, or its status.
    fn update(&self, caller: Caller, request: RawUpdateRequest, part: Part) -> Answer<'_, Bytes>;
    /// Changes part of an object.
    fn patch(&self, caller: Caller, request: PatchRequest) -> Answer<'_, Bytes>;
    /// Deletes an object.
    fn delete(&self, caller: Caller, request: DeleteRequest) -> Answer<'_, RawDeleteResponse>;
    /// Deletes what a list shows.
    fn delete_collection(&self, caller: Caller, request: DeleteCollectionRequest) -> Answer<'_, RawList>;
}

// === impl Noun ===

impl<S: Strategy> Noun for Registry<S> {
    fn kind(&self) -> &'static Kind {
        S::Object::KIND
    }

    fn access(&self) -> &Access {
        &self.access
    }

    fn has_status(&self) -> bool {
        self.strategy.has_status()
    }

    fn get(&self, request: GetRequest) -> Answer<'_, Bytes> {
        Box::pin(async move { Registry::get(self, &request).await })
    }

    fn list(&self, request: ListRequest) -> Answer<'_, RawList> {
        Box::pin(async move { Registry::list(self, &request).await })
    }

    fn watch(&self, request: WatchRequest) -> Answer<'_, Watch> {
        Box::pin(async move { Registry::watch(self, &request).await })
    }

    fn create(&self, caller: Caller, request: RawCreateRequest) -> Answer<'_, Bytes> {
        Box::pin(async move { Registry::create(self, &caller, request).await })
    }

    fn update(&self, caller: Caller, request: RawUpdateRequest, part: Part) -> Answer<'_, Bytes> {
        Box::pin(async move { Registry::update(self, &caller, request, part).await })
    }

    fn patch(&self, caller: Caller, request: PatchRequest) -> Answer<'_, Bytes> {
        Box::pin(async move { Registry::patch(self, &caller, request).await })
    }

    fn delete(&self, caller: Caller, request: DeleteRequest) -> Answer<'_, RawDeleteResponse> {
        Box::pin(async move { Registry::delete(self, &caller, request).await })
    }

    fn delete_collection(&self, caller: Caller, request: DeleteCollectionRequest) -> Answer<'_, RawList> {
        Box::pin(async move { Registry::delete_collection(self, &caller, request).await })
    }
}
