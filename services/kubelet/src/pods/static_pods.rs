//! Static pods among the pods of the node: their coming and going, and the mirrors that show them in api.

use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::backoff::Backoff;
use keelson_proto::core::Pod;
use keelson_proto::meta::{DeleteOptions, Preconditions};

use super::{Pods, State};
use crate::static_pods::{Known, is_static, mirrored, name_of};
use crate::worker::Context;

// === impl Pods ===

impl Pods {
    /// Nothing is taken for orphaned before these sources of static pods have said what they describe.
    pub(crate) fn await_static(&self, sources: impl IntoIterator<Item = &'static str>) {
        self.state().known = Known::awaiting(sources);
    }

    /// A source of static pods describes these now.
    pub(crate) fn put_static(&self, source: &'static str, pods: Vec<Arc<Pod>>) {
        let mut state = self.state();
        for pod in state.known.put(source, pods) {
            if let Some(entry) = state.entries.get_mut(&pod.metadata.uid).filter(|entry| !entry.gone) {
                entry.gone = true;
                entry.mailbox.put_gone(pod, None);
            }
        }
        let wanted: Vec<Arc<Pod>> = state.known.wanted().cloned().collect();
        wanted.into_iter().for_each(|pod| self.begin_static(&mut state, pod));
        self.settle(&mut state);
        self.start(&mut state);
    }

    /// Takes a mirror that api has. One whose deletion somebody asked for is let go, and made anew.
    pub(super) fn hear_mirror(&self, state: &mut State, mirror: Arc<Pod>) {
        state.known.put_mirror(mirror.clone());
        if mirror.metadata.deletion_timestamp.is_some() {
            return self.delete_mirror(mirror);
        }
        let entry = mirrored(&mirror).and_then(|uid| state.entries.get_mut(uid));
        match entry {
            Some(entry) => entry.mailbox.put_mirror(Some(mirror)),
            None => self.drop_orphans(state),
        }
    }

    /// Api no longer has this mirror.
    pub(super) fn lose_mirror(&self, state: &mut State, mirror: &Pod) {
        if state.known.drop_mirror(mirror)
            && let Some(entry) = mirrored(mirror).and_then(|uid| state.entries.get_mut(uid))
        {
            entry.mailbox.put_mirror(None);
        }
    }

    /// Nothing is left of the static pod `pod`: its mirror goes, and what has its name now may begin.
    pub(super) fn static_ended(&self, state: &mut State, pod: &Pod) {
        if let Some(mirror) = state.known.mirror_of(&pod.metadata.uid) {
            self.delete_mirror(mirror.clone());
        }
        if let Some(next) = state.known.find(&name_of(pod)) {
            self.begin_static(state, next);
            self.start(state);
        }
    }

    /// Deletes mirrors that show nothing, once it is known what there is.
    pub(super) fn drop_orphans(&self, state: &State) {
        if !state.synced || !state.known.is_complete() {
            return;
        }
        let there = |uid: &str| state.entries.get(uid).is_some_and(|entry| entry.pod.is_some());
        state.known.orphans(there).into_iter().for_each(|mirror| self.delete_mirror(mirror));
    }

    /// Begins a static pod, unless it has begun, or the one that had its name before has not ended.
    fn begin_static(&self, state: &mut State, pod: Arc<Pod>) {
        let uid = pod.metadata.uid.clone();
        let name = name_of(&pod);
        let same_name = |other: &Pod| is_static(other) && name_of(other) == name;
        let taken = state.entries.values().any(|entry| entry.pod.as_deref().is_some_and(same_name));
        if taken || state.entries.get(&uid).is_some_and(|entry| entry.gone) {
            return;
        }
        let mirror = state.known.mirror_of(&uid).cloned();
        let entry = self.entry(state, &uid);
        entry.pod = Some(pod.clone());
        entry.mailbox.put_pod(pod, None);
        if mirror.is_some() {
            entry.mailbox.put_mirror(mirror);
        }
        if state.listed {
            self.admit(state, &uid);
        }
    }

    fn delete_mirror(&self, mirror: Arc<Pod>) {
        let context = self.context.clone();
        let draining = context.tasks.draining();
        self.context.tasks.spawn("delete mirror pod", async move {
            tokio::select! {
                () = delete(&context, &mirror) => {}
                () = draining => {}
            }
        });
    }
}

/// Deletes this very mirror; tries until it succeeds.
async fn delete(context: &Context, mirror: &Pod) {
    let metadata = &mirror.metadata;
    let preconditions = Preconditions { uid: Some(metadata.uid.clone()), ..Preconditions::default() };
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        preconditions: Some(preconditions),
        ..DeleteOptions::default()
    };
    let api = context.pods.namespaced(&metadata.namespace);
    let mut delays = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
    loop {
        match api.delete(&metadata.name, options.clone()).await {
            Ok(_) => return,
            Err(error) if error.is_not_found() || error.is_conflict() => return,
            Err(error) => {
                tracing::warn!(pod = %metadata.name, namespace = %metadata.namespace, %error, "cannot delete a mirror pod");
            }
        }
        tokio::time::sleep(delays.next_delay()).await;
    }
}
