//! An object as the store has it.

use bytes::Bytes;
use keelson_api_store::KeyValue;
use keelson_base_daemon::trace;
use keelson_base_model::status::ApiError;
use keelson_proto::{Object, envelope, wire};

/// An object as the store has it: its resourceVersion is the revision that wrote it.
pub(crate) struct Stored<K> {
    /// The object, resourceVersion set.
    pub(crate) object: K,
    /// The revision that wrote it.
    pub(crate) revision: u64,
}

/// An object about to be written.
pub(crate) struct Encoded {
    raw: Vec<u8>,
    /// What the store gets: the object in Kubernetes' envelope, with the trace of this request.
    pub(crate) value: Bytes,
}

// === impl Stored ===

impl<K: Object> Stored<K> {
    /// Reads what the cache holds.
    ///
    /// # Errors
    /// An internal error if the bytes are no such object.
    pub(crate) fn from_cache(object: &Bytes, revision: u64) -> Result<Self, ApiError> {
        let object = K::decode(object.clone()).map_err(|error| unreadable::<K>(&error))?;
        Ok(Self { object, revision })
    }

    /// Reads what the store holds.
    ///
    /// # Errors
    /// An internal error if the bytes are no such object.
    pub(crate) fn from_store(stored: &KeyValue) -> Result<Self, ApiError> {
        let envelope = envelope::unwrap(&stored.value).map_err(|error| unreadable::<K>(&error))?;
        let mut object = K::decode(envelope.raw).map_err(|error| unreadable::<K>(&error))?;
        object.metadata_mut().resource_version = stored.mod_revision.to_string();
        Ok(Self { object, revision: stored.mod_revision })
    }
}

// === impl Encoded ===

impl Encoded {
    /// Encodes an object for the store, where its resourceVersion is not kept.
    pub(crate) fn new<K: Object>(object: &mut K) -> Self {
        object.metadata_mut().resource_version.clear();
        let raw = object.encode_to_vec();
        let trace = trace::current().map(|trace| trace.to_bytes());
        let trace = trace.as_ref().map_or(&[][..], |trace| &trace[..]);
        Self { value: envelope::wrap(&K::KIND.api_version(), K::KIND.kind, &raw, trace), raw }
    }

    /// The object as it is answered: written at `revision`.
    pub(crate) fn at(&self, revision: u64) -> Bytes {
        wire::with_resource_version(&self.raw, revision)
    }

    /// The object as it would be answered, had it been written: for a dry run.
    pub(crate) fn unwritten(self) -> Bytes {
        self.raw.into()
    }
}

fn unreadable<K: Object>(error: &dyn std::error::Error) -> ApiError {
    ApiError::internal(format!("cannot read a stored {}: {error}", K::KIND.kind))
}
