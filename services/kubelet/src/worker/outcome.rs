//! What came of an action, and what that changes in the worker's picture.

use jiff::Timestamp;
use keelson_base_client::ApiError;
use keelson_proto::core::Probe;

use super::Worker;
use crate::plan::{INFRA, Memory, ProbeKind, SetbackKind, Track, VolumeState};
use crate::runtime::{ContainerState, ImageStatus, ObservedContainer, RuntimeError};
use crate::volume::VolumeError;

/// A failed step, as the pod shows it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: SetbackKind,
    pub(super) message: String,
}

/// What came of an action.
pub(super) enum Outcome {
    /// When to make the volumes anew, if they will age.
    Mounted(Result<Option<Timestamp>, VolumeError>),
    InfraStarted(Result<ObservedContainer, RuntimeError>),
    GotImage(String, Result<ImageStatus, Failure>),
    Started(String, Result<ObservedContainer, Failure>),
    /// Whether the hook succeeded.
    PostStarted(String, bool),
    /// What a probe that began then has found; nothing if it could not be done.
    Probed {
        id: String,
        probe: Box<Probe>,
        kind: ProbeKind,
        begun_at: Timestamp,
        found: Option<bool>,
    },
    /// When the hook was over.
    PreStopped(String, Timestamp),
    Stopped(String, Result<(), RuntimeError>),
    Removed(String, Result<(), RuntimeError>),
    TornDown(Result<(), VolumeError>),
    Confirmed(Result<(), ApiError>),
}

// === impl Worker ===

impl Worker {
    /// Takes note of what came of an action.
    pub(super) fn apply(&mut self, outcome: Outcome) {
        let uid = &self.uid;
        match outcome {
            Outcome::Mounted(Ok(refresh_at)) => {
                self.memory.succeeded(Memory::VOLUMES);
                self.memory.volumes = VolumeState::Mounted;
                self.memory.refresh(refresh_at);
            }
            Outcome::Mounted(Err(error)) => {
                self.memory.refresh(Some(self.context.clock.now()));
                self.setback(Memory::VOLUMES, SetbackKind::Volume, error.to_string());
            }
            Outcome::InfraStarted(Ok(infra)) => self.appeared(INFRA, infra),
            Outcome::InfraStarted(Err(error)) => {
                self.relist = true;
                self.setback(INFRA, SetbackKind::Create, error.to_string());
            }
            Outcome::GotImage(container, Ok(image)) => {
                self.memory.succeeded(&container);
                self.memory.images.insert(container, image);
            }
            Outcome::GotImage(container, Err(failure)) => {
                self.setback(&container, failure.kind, failure.message)
            }
            Outcome::Started(name, Ok(container)) => self.appeared(&name, container),
            Outcome::Started(name, Err(failure)) => {
                // It may have been made, and left behind.
                self.relist = true;
                self.setback(&name, failure.kind, failure.message);
            }
            Outcome::PostStarted(id, succeeded) => {
                self.memory.post_starts.insert(id, succeeded);
            }
            Outcome::Probed { id, probe, kind, begun_at, found } => {
                let key = (id, kind);
                let before = self.memory.probes.get(&key).copied();
                self.memory.probes.insert(key, Track::note(before, &probe, found, begun_at));
            }
            Outcome::PreStopped(id, at) => {
                self.memory.pre_stops.insert(id, at);
            }
            Outcome::Stopped(id, stopped) => {
                if let Err(error) = stopped {
                    tracing::warn!(pod = %uid, container = %id, %error, "cannot stop a container");
                }
                self.relist |= self.observed.iter().any(|c| c.id == id && !is_dead(c));
            }
            Outcome::Removed(id, Ok(())) => self.observed.retain(|container| container.id != id),
            Outcome::Removed(id, Err(error)) => {
                tracing::warn!(pod = %uid, container = %id, %error, "cannot remove a container");
                self.relist = true;
            }
            Outcome::TornDown(Ok(())) => self.memory.torn_down = true,
            Outcome::TornDown(Err(error)) => {
                tracing::warn!(pod = %uid, %error, "cannot remove the pod's directory");
            }
            Outcome::Confirmed(Ok(())) => self.memory.confirmed = true,
            Outcome::Confirmed(Err(error)) => {
                tracing::warn!(pod = %uid, %error, "cannot confirm the pod's deletion")
            }
        }
    }

    /// A container was started. A start that was answered late may have been listed already.
    fn appeared(&mut self, name: &str, container: ObservedContainer) {
        self.memory.succeeded(name);
        self.relist |= is_dead(&container);
        self.observed.retain(|known| known.id != container.id);
        self.observed.push(container);
    }

    fn setback(&mut self, name: &str, kind: SetbackKind, message: String) {
        self.memory.failed(name, kind, message, self.context.clock.now());
    }
}

fn is_dead(container: &ObservedContainer) -> bool {
    matches!(container.state, ContainerState::Exited(_))
}
