//! What tests of api's clients talk to instead of api: [`FakeApi`] works, in memory; [`Server`] does what a test says.

mod fake_api;
mod journal;
mod kinds;
mod script;
mod store;
mod verbs;
mod watch;

pub use self::fake_api::FakeApi;
pub use self::journal::Held;
pub use self::script::{Call, Events, Server, server, service};

#[cfg(test)]
pub(crate) use self::fixtures::{page, pod};

#[cfg(test)]
mod tests;

#[cfg(test)]
mod fixtures {
    use keelson_proto::Message as _;
    use keelson_proto::core::Pod;
    use keelson_proto::meta::ListMeta;
    use keelson_proto::v1::RawList;

    /// A pod called `name`, in `default`, in its version of `revision`.
    pub(crate) fn pod(name: &str, uid: &str, revision: u64) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = name.into();
        pod.metadata.namespace = "default".into();
        pod.metadata.uid = uid.into();
        pod.metadata.resource_version = revision.to_string();
        pod
    }

    /// A page of a list at `revision`.
    pub(crate) fn page(pods: &[Pod], revision: u64, token: &str) -> RawList {
        let metadata = ListMeta {
            resource_version: revision.to_string(),
            r#continue: token.to_owned(),
            ..Default::default()
        };
        RawList {
            metadata: Some(metadata),
            items: pods.iter().map(|pod| pod.encode_to_vec().into()).collect(),
            ..RawList::default()
        }
    }
}
