//! Server-side apply: a configuration that its manager owns the fields of.

use bytes::Bytes;
use keelson_base_model::apply::{self, Writer};
use keelson_base_model::field::{FieldError, Path};
use keelson_base_model::patch::Schema;
use keelson_base_model::status::ApiError;
use keelson_proto::meta::{CreateOptions, PatchOptions, Time};
use keelson_proto::v1::PatchRequest;
use keelson_proto::{Object, json};
use serde_json::Value;

use crate::auth::{self, Caller};
use crate::errors::{dry_run, invalid_options};
use crate::notes;
use crate::registry::managed::{self, Managing};
use crate::registry::mutate::Change;
use crate::registry::update::Part;
use crate::registry::{Registry, Strategy};

/// The media type of a configuration to apply.
pub(crate) const CONTENT_TYPE: &str = "application/apply-patch+yaml";

/// How often an apply runs again because somebody else created or deleted the object meanwhile.
const MOST_TRIES: usize = 8;

/// The longest name of a field manager.
const LONGEST_MANAGER: usize = 128;

/// What a client applies.
struct Config {
    value: Value,
    manager: String,
    force: bool,
    now: Time,
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Applies a configuration to an object, which begins to exist if it is not there.
    ///
    /// # Errors
    /// BadRequest, Invalid, NotFound for the part of an object that is not there, Conflict if others own what would
    /// change, and what admission refuses.
    pub(super) async fn apply(
        &self,
        caller: &Caller,
        request: PatchRequest,
        part: Part,
    ) -> Result<Bytes, ApiError> {
        let options = request.options.clone().unwrap_or_default();
        let dry_run = dry_run("PatchOptions", &options.dry_run)?;
        let config = Config::read::<S::Object>(&request, options, part, self.strategy.has_status())?;
        let path = Self::path(&request.namespace, &request.name);
        for _ in 0..MOST_TRIES {
            let applied = self.mutate(&path, dry_run, |old| self.applied(caller, &config, old, part)).await;
            match applied {
                Err(error) if error.is_not_found() && part == Part::Whole => {}
                applied => return Ok(applied?.object),
            }
            match self.create_applied(caller, &request, &config).await {
                Err(error) if error.is_already_exists() => {}
                created => {
                    notes::created();
                    return created;
                }
            }
        }
        Err(ApiError::conflict(S::Object::KIND, &request.name))
    }

    /// What a configuration makes of the object that is there.
    fn applied(
        &self,
        caller: &Caller,
        config: &Config,
        old: &S::Object,
        part: Part,
    ) -> Result<Change<S::Object>, ApiError> {
        let mut live = managed::json(old)?;
        if let Some(metadata) = live.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        let applied = apply::apply(
            Schema::of_kind(S::Object::KIND),
            Some(&live),
            &old.metadata().managed_fields,
            &config.value,
            config.writer(part, &S::Object::KIND.api_version()),
            config.force,
        )?;
        let mut new = decode::<S::Object>(applied.object)?;
        new.metadata_mut().managed_fields = applied.managed;
        self.replaced(caller, new, old, part, Managing::Settled)
    }

    async fn create_applied(
        &self,
        caller: &Caller,
        request: &PatchRequest,
        config: &Config,
    ) -> Result<Bytes, ApiError> {
        let kind = S::Object::KIND;
        // Who may change objects need not be one who may create them.
        let asked = auth::Request {
            verb: "create",
            resource: kind.plural,
            group: kind.group,
            subresource: "",
            namespace: &request.namespace,
            name: &request.name,
        };
        self.access.authorize(caller, asked)?;
        let version = kind.api_version();
        let writer = config.writer(Part::Whole, &version);
        let applied = apply::apply(Schema::of_kind(kind), None, &[], &config.value, writer, config.force)?;
        let mut new = decode::<S::Object>(applied.object)?;
        let meta = new.metadata_mut();
        if !meta.uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was found",
                meta.uid
            );
            return Err(ApiError::conflict_because(kind, &request.name, why));
        }
        if !meta.resource_version.is_empty() {
            return Err(ApiError::not_found(kind, &request.name));
        }
        meta.managed_fields = applied.managed;
        let options = CreateOptions {
            dry_run: request.options.clone().unwrap_or_default().dry_run,
            ..CreateOptions::default()
        };
        self.create_object(caller, &request.namespace, new, &options).await
    }
}

// === impl Config ===

impl Config {
    fn read<K: Object>(
        request: &PatchRequest,
        options: PatchOptions,
        part: Part,
        has_status: bool,
    ) -> Result<Self, ApiError> {
        check_manager(&options.field_manager)?;
        let mut value: Value = yaml_serde::from_slice(&request.patch)
            .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?;
        let Some(fields) = value.as_object_mut() else {
            return Err(ApiError::bad_request("error decoding YAML: a configuration to apply is an object"));
        };
        let said = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, version) = (said("kind"), said("apiVersion"));
        if kind.is_empty() {
            return Err(ApiError::bad_request("Object 'Kind' is missing in the configuration to apply"));
        }
        if version != K::KIND.api_version() || kind != K::KIND.kind {
            return Err(ApiError::bad_request(format!(
                "Incorrect version specified in apply patch. Specified patch version: {version}, {kind}, expected: {}, {}",
                K::KIND.api_version(),
                K::KIND.kind
            )));
        }
        // Each of them is written where it is served.
        match part {
            Part::Whole if has_status => fields.remove("status"),
            Part::Whole => None,
            Part::Status => fields.remove("spec"),
        };
        let metadata = fields.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
        let Some(metadata) = metadata.as_object_mut() else {
            return Err(ApiError::bad_request("metadata: a configuration to apply has an object there"));
        };
        if metadata.get("managedFields").is_some_and(|value| !value.is_null()) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        let name = metadata.entry("name").or_insert_with(|| request.name.clone().into());
        if *name != request.name.as_str() {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                name.as_str().unwrap_or_default(),
                request.name
            )));
        }
        if let Some(namespace) =
            metadata.get("namespace").filter(|given| **given != request.namespace.as_str())
        {
            return Err(ApiError::bad_request(format!(
                "the namespace of the provided object ({}) does not match the namespace sent on the request ({})",
                namespace.as_str().unwrap_or_default(),
                request.namespace
            )));
        }
        Ok(Self {
            value,
            manager: options.field_manager,
            force: options.force.unwrap_or_default(),
            now: Time::now(),
        })
    }

    fn writer<'a>(&'a self, part: Part, api_version: &'a str) -> Writer<'a> {
        Writer { manager: &self.manager, subresource: part.subresource(), api_version, now: self.now }
    }
}

/// Who applies must have a name.
fn check_manager(name: &str) -> Result<(), ApiError> {
    let path = Path::new("fieldManager");
    let error = if name.is_empty() {
        FieldError::required(&path, "is required for apply patch")
    } else if name.len() > LONGEST_MANAGER {
        FieldError::too_long(&path, LONGEST_MANAGER)
    } else if name.chars().any(char::is_control) {
        FieldError::invalid(&path, name, "should only contain printable characters")
    } else {
        return Ok(());
    };
    Err(invalid_options("PatchOptions", error))
}

fn decode<K: Object>(value: Value) -> Result<K, ApiError> {
    let (object, _) = json::from_deserializer::<K, _>(value).map_err(|error| {
        ApiError::bad_request(format!("the applied object is no {}: {error}", K::KIND.kind))
    })?;
    Ok(object)
}
