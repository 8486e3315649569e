//! The containers that do not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::behavior::Behavior;
use crate::runtime::{ContainerSpec, ContainerState, Exit, Infra, ObservedContainer, Process, RuntimeError};

/// Containers by id, and the addresses they have.
pub(super) struct Table {
    containers: BTreeMap<String, (ObservedContainer, Behavior)>,
    first: u32,
    addresses: u32,
    used: BTreeSet<u32>,
}

// === impl Table ===

impl Table {
    pub(super) fn new(first: Ipv4Addr, addresses: u32) -> Self {
        Self { containers: BTreeMap::new(), first: u32::from(first), addresses, used: BTreeSet::new() }
    }

    pub(super) fn list(&self, pod_uid: Option<&str>) -> Vec<ObservedContainer> {
        let wanted = |c: &&ObservedContainer| pod_uid.is_none_or(|uid| c.identity.pod.uid == uid);
        self.containers.values().map(|(container, _)| container).filter(wanted).cloned().collect()
    }

    pub(super) fn get(&self, id: &str) -> Option<ObservedContainer> {
        self.containers.get(id).map(|(container, _)| container.clone())
    }

    /// What a container does; none if it is not running.
    pub(super) fn behavior(&self, id: &str) -> Option<Behavior> {
        let (container, behavior) = self.containers.get(id)?;
        matches!(container.state, ContainerState::Running { .. }).then_some(*behavior)
    }

    /// Makes a container that runs, or one that could not be started.
    pub(super) fn create(
        &mut self,
        spec: ContainerSpec,
        behavior: Behavior,
        now: Timestamp,
    ) -> Result<ObservedContainer, RuntimeError> {
        self.check(&spec)?;
        let addresses = match &spec.process {
            Process::Infra(Infra { network: Some(_), .. }) => vec![self.address()?],
            _ => Vec::new(),
        };
        let state = match behavior {
            Behavior::Unstartable => ContainerState::Exited(Exit {
                started_at: None,
                finished_at: now,
                code: 127,
                oom_killed: false,
                error: "the program is not to be found".to_owned(),
            }),
            _ => ContainerState::Running { started_at: now },
        };
        let container = ObservedContainer {
            id: format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..)),
            identity: spec.identity,
            image_id: format!("hollow:{}", spec.image),
            image: spec.image,
            created_at: now,
            state,
            addresses,
        };
        self.containers.insert(container.id.clone(), (container.clone(), behavior));
        Ok(container)
    }

    /// Ends a container; answers with its pod's uid if it was running.
    pub(super) fn finish(&mut self, id: &str, code: i32, oom_killed: bool, now: Timestamp) -> Option<String> {
        let (container, _) = self.containers.get_mut(id)?;
        let ContainerState::Running { started_at } = container.state else { return None };
        let started_at = Some(started_at);
        container.state = ContainerState::Exited(Exit {
            started_at,
            finished_at: now,
            code,
            oom_killed,
            error: String::new(),
        });
        for address in std::mem::take(&mut container.addresses) {
            if let IpAddr::V4(address) = address {
                self.used.remove(&u32::from(address));
            }
        }
        Some(container.identity.pod.uid.clone())
    }

    /// Removes a container that does not run; answers with its pod's uid if it was there.
    pub(super) fn remove(&mut self, id: &str) -> Result<Option<String>, RuntimeError> {
        if self.behavior(id).is_some() {
            return Err(RuntimeError::Refused {
                operation: "remove container",
                message: "it is running".to_owned(),
            });
        }
        Ok(self.containers.remove(id).map(|(container, _)| container.identity.pod.uid))
    }

    /// As a real runtime: one container of one name and attempt, and none without its infra container.
    fn check(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let refuse = |message: String| Err(RuntimeError::Refused { operation: "create container", message });
        let same = |c: &ObservedContainer| {
            let (a, b) = (&c.identity, &spec.identity);
            (&a.pod.uid, &a.container, a.attempt) == (&b.pod.uid, &b.container, b.attempt)
        };
        if self.containers.values().any(|(container, _)| same(container)) {
            let name = &spec.identity.container;
            return refuse(format!("the name {name:?} (attempt {}) is in use", spec.identity.attempt));
        }
        match &spec.process {
            Process::Join { infra, .. } if self.behavior(infra).is_none() => {
                refuse(format!("cannot join container {infra:?}: it does not run"))
            }
            _ => Ok(()),
        }
    }

    fn address(&mut self) -> Result<IpAddr, RuntimeError> {
        let free = (0..self.addresses).map(|offset| self.first.saturating_add(offset));
        let address = free.into_iter().find(|address| !self.used.contains(address));
        let address = address.ok_or_else(|| RuntimeError::Refused {
            operation: "start container",
            message: "no addresses are left".to_owned(),
        })?;
        self.used.insert(address);
        Ok(IpAddr::V4(Ipv4Addr::from(address)))
    }
}
