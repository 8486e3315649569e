//! An object of any kind, as plugins see it.

use std::any::Any;

use keelson_proto::meta::ObjectMeta;
use keelson_proto::{Kind, Object};

/// An object of some kind.
pub(crate) trait Subject: Send + Sync {
    /// Which kind.
    fn kind(&self) -> &'static Kind;
    /// Its metadata.
    fn meta(&self) -> &ObjectMeta;
    /// The object, for who knows its type.
    fn any(&self) -> &dyn Any;
    /// The same, to change.
    fn any_mut(&mut self) -> &mut dyn Any;
}

// === impl Subject ===

impl<K: Object> Subject for K {
    fn kind(&self) -> &'static Kind {
        K::KIND
    }

    fn meta(&self) -> &ObjectMeta {
        self.metadata()
    }

    fn any(&self) -> &dyn Any {
        self
    }

    fn any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl dyn Subject + '_ {
    /// The object, if it is of this type.
    pub(crate) fn of<K: Object>(&self) -> Option<&K> {
        self.any().downcast_ref()
    }

    /// The same, to change.
    pub(crate) fn of_mut<K: Object>(&mut self) -> Option<&mut K> {
        self.any_mut().downcast_mut()
    }
}
