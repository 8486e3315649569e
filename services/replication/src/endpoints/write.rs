//! Writing slices, several at a time.

use futures::future::join_all;
use keelson_base_client::ApiError;
use keelson_base_model::endpointslice::MANAGED_BY;
use keelson_base_model::key::ObjectKey;
use keelson_base_model::status;
use keelson_proto::discovery::EndpointSlice;

use super::EndpointsLoop;
use super::slices::{self, Head, Plan, Wanted};
use crate::delete;

// === impl EndpointsLoop ===

impl EndpointsLoop {
    /// Brings the slices of a service to what is told of it. Those that the other manager has written go; all of them,
    /// if nothing is told.
    pub(super) async fn write_slices(
        &self,
        service: &ObjectKey,
        told: Option<(Head, Wanted)>,
    ) -> Result<(), ApiError> {
        let existing = self.caches.slices.by_index(&service.to_string());
        let manager = told.as_ref().map(|(head, _)| head.manager);
        let is_ours = |slice: &EndpointSlice| {
            let by = slice.metadata.labels.get(MANAGED_BY).map(String::as_str);
            manager.is_some() && by == manager
        };
        let (ours, others): (Vec<_>, Vec<_>) = existing.into_iter().partition(|slice| is_ours(slice));
        let mut plan = match told {
            Some((head, wanted)) => slices::reconcile(&head, wanted, &ours),
            None => Plan::default(),
        };
        plan.delete.extend(others);
        self.carry_out(service, plan).await
    }

    /// New slices come before others go: an endpoint that stays is missed by nobody.
    async fn carry_out(&self, service: &ObjectKey, plan: Plan) -> Result<(), ApiError> {
        let Plan { create, update, delete } = plan;
        self.expectations.expect_creations(service, create.len());
        all(create.iter().map(|slice| self.create_slice(service, slice))).await?;
        all(update.iter().map(|slice| async { self.slices.update(slice).await.map(drop) })).await?;
        self.expectations.expect_deletions(service, delete.iter().map(|slice| slice.metadata.uid.clone()));
        all(delete.iter().map(|slice| self.delete_slice(service, slice))).await
    }

    async fn create_slice(&self, service: &ObjectKey, slice: &EndpointSlice) -> Result<(), ApiError> {
        let Err(error) = self.slices.create(slice).await else { return Ok(()) };
        // After a timeout the slice may exist: then it will be seen, else it is given up in time.
        if error.reason() != status::Reason::Timeout {
            self.expectations.creation_observed(service);
        }
        // Nothing can be created there any more, and soon all of it is gone.
        let hopeless = error.is_forbidden() && self.caches.is_terminating(&service.namespace);
        if hopeless { Ok(()) } else { Err(error) }
    }

    async fn delete_slice(&self, service: &ObjectKey, slice: &EndpointSlice) -> Result<(), ApiError> {
        let slices = self.slices.namespaced(&slice.metadata.namespace);
        let Err(error) = slices.delete(&slice.metadata.name, delete::seen(&slice.metadata)).await else {
            return Ok(());
        };
        self.expectations.deletion_observed(service, &slice.metadata.uid);
        if error.is_not_found() || error.is_conflict() { Ok(()) } else { Err(error) }
    }
}

/// Waits for all of these, whatever comes of the others, and answers with the first failure.
async fn all(
    calls: impl Iterator<Item = impl Future<Output = Result<(), ApiError>>>,
) -> Result<(), ApiError> {
    join_all(calls).await.into_iter().collect()
}
