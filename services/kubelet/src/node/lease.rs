//! The node's sign of life: its Lease in `kube-node-lease`.

use jiff::Timestamp;
use keelson_base_client::{Api, ApiError};
use keelson_proto::coordination::{Lease, LeaseSpec};
use keelson_proto::core::Node;
use keelson_proto::meta::{MicroTime, OwnerReference};

/// Where the leases of nodes are; api makes this namespace.
const NAMESPACE: &str = "kube-node-lease";

/// How long a node counts as alive after a renewal, in seconds.
const DURATION: i32 = 40;

/// Renews one Lease.
pub(super) struct Heartbeat {
    leases: Api<Lease>,
    name: String,
    owner: Option<OwnerReference>,
    /// The Lease as it was last written.
    last: Option<Lease>,
}

// === impl Heartbeat ===

impl Heartbeat {
    /// The heartbeat of the node `name`.
    pub(super) fn new(leases: Api<Lease>, name: &str) -> Self {
        Self { leases: leases.namespaced(NAMESPACE), name: name.to_owned(), owner: None, last: None }
    }

    /// Lets the Lease go when `node` goes.
    pub(super) fn owner(&mut self, node: &Node) {
        self.owner = Some(OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            name: node.metadata.name.clone(),
            uid: node.metadata.uid.clone(),
            ..OwnerReference::default()
        });
        self.last = None;
    }

    /// Renews the Lease; makes it if it is not there.
    pub(super) async fn beat(&mut self, now: Timestamp) -> Result<(), ApiError> {
        let renewed = match self.last.take() {
            Some(last) => self.renew(last, now).await,
            None => self.take_over(now).await,
        };
        self.last = Some(renewed?);
        Ok(())
    }

    /// One write if nobody else wrote, which is the rule.
    async fn renew(&self, mut lease: Lease, now: Timestamp) -> Result<Lease, ApiError> {
        self.fill(&mut lease, now);
        match self.leases.update(&lease).await {
            Err(error) if error.is_conflict() || error.is_not_found() => self.take_over(now).await,
            renewed => renewed,
        }
    }

    async fn take_over(&self, now: Timestamp) -> Result<Lease, ApiError> {
        match self.leases.get(&self.name).await {
            Ok(mut lease) => {
                self.fill(&mut lease, now);
                self.leases.update(&lease).await
            }
            Err(error) if error.is_not_found() => {
                let mut lease = Lease::default();
                lease.metadata.name.clone_from(&self.name);
                lease.metadata.namespace = NAMESPACE.to_owned();
                self.fill(&mut lease, now);
                self.leases.create(&lease).await
            }
            Err(error) => Err(error),
        }
    }

    fn fill(&self, lease: &mut Lease, now: Timestamp) {
        lease.metadata.owner_references = self.owner.iter().cloned().collect();
        lease.spec = LeaseSpec {
            holder_identity: Some(self.name.clone()),
            lease_duration_seconds: Some(DURATION),
            renew_time: Some(MicroTime {
                seconds: now.as_second(),
                // The wire has nanoseconds, but the type keeps microseconds.
                nanos: now.subsec_nanosecond() / 1000 * 1000,
            }),
            ..lease.spec.clone()
        };
    }
}
