//! Which static pods are wanted, and which mirrors there are. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keelson_proto::core::Pod;

use super::mirror::{Name, mirrored, name_of};

/// Static pods and mirrors of one node.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Sources that have not said anything yet.
    awaited: BTreeSet<&'static str>,
    /// What each source describes.
    sources: BTreeMap<&'static str, BTreeMap<Name, Arc<Pod>>>,
    /// The mirrors that api has.
    mirrors: BTreeMap<Name, Arc<Pod>>,
}

// === impl Known ===

impl Known {
    /// Nothing known of these sources.
    pub(crate) fn awaiting(sources: impl IntoIterator<Item = &'static str>) -> Self {
        Self { awaited: sources.into_iter().collect(), ..Self::default() }
    }

    /// Whether every source has said what it describes.
    pub(crate) fn is_complete(&self) -> bool {
        self.awaited.is_empty()
    }

    /// Takes what `source` describes now; answers with the pods that it no longer does.
    pub(crate) fn put(&mut self, source: &'static str, pods: Vec<Arc<Pod>>) -> Vec<Arc<Pod>> {
        self.awaited.remove(source);
        let mut now: BTreeMap<Name, Arc<Pod>> = BTreeMap::new();
        for pod in pods {
            if now.insert(name_of(&pod), pod.clone()).is_some() {
                tracing::warn!(pod = %pod.metadata.name, "two manifests describe one pod: the last one counts");
            }
        }
        let before = self.sources.insert(source, now).unwrap_or_default();
        before.into_values().filter(|pod| !self.wants(pod)).collect()
    }

    /// All static pods that are wanted.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.sources.values().flat_map(BTreeMap::values)
    }

    /// The static pod that is wanted by this name.
    pub(crate) fn find(&self, name: &Name) -> Option<Arc<Pod>> {
        self.sources.values().find_map(|pods| pods.get(name)).cloned()
    }

    /// Takes a mirror that api has.
    pub(crate) fn put_mirror(&mut self, mirror: Arc<Pod>) {
        self.mirrors.insert(name_of(&mirror), mirror);
    }

    /// Forgets a mirror; false if another one has its name.
    pub(crate) fn drop_mirror(&mut self, mirror: &Pod) -> bool {
        let name = name_of(mirror);
        let known = self.mirrors.get(&name).is_some_and(|known| known.metadata.uid == mirror.metadata.uid);
        if known {
            self.mirrors.remove(&name);
        }
        known
    }

    /// The mirror of the static pod `uid`, if api has it.
    pub(crate) fn mirror_of(&self, uid: &str) -> Option<&Arc<Pod>> {
        self.mirrors.values().find(|mirror| mirrored(mirror) == Some(uid))
    }

    /// The mirrors that show nothing: of none of the static pods in `uids`.
    pub(crate) fn orphans(&self, uids: impl Fn(&str) -> bool) -> Vec<Arc<Pod>> {
        let orphan = |mirror: &&Arc<Pod>| mirrored(mirror).is_none_or(|uid| !uids(uid));
        self.mirrors.values().filter(orphan).cloned().collect()
    }

    fn wants(&self, pod: &Pod) -> bool {
        self.wanted().any(|wanted| wanted.metadata.uid == pod.metadata.uid)
    }
}
