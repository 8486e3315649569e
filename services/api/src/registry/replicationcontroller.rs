//! Replication controllers.

use keelson_base_model::field::ErrorList;
use keelson_base_model::status::ApiError;
use keelson_base_model::{rc, scale};
use keelson_proto::autoscaling::Scale;
use keelson_proto::core::ReplicationController;
use keelson_proto::v1::{GetRequest, ScaleRequest};

use crate::auth::Caller;
use crate::errors::{dry_run, refused};
use crate::registry::update::Part;
use crate::registry::{Managing, Registry, Strategy};

/// What is particular to replication controllers: a generation that counts changes of the spec, and a scale.
pub(crate) struct ReplicationControllerStrategy;

// === impl ReplicationControllerStrategy ===

impl Strategy for ReplicationControllerStrategy {
    type Object = ReplicationController;
    const PREFIX: &'static str = "/registry/controllers/";
    const FIELDS: &'static [&'static str] = rc::FIELDS;

    fn fields(object: &ReplicationController) -> Vec<(&'static str, String)> {
        super::fields_of(rc::FIELDS, |field| rc::fields(object, field))
    }

    fn set_defaults(&self, object: &mut ReplicationController) {
        rc::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut ReplicationController) {
        rc::prepare_create(object);
    }

    fn validate_create(&self, object: &ReplicationController) -> ErrorList {
        rc::validate(object)
    }

    fn prepare_update(&self, new: &mut ReplicationController, old: &ReplicationController) {
        rc::prepare_update(new, old);
    }

    fn validate_update(&self, new: &ReplicationController, old: &ReplicationController) -> ErrorList {
        rc::validate_update(new, old)
    }

    /// v1 clients that know nothing of garbage collection scale down before they delete, or mean to keep the pods.
    fn orphans_by_default(&self) -> bool {
        true
    }

    fn has_status(&self) -> bool {
        true
    }

    fn prepare_status(&self, new: &mut ReplicationController, old: &ReplicationController) {
        rc::prepare_status_update(new, old);
    }

    fn validate_status(&self, new: &ReplicationController, old: &ReplicationController) -> ErrorList {
        rc::validate_status_update(new, old)
    }
}

// === impl Registry ===

impl Registry<ReplicationControllerStrategy> {
    /// Reads the scale.
    ///
    /// # Errors
    /// NotFound.
    pub(crate) async fn scale_of(&self, request: &GetRequest) -> Result<Scale, ApiError> {
        let object = self.get(request).await?;
        decode(object).map(|rc| scale::of_rc(&rc))
    }

    /// Sets the number of replicas wanted.
    ///
    /// # Errors
    /// NotFound, Conflict, Invalid.
    pub(crate) async fn scale(&self, caller: &Caller, request: ScaleRequest) -> Result<Scale, ApiError> {
        let wanted = request.scale.unwrap_or_default();
        let options = request.options.unwrap_or_default();
        let dry_run = dry_run("UpdateOptions", &options.dry_run)?;
        refused(&wanted, scale::validate(&wanted))?;
        let path = Self::path(&request.namespace, &request.name);
        let scaled = self.mutate(&path, dry_run, |old| {
            let mut new = old.clone();
            new.metadata.uid.clone_from(&wanted.metadata.uid);
            new.metadata.resource_version.clear();
            scale::apply(&wanted, &mut new);
            self.replaced(caller, new, old, Part::Whole, Managing::By(&options.field_manager))
        });
        decode(scaled.await?.object).map(|rc| scale::of_rc(&rc))
    }
}

fn decode(object: bytes::Bytes) -> Result<ReplicationController, ApiError> {
    use keelson_proto::Message;
    ReplicationController::decode(object)
        .map_err(|error| ApiError::internal(format!("cannot read a stored ReplicationController: {error}")))
}
