//! Storing a new object.

use bytes::Bytes;
use keelson_api_store::{Commit, CommitOutcome, Compare, Expect, Op};
use keelson_base_daemon::trace;
use keelson_base_model::apply;
use keelson_base_model::meta::prepare_create;
use keelson_base_model::names::generate_name;
use keelson_base_model::status::ApiError;
use keelson_proto::meta::{CreateOptions, Time};
use keelson_proto::v1::RawCreateRequest;
use keelson_proto::{Message, Object};

use crate::admission::Ask;
use crate::auth::Caller;
use crate::errors::{RETRY, dry_run, from_store, refused};
use crate::registry::stored::Encoded;
use crate::registry::{Registry, Strategy, traced};

/// How often a lost race for a generated name, a reserved key or a quota is tried again.
const MOST_TRIES: usize = 64;

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Stores a new object and answers with it.
    ///
    /// # Errors
    /// BadRequest, Invalid, AlreadyExists, and what admission or the kind's reservations refuse.
    pub(crate) async fn create(&self, caller: &Caller, request: RawCreateRequest) -> Result<Bytes, ApiError> {
        let object = S::Object::decode(request.object).map_err(|error| {
            ApiError::bad_request(format!("cannot decode the {}: {error}", S::Object::KIND.kind))
        })?;
        self.create_object(caller, &request.namespace, object, &request.options.unwrap_or_default()).await
    }

    /// The same, of a decoded object.
    ///
    /// # Errors
    /// As `create`.
    pub(crate) async fn create_object(
        &self,
        caller: &Caller,
        namespace: &str,
        mut asked: S::Object,
        options: &CreateOptions,
    ) -> Result<Bytes, ApiError> {
        let dry_run = dry_run("CreateOptions", &options.dry_run)?;
        place::<S>(&mut asked, namespace)?;
        begin(&mut asked)?;
        let generated = asked.metadata().name.is_empty();
        let mut taken = None;
        for _ in 0..MOST_TRIES {
            let mut object = asked.clone();
            if generated && !object.metadata().generate_name.is_empty() {
                object.metadata_mut().name = generate_name(&object.metadata().generate_name);
            }
            traced::name(S::Object::KIND, &object.metadata().namespace, &object.metadata().name);
            self.strategy.set_defaults(&mut object);
            let ask = Ask { caller, dry_run };
            let admitted = self.admission.create::<S::Object>(ask, &mut object);
            let terms = trace::span("admission").instrument_result(admitted).await?;
            trace::span("validation").in_scope(|| self.complete(&mut object))?;
            self.strategy.permits(caller, &object, None)?;
            match self.try_create(&mut object, terms, dry_run).await? {
                Tried::Created(object) => return Ok(object),
                Tried::Taken => {
                    taken = Some(ApiError::already_exists(S::Object::KIND, &object.metadata().name))
                }
                Tried::Raced => taken = None,
            }
            if taken.is_some() && !generated {
                break;
            }
        }
        Err(taken.unwrap_or_else(|| ApiError::server_timeout(S::Object::KIND, "create", RETRY)))
    }

    /// What the server sets, and what is wrong with the object.
    fn complete(&self, object: &mut S::Object) -> Result<(), ApiError> {
        self.strategy.prepare_create(object);
        refused(object, self.strategy.validate_create(object))?;
        self.strategy.canonicalize(object);
        Ok(())
    }

    /// One attempt. `terms` is what admission wants to be so still.
    async fn try_create(
        &self,
        object: &mut S::Object,
        terms: Vec<Compare>,
        dry_run: bool,
    ) -> Result<Tried, ApiError> {
        let reservation = self.reserve(None, Some(object)).await?;
        let charge = self.admission.charge(None, object, dry_run).await?;
        let key = Self::key(&Self::path(&object.metadata().namespace, &object.metadata().name));
        let encoded = Encoded::new(object);
        if dry_run {
            let exists = self.store.get(&key).await.map_err(from_store)?.is_some();
            return Ok(if exists { Tried::Taken } else { Tried::Created(encoded.unwritten()) });
        }
        let mut compares = vec![Compare { key: key.clone(), expect: Expect::Absent }];
        let mut ops = vec![Op::Put { key, value: encoded.value.clone(), ttl: self.strategy.ttl() }];
        compares.extend(reservation.compares);
        compares.extend(terms);
        ops.extend(reservation.ops);
        let commit = Commit { compares, ops };
        match self.commit_charged(commit, charge).await? {
            CommitOutcome::Committed { revision, .. } => Ok(Tried::Created(encoded.at(revision))),
            CommitOutcome::Conflict { index: 0, .. } => Ok(Tried::Taken),
            CommitOutcome::Conflict { revision, .. } => {
                // What the commit depends on besides was chosen from the caches: they must know better first.
                self.cache.progress().reach(revision).await?;
                Ok(Tried::Raced)
            }
        }
    }
}

/// How an attempt ended.
enum Tried {
    /// The object is there.
    Created(Bytes),
    /// The name is another object's.
    Taken,
    /// Something else that the commit depends on was changed meanwhile.
    Raced,
}

/// Gives the object the namespace of the request, or checks that it is the same.
pub(super) fn place<S: Strategy>(object: &mut S::Object, namespace: &str) -> Result<(), ApiError> {
    let meta = object.metadata_mut();
    if !S::Object::KIND.namespaced {
        return match (meta.namespace.as_str(), namespace) {
            ("", "") => Ok(()),
            _ => Err(ApiError::bad_request(format!("{} live in no namespace", S::Object::KIND.plural))),
        };
    }
    if meta.namespace.is_empty() {
        meta.namespace = namespace.to_owned();
    }
    if meta.namespace.is_empty() {
        return Err(ApiError::bad_request("an empty namespace may not be set during creation"));
    }
    if !namespace.is_empty() && meta.namespace != namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Sets what the server sets on every new object, and refuses or drops what a client may not.
fn begin<K: Object>(object: &mut K) -> Result<(), ApiError> {
    let meta = object.metadata_mut();
    if !meta.resource_version.is_empty() && meta.resource_version != "0" {
        return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
    }
    prepare_create(meta, uuid::Uuid::new_v4().to_string(), Time::now());
    if !apply::is_readable(&meta.managed_fields) {
        meta.managed_fields.clear();
    }
    Ok(())
}
