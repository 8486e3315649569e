//! Services: the addresses and ports that they hold are reserved in the same commit.

use std::sync::Arc;

use keelson_base_model::field::ErrorList;
use keelson_base_model::service;
use keelson_base_model::status::ApiError;
use keelson_proto::core::Service;

use crate::allocator::Allocators;
use crate::registry::{Reservation, Strategy};

/// What is particular to services.
pub(crate) struct ServiceStrategy {
    /// The addresses and ports that services can have.
    pub(crate) allocators: Arc<Allocators>,
}

// === impl ServiceStrategy ===

impl Strategy for ServiceStrategy {
    type Object = Service;
    const PREFIX: &'static str = "/registry/services/specs/";
    const FIELDS: &'static [&'static str] = service::FIELDS;

    fn fields(object: &Service) -> Vec<(&'static str, String)> {
        super::fields_of(service::FIELDS, |field| service::fields(object, field))
    }

    fn set_defaults(&self, object: &mut Service) {
        service::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut Service) {
        service::prepare_create(object);
    }

    fn validate_create(&self, object: &Service) -> ErrorList {
        service::validate(object)
    }

    fn prepare_update(&self, new: &mut Service, old: &Service) {
        service::prepare_update(new, old);
    }

    fn validate_update(&self, new: &Service, old: &Service) -> ErrorList {
        service::validate_update(new, old)
    }

    fn has_status(&self) -> bool {
        true
    }

    fn prepare_status(&self, new: &mut Service, old: &Service) {
        service::prepare_status_update(new, old);
    }

    fn validate_status(&self, new: &Service, old: &Service) -> ErrorList {
        service::validate_status_update(new, old)
    }

    fn create_on_update(&self) -> bool {
        true
    }

    fn reserve(&self, old: Option<&Service>, new: Option<&mut Service>) -> Result<Reservation, ApiError> {
        self.allocators.reserve(old, new)
    }
}
