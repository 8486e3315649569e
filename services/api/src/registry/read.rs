//! Reading: get, list, watch, all from the cache.

use std::sync::Arc;

use bytes::Bytes;
use keelson_api_store::{KeyValue, RangeRequest};
use keelson_base_model::field::{FieldError, Path};
use keelson_base_model::fields::FieldSelector;
use keelson_base_model::labels::Selector;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use keelson_proto::meta::ListMeta;
use keelson_proto::v1::{GetRequest, ListRequest, RawList, WatchRequest};

use crate::cache::{Entry, Filter, Index, Page, TypedIndex, Watch};
use crate::errors::{from_store, invalid_options};
use crate::registry::token::Token;
use crate::registry::{Registry, Strategy};

/// What a list is told whose state is gone: one that goes on, and one that begins.
const TOKEN_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
const REVISION_EXPIRED: &str = "The resourceVersion for the provided list is too old.";

/// Objects read from the store at once for a page of an old state.
const STORE_PAGE: usize = 500;

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Reads one object.
    ///
    /// # Errors
    /// NotFound, and a timeout if the cache does not reach the store's head.
    pub(crate) async fn get(&self, request: &GetRequest) -> Result<Bytes, ApiError> {
        self.reach(&request.resource_version).await?;
        let path = Self::path(&request.namespace, &request.name);
        self.cache.get(&path).map(|entry| entry.object.clone()).ok_or_else(|| self.not_found(&path))
    }

    /// Lists objects, or a page of them.
    ///
    /// # Errors
    /// BadRequest for a bad selector or token, Expired for a state that is gone.
    pub(crate) async fn list(&self, request: &ListRequest) -> Result<RawList, ApiError> {
        let filter = self.filter(&request.namespace, &request.label_selector, &request.field_selector)?;
        let limit = usize::try_from(request.limit)
            .map_err(|_| ApiError::bad_request("limit must be greater than or equal to 0"))?;
        check_match(request)?;
        if !request.r#continue.is_empty() {
            let token = Token::parse(&request.r#continue)?;
            let Some(revision) = token.revision else {
                self.reach("").await?;
                let snapshot = self.cache.snapshot();
                let revision = self.cache.progress().revision().max(snapshot.revision);
                return Ok(answer(snapshot.page(&filter, Some(&token.after), limit, revision)));
            };
            return self.list_at(&filter, revision, Some(token.after), limit).await;
        }
        match (request.resource_version_match.as_str(), revision(&request.resource_version)?) {
            ("Exact", Some(revision)) => self.list_at(&filter, revision, None, limit).await,
            // Before there was a match to ask for, a page of a revision was one of exactly that.
            ("", Some(revision)) if revision > 0 && limit > 0 => {
                self.list_at(&filter, revision, None, limit).await
            }
            _ => {
                self.reach(&request.resource_version).await?;
                Ok(answer(self.cache.list(&filter, limit)))
            }
        }
    }

    /// Begins a watch.
    ///
    /// # Errors
    /// BadRequest for a bad selector, Expired if the revision asked for is gone.
    pub(crate) async fn watch(&self, request: &WatchRequest) -> Result<Watch, ApiError> {
        let filter = self.filter(&request.namespace, &request.label_selector, &request.field_selector)?;
        let from = revision(&request.resource_version)?;
        if request.send_initial_events == Some(true) {
            self.reach(&request.resource_version).await?;
            return self.cache.watch(filter, None);
        }
        let from = match (request.send_initial_events, from) {
            // No objects to begin with are wanted, and no revision to begin at: what follows from now on is.
            (Some(false), None | Some(0)) => Some(self.store.head().await.map_err(from_store)?),
            (_, from) => from,
        };
        match from {
            Some(0) => self.cache.watch(filter, None),
            Some(from) => {
                // A client may come with a revision that this replica has yet to hear of.
                self.cache.progress().reach(from).await?;
                self.cache.watch(filter, Some(from))
            }
            None => {
                self.reach("").await?;
                self.cache.watch(filter, None)
            }
        }
    }

    /// Waits until the cache holds what a reader asks for: the store's head, or a revision.
    async fn reach(&self, resource_version: &str) -> Result<(), ApiError> {
        let wanted = match revision(resource_version)? {
            Some(revision) => revision,
            None => self.store.head().await.map_err(from_store)?,
        };
        self.cache.progress().reach(wanted).await
    }

    /// Waits until the cache holds what the store holds now.
    ///
    /// # Errors
    /// A timeout, and the store's.
    pub(super) async fn catch_up(&self) -> Result<(), ApiError> {
        self.reach("").await
    }

    /// A page of an exact state: from the cache if that has it, else from the store's history.
    async fn list_at(
        &self,
        filter: &Filter,
        revision: u64,
        after: Option<String>,
        limit: usize,
    ) -> Result<RawList, ApiError> {
        self.cache.progress().reach(revision).await?;
        let snapshot = self.cache.snapshot();
        // It holds all changes of the kind up to the revision, and none after it.
        if snapshot.revision <= revision {
            return Ok(answer(snapshot.page(filter, after.as_deref(), limit, revision)));
        }
        let expired = expired(after.as_deref());
        let index = TypedIndex { prefix: S::PREFIX, fields: S::fields };
        let mut page = Page::new(revision);
        let mut request = RangeRequest {
            prefix: Self::key(filter.path_prefix()),
            start_after: after.map(|after| Self::key(&after)),
            limit: STORE_PAGE,
            revision: Some(revision),
        };
        let mut last: Option<Arc<str>> = None;
        loop {
            let found = self.store.range(request.clone()).await.map_err(|error| gone(error, &expired))?;
            let next = request.after(&found);
            for entry in found.items.iter().filter_map(|stored| read(&index, stored)) {
                if !filter.matches(&entry) {
                    continue;
                }
                if limit > 0 && page.items.len() == limit {
                    page.next = last;
                    return Ok(answer(page));
                }
                page.push(entry.object, entry.trace);
                last = Some(entry.path);
            }
            match next {
                Some(next) => request = next,
                None => return Ok(answer(page)),
            }
        }
    }

    fn filter(&self, namespace: &str, labels: &str, fields: &str) -> Result<Filter, ApiError> {
        let labels = Selector::parse(labels)
            .map_err(|error| ApiError::bad_request(format!("unable to parse requirement: {error}")))?;
        let fields = FieldSelector::parse(fields)
            .map_err(|error| ApiError::bad_request(format!("unable to parse field selector: {error}")))?;
        fields.check(S::FIELDS).map_err(|unsupported| ApiError::bad_request(unsupported.to_string()))?;
        let namespace = if S::Object::KIND.namespaced { namespace } else { "" };
        Ok(Filter::new(namespace, labels, fields))
    }
}

/// That what is asked of the revision makes sense.
fn check_match(request: &ListRequest) -> Result<(), ApiError> {
    let (version, wanted) = (request.resource_version.as_str(), request.resource_version_match.as_str());
    let continues = !request.r#continue.is_empty();
    let path = Path::new("resourceVersionMatch");
    let forbidden = |why: &str| Err(invalid_options("ListOptions", FieldError::forbidden(&path, why)));
    match wanted {
        "" if continues && !matches!(version, "" | "0") => {
            Err(ApiError::bad_request("specifying resource version is not allowed when using continue"))
        }
        "" => Ok(()),
        _ if version.is_empty() => {
            forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided")
        }
        _ if continues => forbidden("resourceVersionMatch is forbidden when continue is provided"),
        "Exact" if version == "0" => {
            forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")
        }
        "Exact" | "NotOlderThan" => Ok(()),
        other => {
            let error = FieldError::not_supported(&path, other, &["Exact", "NotOlderThan", ""]);
            Err(invalid_options("ListOptions", error))
        }
    }
}

fn read(index: &impl Index, stored: &KeyValue) -> Option<Entry> {
    index.entry(stored).ok()
}

/// A page as it goes over the wire.
fn answer(page: Page) -> RawList {
    let token =
        page.next.as_ref().map(|after| Token { revision: Some(page.revision), after: after.to_string() });
    let metadata = ListMeta {
        resource_version: page.revision.to_string(),
        r#continue: token.map(|token| token.to_string()).unwrap_or_default(),
        remaining_item_count: page.remaining,
        ..ListMeta::default()
    };
    RawList {
        metadata: Some(metadata),
        items: page.items,
        trace_contexts: page.traces,
        items_bytes: page.items_bytes,
    }
}

/// A resourceVersion as a revision; None if it is not given.
fn revision(resource_version: &str) -> Result<Option<u64>, ApiError> {
    if resource_version.is_empty() {
        return Ok(None);
    }
    let parsed = resource_version.parse();
    parsed
        .map(Some)
        .map_err(|_| ApiError::bad_request(format!("invalid resource version {resource_version:?}")))
}

/// That the state of a list is gone. One that goes on is told how it can go on with another state.
fn expired(after: Option<&str>) -> ApiError {
    let Some(after) = after else { return ApiError::expired(REVISION_EXPIRED) };
    let mut status = ApiError::expired(TOKEN_EXPIRED).into_status();
    let token = Token { revision: None, after: after.to_owned() };
    status.metadata = ListMeta { r#continue: token.to_string(), ..ListMeta::default() };
    ApiError::from_status(status)
}

fn gone(error: keelson_api_store::Error, expired: &ApiError) -> ApiError {
    match error {
        keelson_api_store::Error::Compacted { .. } => expired.clone(),
        error => from_store(error),
    }
}
