//! Deleting objects: at once, after their grace, or when their finalizers are gone.

use futures::StreamExt;
use keelson_base_model::field::{FieldError, Path};
use keelson_base_model::status::ApiError;
use keelson_proto::meta::{DeleteOptions, ListMeta, Time};
use keelson_proto::v1::{DeleteCollectionRequest, DeleteRequest, ListRequest, RawDeleteResponse, RawList};
use keelson_proto::{Object, wire};

use crate::auth::Caller;
use crate::errors::{dry_run, invalid_options};
use crate::registry::mutate::Change;
use crate::registry::{Deletion, Registry, Strategy};

/// Deletions under way at once for one collection.
const SIDE_BY_SIDE: usize = 16;

/// Finalizers by which a deletion asks the garbage collector for what it does to dependents.
const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Deletes an object, or begins to.
    ///
    /// # Errors
    /// NotFound, Conflict if a precondition fails, and what admission refuses.
    pub(crate) async fn delete(
        &self,
        caller: &Caller,
        request: DeleteRequest,
    ) -> Result<RawDeleteResponse, ApiError> {
        let options = request.options.unwrap_or_default();
        check_propagation(&options)?;
        let dry_run = dry_run("DeleteOptions", &options.dry_run)?;
        let path = Self::path(&request.namespace, &request.name);
        let deleted = self.mutate(&path, dry_run, |old| {
            check_preconditions(old, &options)?;
            self.admission.delete::<S::Object>(caller, old)?;
            self.deleted(old, &options)
        });
        let deleted = deleted.await?;
        Ok(RawDeleteResponse { object: deleted.object, removed: deleted.removed })
    }

    /// Deletes what a list would show, and answers with it.
    ///
    /// # Errors
    /// Those of the list; and of the deletions the first, but for objects that are gone already.
    pub(crate) async fn delete_collection(
        &self,
        caller: &Caller,
        request: DeleteCollectionRequest,
    ) -> Result<RawList, ApiError> {
        let list = ListRequest { limit: 0, r#continue: String::new(), ..request.list.unwrap_or_default() };
        let found = self.list(&list).await?;
        let mut names = Vec::with_capacity(found.items.len());
        for object in &found.items {
            let meta = wire::metadata(object).map_err(|error| ApiError::internal(error.to_string()))?;
            names.push((meta.namespace, meta.name));
        }
        let deletions = names.into_iter().map(|(namespace, name)| {
            self.delete(caller, DeleteRequest { namespace, name, options: request.options.clone() })
        });
        let mut deletions = futures::stream::iter(deletions).buffered(SIDE_BY_SIDE);
        let mut items = Vec::with_capacity(found.items.len());
        while let Some(deleted) = deletions.next().await {
            match deleted {
                Ok(deleted) => items.push(deleted.object),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let metadata = ListMeta {
            resource_version: self.cache.progress().revision().to_string(),
            ..ListMeta::default()
        };
        Ok(RawList { metadata: Some(metadata), items, ..RawList::default() })
    }

    /// What a deletion makes of an object.
    fn deleted(&self, old: &S::Object, options: &DeleteOptions) -> Result<Change<S::Object>, ApiError> {
        let deletion = self.strategy.deletion(old, options)?;
        let mut finalizers = old.metadata().finalizers.clone();
        propagate(&mut finalizers, options, self.strategy.orphans_by_default());
        let held = !finalizers.is_empty();
        let mut marked = match deletion {
            Deletion::Now if !held => return Ok(Change::Remove(Box::new(old.clone()))),
            Deletion::Under if finalizers == old.metadata().finalizers => return Ok(Change::Keep),
            // Nothing but finalizers holds it: it goes with the last of them.
            Deletion::Now => Box::new(with_grace(old, 0)),
            Deletion::Under => Box::new(old.clone()),
            Deletion::Later(marked) => marked,
        };
        marked.metadata_mut().finalizers = finalizers;
        Ok(Change::Write(marked))
    }
}

/// The object as it is while it is deleted, with this grace in seconds, counted from when its deletion began.
pub(super) fn with_grace<K: Object>(object: &K, grace: i64) -> K {
    let mut marked = object.clone();
    let meta = marked.metadata_mut();
    let began = match (meta.deletion_timestamp, meta.deletion_grace_period_seconds) {
        (Some(ends), Some(before)) => Time { seconds: ends.seconds.saturating_sub(before), nanos: 0 },
        (Some(ends), None) => ends,
        (None, _) => Time::now(),
    };
    meta.deletion_timestamp = Some(Time { seconds: began.seconds.saturating_add(grace), nanos: 0 });
    meta.deletion_grace_period_seconds = Some(grace);
    marked
}

/// Refuses what says two things, or nothing known, about the dependents.
fn check_propagation(options: &DeleteOptions) -> Result<(), ApiError> {
    let Some(policy) = &options.propagation_policy else { return Ok(()) };
    let path = Path::new("propagationPolicy");
    let error = if options.orphan_dependents.is_some() {
        FieldError::invalid(
            &path,
            policy.as_str(),
            "orphanDependents and deletionPropagation cannot be both set",
        )
    } else if ["Foreground", "Background", "Orphan"].contains(&policy.as_str()) {
        return Ok(());
    } else {
        FieldError::not_supported(&path, policy.as_str(), &["Foreground", "Background", "Orphan", "nil"])
    };
    Err(invalid_options("DeleteOptions", error))
}

/// Adds or drops the finalizers by which dependents are orphaned or go first.
fn propagate(finalizers: &mut Vec<String>, options: &DeleteOptions, orphans_by_default: bool) {
    let is_ours = |finalizer: &String| [ORPHAN, FOREGROUND].contains(&finalizer.as_str());
    let wanted = match (options.propagation_policy.as_deref(), options.orphan_dependents) {
        (Some("Orphan"), _) | (None, Some(true)) => Some(ORPHAN),
        (Some("Foreground"), _) => Some(FOREGROUND),
        (Some(_), _) | (None, Some(false)) => None,
        (None, None) if orphans_by_default && !finalizers.iter().any(is_ours) => Some(ORPHAN),
        (None, None) => return,
    };
    finalizers.retain(|finalizer| !is_ours(finalizer));
    finalizers.extend(wanted.map(str::to_owned));
}

fn check_preconditions<K: Object>(object: &K, options: &DeleteOptions) -> Result<(), ApiError> {
    let Some(wanted) = &options.preconditions else { return Ok(()) };
    let meta = object.metadata();
    let differs = |what: &str, wanted: &Option<String>, is: &str| match wanted {
        Some(wanted) if wanted != is => Err(ApiError::conflict_because(
            K::KIND,
            &meta.name,
            format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {is}"),
        )),
        _ => Ok(()),
    };
    differs("UID", &wanted.uid, &meta.uid)?;
    differs("ResourceVersion", &wanted.resource_version, &meta.resource_version)
}
