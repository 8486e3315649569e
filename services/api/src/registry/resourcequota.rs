//! Resource quotas.

use keelson_api_store::Op;
use keelson_base_model::field::ErrorList;
use keelson_base_model::resourcequota;
use keelson_base_model::status::ApiError;
use keelson_proto::core::ResourceQuota;

use crate::admission::mark_of;
use crate::registry::{Reservation, Strategy};

/// What is particular to resource quotas: a status that says what is used.
pub(crate) struct ResourceQuotaStrategy;

// === impl ResourceQuotaStrategy ===

impl Strategy for ResourceQuotaStrategy {
    type Object = ResourceQuota;
    const PREFIX: &'static str = "/registry/resourcequotas/";
    const FIELDS: &'static [&'static str] = resourcequota::FIELDS;

    fn fields(object: &ResourceQuota) -> Vec<(&'static str, String)> {
        super::fields_of(resourcequota::FIELDS, |field| resourcequota::fields(object, field))
    }

    fn set_defaults(&self, object: &mut ResourceQuota) {
        resourcequota::set_defaults(object);
    }

    fn prepare_create(&self, object: &mut ResourceQuota) {
        resourcequota::prepare_create(object);
    }

    fn validate_create(&self, object: &ResourceQuota) -> ErrorList {
        resourcequota::validate(object)
    }

    fn prepare_update(&self, new: &mut ResourceQuota, old: &ResourceQuota) {
        resourcequota::prepare_update(new, old);
    }

    fn validate_update(&self, new: &ResourceQuota, old: &ResourceQuota) -> ErrorList {
        resourcequota::validate_update(new, old)
    }

    fn has_status(&self) -> bool {
        true
    }

    fn prepare_status(&self, new: &mut ResourceQuota, old: &ResourceQuota) {
        resourcequota::prepare_status_update(new, old);
    }

    fn validate_status(&self, new: &ResourceQuota, old: &ResourceQuota) -> ErrorList {
        resourcequota::validate_status_update(new, old)
    }

    /// With a quota goes what was noted of it.
    fn reserve(
        &self,
        old: Option<&ResourceQuota>,
        new: Option<&mut ResourceQuota>,
    ) -> Result<Reservation, ApiError> {
        let gone = old.filter(|_| new.is_none());
        Ok(Reservation {
            ops: gone.map(|quota| Op::delete(mark_of(quota))).into_iter().collect(),
            ..Reservation::default()
        })
    }
}
