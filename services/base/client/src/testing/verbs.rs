//! The verbs on the fake's objects: what api's strategies do, as far as its clients can tell.

use bytes::Bytes;
use keelson_base_model::patch::{self, Form as PatchForm, Schema};
use keelson_proto::core::{Namespace, Pod};
use keelson_proto::meta::{DeleteOptions, ObjectMeta, Status, Time};
use keelson_proto::v1::{
    BindPodRequest, DeleteCollectionRequest, DeleteRequest, GetRequest, ListRequest, NodesContainsRequest,
    NodesContainsResponse, PatchRequest, RawCreateRequest, RawDeleteResponse, RawList, RawUpdateRequest,
};
use keelson_proto::{Message, Object as _};
use serde_json::{Value, json};

use super::kinds::{Form, metadata};
use super::store::Store;
use crate::ApiError;

/// When everything is created: the fake has no clock.
const CREATED: Time = Time { seconds: 1, nanos: 0 };

/// When every deletion begins.
const DELETED: Time = Time { seconds: 2, nanos: 0 };

/// Seconds that a pod on a node has if neither it nor its deleter says anything.
const GRACE: i64 = 30;

// === impl Store ===

impl Store {
    /// Answers a unary call; both messages are encoded.
    pub(super) fn call(&mut self, form: Form, method: &str, body: Bytes) -> Result<Bytes, ApiError> {
        match method {
            "Get" => {
                let GetRequest { namespace, name, .. } = read(body)?;
                self.find(form, &namespace, &name)
            }
            "List" => self.list(form, &read(body)?).map(|list| encode(&list)),
            "Create" => self.create(form, read(body)?),
            "Update" => self.update(form, Part::AllButStatus, read(body)?),
            "UpdateStatus" => self.update(form, Part::Only("status"), read(body)?),
            "Finalize" => self.update(form, Part::Only("spec"), read(body)?),
            "Patch" => self.patch(form, &read(body)?),
            "Delete" => {
                let DeleteRequest { namespace, name, options } = read(body)?;
                let object = self.find(form, &namespace, &name)?;
                let deleted = self.delete(form, object, &options.unwrap_or_default())?;
                Ok(encode(&deleted))
            }
            "DeleteCollection" => self.delete_collection(form, read(body)?),
            "Bind" => self.bind(form, read(body)?),
            "Contains" => {
                let NodesContainsRequest { name } = read(body)?;
                let contains = self.find(form, "", &name).is_ok();
                Ok(encode(&NodesContainsResponse { contains }))
            }
            _ => Err(ApiError::unimplemented(method)),
        }
    }

    fn create(&mut self, form: Form, request: RawCreateRequest) -> Result<Bytes, ApiError> {
        let next = self.revision + 1;
        let mut new = metadata(&request.object);
        if new.namespace.is_empty() {
            new.namespace = request.namespace;
        }
        if new.name.is_empty() {
            new.name = format!("{}{next}", new.generate_name);
        }
        if self.find(form, &new.namespace, &new.name).is_ok() {
            return Err(ApiError::already_exists(form.kind, &new.name));
        }
        new.uid = format!("uid-{next}");
        new.creation_timestamp = Some(CREATED);
        let object = (form.with_metadata)(&request.object, new);
        Ok(self.put(form, &object, None))
    }

    fn update(&mut self, form: Form, part: Part, request: RawUpdateRequest) -> Result<Bytes, ApiError> {
        let old = self.find(form, &request.namespace, &request.name)?;
        let new = (form.to_json)(&request.object);
        self.change(form, part, &old, new)
    }

    fn patch(&mut self, form: Form, request: &PatchRequest) -> Result<Bytes, ApiError> {
        let old = self.find(form, &request.namespace, &request.name)?;
        let how = PatchForm::from_content_type(&request.content_type);
        let how = how.ok_or_else(|| ApiError::bad_request("unknown form of patch"))?;
        let schema = Schema::of_kind(form.kind);
        let new = patch::apply(how, schema, &(form.to_json)(&old), &request.patch)?;
        let part = match request.subresource.as_str() {
            "status" => Part::Only("status"),
            _ => Part::AllButStatus,
        };
        self.change(form, part, &old, new)
    }

    /// Replaces part of `old`, if `new` does not come from another version or another object of the name.
    fn change(&mut self, form: Form, part: Part, old: &Bytes, new: Value) -> Result<Bytes, ApiError> {
        let before = metadata(old);
        let differs = |field: &str, is: &str| new["metadata"][field].as_str().is_some_and(|new| new != is);
        if differs("resourceVersion", &before.resource_version) || differs("uid", &before.uid) {
            return Err(ApiError::conflict(form.kind, &before.name));
        }
        let changed = part.changed((form.to_json)(old), new);
        let changed = (form.from_json)(changed).map_err(|error| ApiError::bad_request(error.to_string()))?;
        let kept = ObjectMeta {
            name: before.name,
            namespace: before.namespace,
            uid: before.uid,
            creation_timestamp: before.creation_timestamp,
            deletion_timestamp: before.deletion_timestamp,
            deletion_grace_period_seconds: before.deletion_grace_period_seconds,
            ..metadata(&changed)
        };
        Ok(self.settle(form, &(form.with_metadata)(&changed, kept)).0)
    }

    /// Gives a pod its node.
    fn bind(&mut self, form: Form, request: BindPodRequest) -> Result<Bytes, ApiError> {
        let binding = request.binding.unwrap_or_default();
        let name = &binding.metadata.name;
        let mut pod: Pod = read(self.find(form, &request.namespace, name)?)?;
        let is_other = !binding.metadata.uid.is_empty() && binding.metadata.uid != pod.metadata.uid;
        if is_other || !pod.spec.node_name.is_empty() {
            return Err(ApiError::conflict(form.kind, name));
        }
        pod.spec.node_name = binding.target.name;
        self.put(form, &encode(&pod), None);
        Ok(encode(&Status { status: "Success".to_owned(), ..Status::default() }))
    }

    fn delete_collection(&mut self, form: Form, request: DeleteCollectionRequest) -> Result<Bytes, ApiError> {
        let list = ListRequest { limit: 0, ..request.list.unwrap_or_default() };
        let options = request.options.unwrap_or_default();
        let mut deleted = RawList::default();
        for object in self.list(form, &list)?.items {
            deleted.items.push(self.delete(form, object, &options)?.object);
        }
        Ok(encode(&deleted))
    }

    fn delete(
        &mut self,
        form: Form,
        object: Bytes,
        options: &DeleteOptions,
    ) -> Result<RawDeleteResponse, ApiError> {
        let mut dying = metadata(&object);
        let wanted = options.preconditions.clone().unwrap_or_default();
        let differs =
            |wanted: &Option<String>, is: &str| wanted.as_deref().is_some_and(|wanted| wanted != is);
        if differs(&wanted.uid, &dying.uid) || differs(&wanted.resource_version, &dying.resource_version) {
            return Err(ApiError::conflict(form.kind, &dying.name));
        }
        let mut value = (form.to_json)(&object);
        dying.deletion_timestamp = Some(DELETED);
        dying.deletion_grace_period_seconds = Some(grace(&value, options));
        let finalizer = match options.propagation_policy.as_deref() {
            Some("Orphan") => Some("orphan"),
            Some("Foreground") => Some("foregroundDeletion"),
            _ => None,
        };
        let missing = finalizer.filter(|finalizer| !dying.finalizers.iter().any(|one| one == finalizer));
        dying.finalizers.extend(missing.map(str::to_owned));
        if form.kind == Namespace::KIND {
            value["status"] = json!({ "phase": "Terminating" });
        }
        let object = (form.from_json)(value).map_err(|error| ApiError::bad_request(error.to_string()))?;
        let (object, removed) = self.settle(form, &(form.with_metadata)(&object, dying));
        Ok(RawDeleteResponse { object, removed })
    }

    /// Stores an object, or removes it if it is being deleted and nothing holds it; tells whether it went.
    fn settle(&mut self, form: Form, object: &Bytes) -> (Bytes, bool) {
        let metadata = metadata(object);
        let is_held = || {
            !metadata.finalizers.is_empty()
                || metadata.deletion_grace_period_seconds.is_some_and(|grace| grace > 0)
                || (form.to_json)(object).pointer("/spec/finalizers/0").is_some()
        };
        if metadata.deletion_timestamp.is_some() && !is_held() {
            return (self.remove(form, object), true);
        }
        (self.put(form, object, None), false)
    }
}

/// What of an object a write may change.
#[derive(Clone, Copy)]
enum Part {
    AllButStatus,
    /// This field.
    Only(&'static str),
}

// === impl Part ===

impl Part {
    fn changed(self, old: Value, new: Value) -> Value {
        let (mut base, mut other, field) = match self {
            Self::AllButStatus => (new, old, "status"),
            Self::Only(field) => (old, new, field),
        };
        base[field] = other[field].take();
        base
    }
}

/// Only pods on nodes take their time.
fn grace(object: &Value, options: &DeleteOptions) -> i64 {
    if object.pointer("/spec/nodeName").is_none() {
        return 0;
    }
    let own = object.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    options.grace_period_seconds.or(own).unwrap_or(GRACE)
}

fn read<M: Message + Default>(body: Bytes) -> Result<M, ApiError> {
    M::decode(body).map_err(|error| ApiError::bad_request(format!("cannot read the request: {error}")))
}

fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
