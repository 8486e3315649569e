//! What is particular to one kind.

use std::time::Duration;

use keelson_api_store::{Compare, Op};
use keelson_base_model::field::ErrorList;
use keelson_base_model::status::ApiError;
use keelson_proto::Object;
use keelson_proto::meta::DeleteOptions;

use crate::auth::Caller;

/// What is particular to one kind. The provided methods are those of a kind without status, without grace,
/// and with nothing to reserve.
pub(crate) trait Strategy: Send + Sync + 'static {
    /// The kind's type.
    type Object: Object;

    /// Where its keys begin in the store: Kubernetes' own places.
    const PREFIX: &'static str;

    /// Fields that can be selected, `metadata.name` and `metadata.namespace` among them.
    const FIELDS: &'static [&'static str];

    /// The values of those fields; name and namespace may be left out.
    fn fields(object: &Self::Object) -> Vec<(&'static str, String)>;

    /// Fills in what a client may leave out.
    fn set_defaults(&self, object: &mut Self::Object);

    /// Takes away what a client may not set, and sets what is the server's, on a new object.
    fn prepare_create(&self, object: &mut Self::Object) {
        let _ = object;
    }

    /// Puts a valid object into the form in which it is kept.
    fn canonicalize(&self, object: &mut Self::Object) {
        let _ = object;
    }

    /// What is wrong with a new object.
    fn validate_create(&self, object: &Self::Object) -> ErrorList;

    /// Puts back what an update may not change in silence: for a kind with a status, that.
    fn prepare_update(&self, new: &mut Self::Object, old: &Self::Object) {
        let _ = (new, old);
    }

    /// What is wrong with an update.
    fn validate_update(&self, new: &Self::Object, old: &Self::Object) -> ErrorList;

    /// Whether the caller may write just this, who may write objects of the kind.
    ///
    /// # Errors
    /// Forbidden.
    fn permits(
        &self,
        caller: &Caller,
        new: &Self::Object,
        old: Option<&Self::Object>,
    ) -> Result<(), ApiError> {
        let _ = (caller, new, old);
        Ok(())
    }

    /// Whether the kind has a status subresource.
    fn has_status(&self) -> bool {
        false
    }

    /// Puts back all but the status.
    fn prepare_status(&self, new: &mut Self::Object, old: &Self::Object) {
        let _ = (new, old);
    }

    /// What is wrong with an update of the status.
    fn validate_status(&self, new: &Self::Object, old: &Self::Object) -> ErrorList {
        let _ = (new, old);
        ErrorList::default()
    }

    /// Whether an update of an object that is not there creates it.
    fn create_on_update(&self) -> bool {
        false
    }

    /// Whether an update may leave out the resourceVersion.
    fn unconditional_update(&self) -> bool {
        true
    }

    /// How long objects are kept; None for ever.
    fn ttl(&self) -> Option<Duration> {
        None
    }

    /// Whether a deletion that does not say what becomes of dependents leaves them alone.
    fn orphans_by_default(&self) -> bool {
        false
    }

    /// What a deletion does to an object that no finalizer holds.
    ///
    /// # Errors
    /// If the object may not be deleted.
    fn deletion(
        &self,
        object: &Self::Object,
        options: &DeleteOptions,
    ) -> Result<Deletion<Self::Object>, ApiError> {
        let _ = (object, options);
        Ok(Deletion::Now)
    }

    /// Whether an object whose deletion has begun is to be removed, now that nothing of its metadata holds it.
    fn is_released(&self, object: &Self::Object) -> bool {
        object.metadata().deletion_grace_period_seconds == Some(0)
    }

    /// What else is written together with a change: `old` and `new` are the object before and after. May
    /// complete the new object, for instance with an address.
    ///
    /// # Errors
    /// If what the object asks for cannot be had.
    fn reserve(
        &self,
        old: Option<&Self::Object>,
        new: Option<&mut Self::Object>,
    ) -> Result<Reservation, ApiError> {
        let _ = (old, new);
        Ok(Reservation::default())
    }
}

/// What a deletion does.
pub(crate) enum Deletion<K> {
    /// The object is removed.
    Now,
    /// The object is marked, and removed later.
    Later(Box<K>),
    /// The object is already marked as asked.
    Under,
}

/// Keys that are written together with an object.
#[derive(Default)]
pub(crate) struct Reservation {
    /// What must be so of them.
    pub(crate) compares: Vec<Compare>,
    /// What is written.
    pub(crate) ops: Vec<Op>,
}
