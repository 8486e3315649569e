//! The garbage loop: what its owners leave behind goes too, goes first, or stays as an orphan.
//!
//! Owner references say who owns what. An object all of whose owners are gone is deleted in the background. An owner
//! that is being deleted with the finalizer `foregroundDeletion` waits until its dependents are gone; with `orphan`,
//! until they have been told that they have no owner. Before anything is deleted, api is asked about the owner and the
//! object: caches of different kinds are not of the same time.

mod fate;
mod graph;

pub(crate) use self::graph::Subject;

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use keelson_base_client::{ApiError, Client, Delta, RawApi, WorkQueue};
use keelson_proto::meta::{ObjectMeta, OwnerReference};
use keelson_proto::v1::{DeleteRequest, GetRequest, ListRequest, PatchRequest};
use keelson_proto::{Bytes, Kind, Object, REGISTERED, wire};

use self::fate::{Fate, Standing};
use self::graph::{Graph, Hold};
use crate::control::{Next, Reconcile, queue};
use crate::delete;

/// Dependents that are orphaned at once.
const SIDE_BY_SIDE: usize = 16;

/// The garbage loop.
pub(crate) struct GarbageLoop {
    queue: WorkQueue<Subject>,
    client: Client,
    graph: Mutex<Graph>,
}

// === impl GarbageLoop ===

impl GarbageLoop {
    /// The loop.
    pub(crate) fn new(client: &Client) -> Self {
        Self { queue: queue(), client: client.clone(), graph: Mutex::default() }
    }

    /// An object of any kind has changed.
    pub(crate) fn on_change<K: Object>(&self, delta: &Delta<K>) {
        let (wakes, trace) = match delta {
            Delta::Applied { new, trace, .. } => {
                let subject = Subject::of(&**new);
                (self.graph().apply(&subject, new.metadata()), *trace)
            }
            Delta::Deleted { old, trace } => (self.graph().remove(&Subject::of(&**old)), *trace),
            Delta::Synced => return,
        };
        for subject in wakes {
            self.queue.add_caused(subject, trace);
        }
    }

    /// Decides about an object that has owners.
    async fn collect(&self, subject: &Subject) -> Result<Next, ApiError> {
        let Some(meta) = self.read(subject).await? else {
            return Ok(Next::Event);
        };
        if meta.deletion_timestamp.is_some() {
            return Ok(Next::Event);
        }
        let mut standings = Vec::with_capacity(meta.owner_references.len());
        for owner in &meta.owner_references {
            standings.push(self.standing(&meta.namespace, owner).await?);
        }
        match fate::fate(&meta.owner_references, &standings) {
            Fate::Stay => {}
            Fate::Disown(uids) => self.disown(subject, &meta, &uids).await?,
            Fate::Go => {
                tracing::debug!(?subject, "deleting what its owners have left behind");
                self.delete(subject, &meta).await?;
            }
        }
        Ok(Next::Event)
    }

    /// What has become of an owner of something in `namespace`. Owners of kinds that we do not know are left in peace,
    /// and so are their dependents.
    async fn standing(&self, namespace: &str, owner: &OwnerReference) -> Result<Standing, ApiError> {
        let Some(kind) = kind_of(owner) else {
            return Ok(Standing::There);
        };
        if let Some(standing) = self.graph().standing(&owner.uid) {
            return Ok(standing);
        }
        let namespace = if kind.namespaced { namespace } else { "" };
        let found = self.read(&Subject::new(kind, namespace, &owner.name)).await?;
        if found.is_some_and(|meta| meta.uid == owner.uid) {
            return Ok(Standing::There);
        }
        self.graph().is_gone(&owner.uid);
        Ok(Standing::Gone)
    }

    /// An owner that is being deleted waits for its dependents.
    async fn foreground(&self, subject: &Subject, uid: &str) -> Result<(), ApiError> {
        let (dependents, is_blocked) = {
            let graph = self.graph();
            (graph.dependents(uid), graph.is_blocked(uid))
        };
        for dependent in dependents {
            self.queue.add(dependent);
        }
        // The end of each dependent wakes its owner.
        if is_blocked { Ok(()) } else { self.let_go(subject, uid, Hold::Foreground).await }
    }

    /// An owner that is being deleted leaves its dependents alone. They are asked of api: one that the graph has not
    /// seen yet would be deleted when the owner is gone.
    async fn orphan(&self, subject: &Subject, uid: &str) -> Result<(), ApiError> {
        let kinds = REGISTERED.iter().filter(|kind| kind.namespaced && !kind.service.is_empty());
        for kind in kinds.filter(|kind| kind.kind != "Event") {
            let list = ListRequest { namespace: subject.key.namespace.clone(), ..ListRequest::default() };
            let found = self.client.raw(kind.service).list(list).await?;
            let metas = found.items.iter().map(metadata).collect::<Result<Vec<_>, _>>()?;
            let owned = |meta: &ObjectMeta| meta.owner_references.iter().any(|owner| owner.uid == uid);
            let orphans = metas.into_iter().filter(owned).map(|meta| async move {
                let orphan = Subject::new(kind, &meta.namespace, &meta.name);
                self.disown(&orphan, &meta, &[uid.to_owned()]).await
            });
            let mut orphans = stream::iter(orphans).buffer_unordered(SIDE_BY_SIDE);
            while orphans.try_next().await?.is_some() {}
        }
        self.let_go(subject, uid, Hold::Orphan).await
    }

    /// Takes our finalizer off an owner.
    async fn let_go(&self, subject: &Subject, uid: &str, hold: Hold) -> Result<(), ApiError> {
        let Some(meta) = self.read(subject).await?.filter(|meta| meta.uid == uid) else {
            return Ok(());
        };
        let kept = meta.finalizers.iter().filter(|finalizer| *finalizer != hold.finalizer());
        let finalizers: Vec<_> = kept.collect();
        if finalizers.len() == meta.finalizers.len() {
            return Ok(());
        }
        self.patch(subject, &meta, serde_json::json!({ "finalizers": finalizers })).await
    }

    /// Takes these owners off an object that has not changed since it was read.
    async fn disown(&self, subject: &Subject, meta: &ObjectMeta, uids: &[String]) -> Result<(), ApiError> {
        let kept = meta.owner_references.iter().filter(|owner| !uids.contains(&owner.uid));
        let owners: Vec<_> = kept.collect();
        self.patch(subject, meta, serde_json::json!({ "ownerReferences": owners })).await
    }

    /// Changes the metadata of an object that has not changed since it was read; one that is gone is fine.
    async fn patch(
        &self,
        subject: &Subject,
        meta: &ObjectMeta,
        mut change: serde_json::Value,
    ) -> Result<(), ApiError> {
        change["uid"] = meta.uid.as_str().into();
        change["resourceVersion"] = meta.resource_version.as_str().into();
        let body = serde_json::json!({ "metadata": change });
        let request = PatchRequest {
            namespace: subject.key.namespace.clone(),
            name: subject.key.name.clone(),
            content_type: "application/merge-patch+json".to_owned(),
            patch: body.to_string().into_bytes().into(),
            ..PatchRequest::default()
        };
        unless_gone(self.api(subject).patch(request).await)
    }

    async fn delete(&self, subject: &Subject, meta: &ObjectMeta) -> Result<(), ApiError> {
        let request = DeleteRequest {
            namespace: subject.key.namespace.clone(),
            name: subject.key.name.clone(),
            options: Some(delete::unchanged(meta)),
        };
        unless_gone(self.api(subject).delete(request).await)
    }

    /// What api says of an object; none if there is none of that name.
    async fn read(&self, subject: &Subject) -> Result<Option<ObjectMeta>, ApiError> {
        let request = GetRequest {
            namespace: subject.key.namespace.clone(),
            name: subject.key.name.clone(),
            ..GetRequest::default()
        };
        match self.api(subject).get(request).await {
            Ok(object) => metadata(&object).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn api(&self, subject: &Subject) -> RawApi {
        self.client.raw(subject.service)
    }

    fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reconcile for GarbageLoop {
    const NAME: &'static str = "garbagecollector";
    type Key = Subject;

    fn queue(&self) -> &WorkQueue<Subject> {
        &self.queue
    }

    async fn reconcile(&self, subject: &Subject) -> Result<Next, ApiError> {
        let Some(found) = self.graph().found(subject) else {
            return Ok(Next::Event);
        };
        match found.hold {
            Some(Hold::Orphan) => self.orphan(subject, &found.uid).await?,
            Some(Hold::Foreground) => self.foreground(subject, &found.uid).await?,
            None => {}
        }
        if found.is_suspect { self.collect(subject).await } else { Ok(Next::Event) }
    }
}

/// The registered kind that an owner is of.
fn kind_of(owner: &OwnerReference) -> Option<&'static Kind> {
    let same = |kind: &&Kind| kind.kind == owner.kind && kind.api_version() == owner.api_version;
    REGISTERED.iter().find(same).filter(|kind| !kind.service.is_empty())
}

fn metadata(object: &Bytes) -> Result<ObjectMeta, ApiError> {
    wire::metadata(object)
        .map_err(|error| ApiError::internal(format!("cannot read the server's answer: {error}")))
}

fn unless_gone<T>(done: Result<T, ApiError>) -> Result<(), ApiError> {
    match done {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}
