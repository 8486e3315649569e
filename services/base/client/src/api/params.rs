//! What is asked for, and what lists and deletions answer.

use bytes::Bytes;
use keelson_base_model::status::ApiError;
use keelson_proto::meta::ListMeta;
use keelson_proto::v1::{ListRequest, WatchRequest};

/// Which objects to list, and of when. The default is all of them, as of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListParams {
    /// Label selector in kubectl's grammar.
    pub label_selector: String,
    /// Field selector: comma-separated `field=value` or `field!=value`.
    pub field_selector: String,
    /// "" for the latest state, "0" for whatever is at hand, else a state at least this new.
    pub resource_version: String,
}

/// Which changes to follow, and from when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchParams {
    /// Label selector in kubectl's grammar.
    pub label_selector: String,
    /// Field selector: comma-separated `field=value` or `field!=value`.
    pub field_selector: String,
    /// Changes after this revision; "" or "0" first delivers what there is as added.
    pub resource_version: String,
    /// Whether to be told now and then up to which revision nothing happened.
    pub bookmarks: bool,
}

/// A list of objects at one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct List<K> {
    /// The objects, ordered by namespace and name.
    pub items: Vec<K>,
    /// Its resourceVersion is where a watch goes on.
    pub metadata: ListMeta,
}

/// What a deletion did.
#[derive(Clone, Debug, PartialEq)]
pub struct Deleted<K> {
    /// The object as it was last stored.
    pub object: K,
    /// False if the object stays for now: within its grace, or held by finalizers.
    pub removed: bool,
}

/// A change to part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
}

// === impl ListParams ===

impl ListParams {
    pub(super) fn request(&self, namespace: &str, limit: i64, token: &str) -> ListRequest {
        // The token names the revision of its list, and api refuses it beside another.
        let resource_version = if token.is_empty() { self.resource_version.clone() } else { String::new() };
        ListRequest {
            namespace: namespace.to_owned(),
            label_selector: self.label_selector.clone(),
            field_selector: self.field_selector.clone(),
            resource_version,
            resource_version_match: String::new(),
            limit,
            r#continue: token.to_owned(),
        }
    }
}

// === impl WatchParams ===

impl WatchParams {
    pub(crate) fn request(&self, namespace: &str) -> WatchRequest {
        WatchRequest {
            namespace: namespace.to_owned(),
            label_selector: self.label_selector.clone(),
            field_selector: self.field_selector.clone(),
            resource_version: self.resource_version.clone(),
            allow_bookmarks: self.bookmarks,
            ..Default::default()
        }
    }
}

// === impl Patch ===

impl Patch {
    /// An RFC 6902 list of operations. Fails if `operations` have no JSON form.
    pub fn json(operations: &impl serde::Serialize) -> Result<Self, ApiError> {
        Self::new("application/json-patch+json", operations)
    }

    /// An RFC 7386 merge: objects are merged, null removes, lists are replaced.
    pub fn merge(change: &impl serde::Serialize) -> Result<Self, ApiError> {
        Self::new("application/merge-patch+json", change)
    }

    /// Kubernetes' own merge, which knows the keys of lists.
    pub fn strategic(change: &impl serde::Serialize) -> Result<Self, ApiError> {
        Self::new("application/strategic-merge-patch+json", change)
    }

    fn new(content_type: &'static str, value: &impl serde::Serialize) -> Result<Self, ApiError> {
        let refused = |error| ApiError::bad_request(format!("the patch cannot be written as JSON: {error}"));
        Ok(Self { content_type, body: serde_json::to_vec(value).map_err(refused)?.into() })
    }
}
