//! One object in the cache, and how it is made of what the store holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use keelson_api_store::KeyValue;
use keelson_base_client::Decoded;
use keelson_base_daemon::trace::TraceContext;
use keelson_proto::{Object, envelope, wire};

/// One object: its bytes, and what can be selected of it. The object itself is not kept: decoding costs
/// microseconds, memory costs forever.
#[derive(Debug)]
pub(crate) struct Entry {
    /// `namespace/name`, or the name alone for kinds outside namespaces.
    pub(crate) path: Arc<str>,
    /// The encoded object, resourceVersion included.
    pub(crate) object: Bytes,
    /// The revision that wrote it.
    pub(crate) revision: u64,
    /// Its uid.
    pub(crate) uid: Box<str>,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Its selectable fields besides name and namespace.
    pub(crate) fields: Box<[(&'static str, Box<str>)]>,
    /// The trace of the request that wrote it.
    pub(crate) trace: Option<TraceContext>,
}

/// Makes entries of one kind: the only place of the cache that knows the kind's type.
pub(crate) trait Index: Send + Sync + 'static {
    /// Where the kind's keys begin in the store.
    fn prefix(&self) -> &'static str;
    /// Reads a stored value.
    ///
    /// # Errors
    /// A sentence, if it is no object of the kind.
    fn entry(&self, stored: &KeyValue) -> Result<Entry, String>;
}

/// The selectable fields of an object: their names and values.
pub(crate) type FieldsOf<K> = fn(&K) -> Vec<(&'static str, String)>;

/// An [`Index`] by the object's type.
pub(crate) struct TypedIndex<K> {
    /// Where the kind's keys begin in the store.
    pub(crate) prefix: &'static str,
    /// What can be selected.
    pub(crate) fields: FieldsOf<K>,
}

// === impl TypedIndex ===

impl<K: Object> Index for TypedIndex<K> {
    fn prefix(&self) -> &'static str {
        self.prefix
    }

    fn entry(&self, stored: &KeyValue) -> Result<Entry, String> {
        let path = stored.key.strip_prefix(self.prefix).ok_or("the key is of another kind")?;
        let envelope = envelope::unwrap(&stored.value).map_err(|error| error.to_string())?;
        let object = wire::with_resource_version(&envelope.raw, stored.mod_revision);
        // Informers in this process are about to read the same bytes.
        let decoded = Decoded::<K>::of_process().decode(object.clone()).map_err(|error| error.to_string())?;
        let fields = (self.fields)(&decoded).into_iter();
        let fields =
            fields.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.into_boxed_str()));
        Ok(Entry {
            path: path.into(),
            object,
            revision: stored.mod_revision,
            fields: fields.collect(),
            uid: decoded.metadata().uid.as_str().into(),
            labels: decoded.metadata().labels.clone(),
            trace: TraceContext::from_bytes(&envelope.trace),
        })
    }
}

// === impl Entry ===

impl Entry {
    /// Its namespace; "" for kinds outside namespaces.
    pub(crate) fn namespace(&self) -> &str {
        self.path.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(&*self.path, |(_, name)| name)
    }

    /// A selectable field; "" if the object does not have it.
    pub(crate) fn field(&self, name: &str) -> &str {
        match name {
            "metadata.name" => self.name(),
            "metadata.namespace" => self.namespace(),
            _ => self.fields.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value),
        }
    }
}
