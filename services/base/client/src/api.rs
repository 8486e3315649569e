//! The verbs of one kind of object, typed.

mod nouns;
mod params;
mod watch;

pub use self::nouns::Log;
pub use self::params::{Deleted, List, ListParams, Patch, WatchParams};
pub use self::watch::{Watch, WatchEvent, WatchEventKind};

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use keelson_proto::meta::{DeleteOptions, ListMeta};
use keelson_proto::v1::{
    DeleteCollectionRequest, DeleteRequest, GetRequest, PatchRequest, RawCreateRequest, RawList,
    RawUpdateRequest,
};

use crate::RawApi;
use crate::raw::decode;

/// How many objects a page of a list has: enough to need few, small enough to be quick.
const PAGE: i64 = 500;

/// The verbs of kind `K`, in one namespace or in all. Cheap to clone.
pub struct Api<K> {
    raw: RawApi,
    namespace: Arc<str>,
    kind: PhantomData<fn() -> K>,
}

// === impl Api ===

impl<K: Object> Api<K> {
    pub(crate) fn new(raw: RawApi) -> Self {
        Self { raw, namespace: "".into(), kind: PhantomData }
    }

    /// The same verbs in one namespace; "" is all of them, or the place of kinds outside namespaces.
    #[must_use]
    pub fn namespaced(&self, namespace: &str) -> Self {
        Self { raw: self.raw.clone(), namespace: namespace.into(), kind: PhantomData }
    }

    /// The namespace; "" for all.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The same verbs on encoded objects.
    pub fn raw(&self) -> &RawApi {
        &self.raw
    }

    /// Reads the latest state of one object.
    pub async fn get(&self, name: &str) -> Result<K, ApiError> {
        let request =
            GetRequest { namespace: self.namespace.to_string(), name: name.to_owned(), ..Default::default() };
        decode(self.raw.get(request).await?)
    }

    /// Reads all that is selected, in pages of one revision.
    ///
    /// If a page comes too late (its revision has been compacted), the list starts over once, unpaged.
    pub async fn list(&self, params: &ListParams) -> Result<List<K>, ApiError> {
        let list = self.list_raw(params).await?;
        let items = list.items.into_iter().map(decode).collect::<Result<_, _>>()?;
        Ok(List { items, metadata: list.metadata.unwrap_or_default() })
    }

    /// The same, objects encoded.
    pub async fn list_raw(&self, params: &ListParams) -> Result<RawList, ApiError> {
        match self.pages(params).await {
            Err((error, true)) if error.is_expired() => {
                self.raw.list(params.request(&self.namespace, 0, "")).await
            }
            paged => paged.map_err(|(error, _)| error),
        }
    }

    /// All pages as one list. An error says whether it was about a later page.
    async fn pages(&self, params: &ListParams) -> Result<RawList, (ApiError, bool)> {
        let mut items: Vec<Bytes> = Vec::new();
        let mut trace_contexts: Vec<Bytes> = Vec::new();
        let mut token = String::new();
        loop {
            let request = params.request(&self.namespace, PAGE, &token);
            let page = self.raw.list(request).await.map_err(|error| (error, !token.is_empty()))?;
            let metadata = page.metadata.unwrap_or_default();
            if !page.trace_contexts.is_empty() {
                trace_contexts.resize(items.len(), Bytes::new());
                trace_contexts.extend(page.trace_contexts);
            }
            items.extend(page.items);
            if metadata.r#continue.is_empty() {
                let metadata = ListMeta { resource_version: metadata.resource_version, ..Default::default() };
                return Ok(RawList { metadata: Some(metadata), items, trace_contexts, ..RawList::default() });
            }
            token = metadata.r#continue;
        }
    }

    /// Follows changes; ends when the server says so, and with `Expired` if the revision asked for is gone.
    pub async fn watch(&self, params: &WatchParams) -> Result<Watch<K>, ApiError> {
        Ok(Watch::new(self.raw.watch(params.request(&self.namespace)).await?))
    }

    /// Stores a new object; answers with it as it was stored.
    pub async fn create(&self, object: &K) -> Result<K, ApiError> {
        let request = RawCreateRequest {
            namespace: self.namespace_of(object),
            object: object.encode_to_vec().into(),
            options: None,
        };
        decode(self.raw.create(request).await?)
    }

    /// Replaces an object. With a resourceVersion in it this fails with `Conflict` if somebody was faster.
    pub async fn update(&self, object: &K) -> Result<K, ApiError> {
        decode(self.raw.update(self.update_request(object)).await?)
    }

    /// Replaces an object's status and nothing else; the resourceVersion counts as in [`Api::update`].
    pub async fn update_status(&self, object: &K) -> Result<K, ApiError> {
        decode(self.raw.update_status(self.update_request(object)).await?)
    }

    /// Changes part of an object.
    pub async fn patch(&self, name: &str, patch: &Patch) -> Result<K, ApiError> {
        decode(self.raw.patch(self.patch_request(name, "", patch)).await?)
    }

    /// Changes part of an object's status.
    pub async fn patch_status(&self, name: &str, patch: &Patch) -> Result<K, ApiError> {
        decode(self.raw.patch(self.patch_request(name, "status", patch)).await?)
    }

    /// Deletes an object, or begins its graceful deletion.
    pub async fn delete(&self, name: &str, options: DeleteOptions) -> Result<Deleted<K>, ApiError> {
        let (namespace, name) = (self.namespace.to_string(), name.to_owned());
        let deleted = self.raw.delete(DeleteRequest { namespace, name, options: Some(options) }).await?;
        Ok(Deleted { object: decode(deleted.object)?, removed: deleted.removed })
    }

    /// Deletes all that a list would show; answers with it.
    pub async fn delete_collection(
        &self,
        params: &ListParams,
        options: DeleteOptions,
    ) -> Result<List<K>, ApiError> {
        let list = Some(params.request(&self.namespace, 0, ""));
        let list =
            self.raw.delete_collection(DeleteCollectionRequest { list, options: Some(options) }).await?;
        let items = list.items.into_iter().map(decode).collect::<Result<_, _>>()?;
        Ok(List { items, metadata: list.metadata.unwrap_or_default() })
    }

    /// A client of all namespaces writes where the object says.
    fn namespace_of(&self, object: &K) -> String {
        match &*self.namespace {
            "" => object.metadata().namespace.clone(),
            namespace => namespace.to_owned(),
        }
    }

    fn update_request(&self, object: &K) -> RawUpdateRequest {
        RawUpdateRequest {
            namespace: self.namespace_of(object),
            name: object.metadata().name.clone(),
            object: object.encode_to_vec().into(),
            options: None,
        }
    }

    fn patch_request(&self, name: &str, subresource: &str, patch: &Patch) -> PatchRequest {
        PatchRequest {
            namespace: self.namespace.to_string(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
            content_type: patch.content_type.to_owned(),
            patch: patch.body.clone(),
            options: None,
        }
    }
}

impl<K> Clone for Api<K> {
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone(), namespace: self.namespace.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for Api<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("service", &self.raw.service())
            .field("namespace", &self.namespace)
            .finish()
    }
}

#[cfg(test)]
mod tests;
