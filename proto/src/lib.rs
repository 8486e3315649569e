//! The messages of the v1 API and of Keelson's gRPC services, with their Kubernetes JSON.
//!
//! Everything here is generated from the `.proto` files beside it, but for five small things that every
//! reader of those bytes needs: [`json`] (what the generated JSON code stands on), [`envelope`] (the form in
//! which etcd and protobuf clients hold an object), [`wire`] (edits of encoded bytes), the [`Object`]
//! trait, and how a secret is shown. This crate decides nothing.

mod leaves;
mod secret;

pub mod envelope;
pub mod json;
pub mod wire;

pub use self::modules::google::rpc;
pub use self::modules::k8s::io::api::authentication::v1 as authentication;
pub use self::modules::k8s::io::api::authorization::v1 as authorization;
pub use self::modules::k8s::io::api::autoscaling::v1 as autoscaling;
pub use self::modules::k8s::io::api::coordination::v1 as coordination;
pub use self::modules::k8s::io::api::core::v1 as core;
pub use self::modules::k8s::io::api::discovery::v1 as discovery;
pub use self::modules::k8s::io::api::events::v1 as events;
pub use self::modules::k8s::io::api::policy::v1 as policy;
pub use self::modules::k8s::io::api::rbac::v1 as rbac;
pub use self::modules::k8s::io::apimachinery::pkg::api::resource;
pub use self::modules::k8s::io::apimachinery::pkg::apis::meta::v1 as meta;
pub use self::modules::k8s::io::apimachinery::pkg::runtime;
pub use self::modules::k8s::io::apimachinery::pkg::util::intstr;
pub use self::modules::keelson::v1;
pub use bytes::Bytes;
pub use prost::Message;

/// Generated: one module per protobuf package; use the shorter names that this crate exports.
#[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]
pub mod modules {
    include!(concat!(env!("OUT_DIR"), "/modules.rs"));
}

/// The descriptors of every file, as written, options and comments included: for reflection and OpenAPI.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// A kind: its names, and how it is served.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group, "" for core.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind, for instance `Pod`.
    pub kind: &'static str,
    /// Resource name in URLs, for instance `pods`.
    pub plural: &'static str,
    /// Singular resource name.
    pub singular: &'static str,
    /// Short names that kubectl accepts.
    pub short: &'static [&'static str],
    /// Words that kubectl expands to several resources, for instance `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Full name of the gRPC service that keeps objects of this kind; "" if none does.
    pub service: &'static str,
    /// Full name of the protobuf message.
    pub message: &'static str,
}

/// An object: a message that is a kind and has metadata.
pub trait Object:
    Message
    + json::Message
    + serde::Serialize
    + serde::de::DeserializeOwned
    + Clone
    + PartialEq
    + Send
    + Sync
    + 'static
{
    /// Its kind.
    const KIND: &'static Kind;
    /// Name, namespace, labels and all else that objects have in common.
    fn metadata(&self) -> &meta::ObjectMeta;
    /// The same, to change.
    fn metadata_mut(&mut self) -> &mut meta::ObjectMeta;
}

mod generated {
    #![allow(clippy::all, missing_docs, unused_variables, unused_mut)]
    use serde::de::MapAccess;
    use serde::ser::SerializeMap;

    use crate::json;

    include!(concat!(env!("OUT_DIR"), "/json.rs"));
}

mod kinds {
    include!(concat!(env!("OUT_DIR"), "/kinds.rs"));
}
pub use self::kinds::{ALIASES, OBSERVED, QUESTIONS, REGISTERED};

// === impl Kind ===

impl Kind {
    /// `group/version`, or the version alone for the core group: what `apiVersion` holds.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}
