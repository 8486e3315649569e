//! What became of the containers of one name so far: from the runtime, and where that has nothing left, from the
//! status that was last written.

use keelson_proto::core::{ContainerState, ContainerStateTerminated, ContainerStatus};

use crate::runtime::{self, Exit, Identity, ObservedContainer, Role};

/// The runs of one container.
#[derive(Clone, Debug, PartialEq)]
pub struct History<'a> {
    /// The instances that the runtime still has and that were started, oldest first.
    instances: Vec<&'a ObservedContainer>,
    /// Made but never started: the kubelet was killed in between.
    pub unstarted: Vec<&'a ObservedContainer>,
    /// The status that api has.
    recorded: Option<&'a ContainerStatus>,
}

/// How far the present run has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Past<'a> {
    /// Never started.
    None,
    /// It runs.
    Running(&'a ObservedContainer),
    /// It ended, and the runtime still has it.
    Exited(&'a ObservedContainer, &'a Exit),
    /// It ended, as api has it; the runtime has nothing left.
    Recorded(&'a ContainerStateTerminated),
    /// It was started, and no trace is left of it.
    Lost,
}

// === impl History ===

impl<'a> History<'a> {
    /// The history of the container `name` with this role.
    pub fn new(
        name: &str,
        infra: bool,
        observed: &'a [ObservedContainer],
        recorded: &'a [ContainerStatus],
    ) -> Self {
        let mine = |c: &&ObservedContainer| {
            c.identity.container == name && (c.identity.role == Role::Infra) == infra
        };
        let (unstarted, mut instances): (Vec<_>, Vec<_>) =
            observed.iter().filter(mine).partition(|c| c.state == runtime::ContainerState::Created);
        instances.sort_by_key(|c| (c.identity.attempt, c.created_at));
        let recorded = recorded.iter().find(|status| status.name == name);
        Self { instances, unstarted, recorded }
    }

    /// How far the present run has come.
    pub fn past(&self) -> Past<'a> {
        if let Some(running) = self.instances.iter().rev().find(|c| is_running(c)) {
            return Past::Running(running);
        }
        if let Some(last) = self.instances.last()
            && let runtime::ContainerState::Exited(exit) = &last.state
        {
            return Past::Exited(last, exit);
        }
        let Some(recorded) = self.recorded.filter(|status| !status.container_id.is_empty()) else {
            return Past::None;
        };
        let ended = |state: &'a ContainerState| state.terminated.as_ref();
        match ended(&recorded.state).or_else(|| ended(&recorded.last_state)) {
            Some(terminated) if recorded.state.running.is_none() => Past::Recorded(terminated),
            _ => Past::Lost,
        }
    }

    /// How often it was started again.
    pub fn restarts(&self) -> u32 {
        match (self.instances.last(), self.recorded) {
            (Some(last), _) => last.identity.attempt,
            (None, Some(status)) => u32::try_from(status.restart_count).unwrap_or(0),
            (None, None) => 0,
        }
    }

    /// The attempt number of the next instance.
    pub fn next_attempt(&self) -> u32 {
        match self.past() {
            Past::None => 0,
            _ => self.restarts().saturating_add(1),
        }
    }

    /// The identity of the newest instance that the runtime has.
    pub fn identity(&self) -> Option<&'a Identity> {
        self.instances.last().map(|c| &c.identity)
    }

    /// The instance before the present one, if the runtime still has it.
    pub fn previous(&self) -> Option<&'a ObservedContainer> {
        self.instances.iter().rev().nth(1).copied()
    }

    /// The instances that nobody needs: all but the present one and the one before it.
    pub fn superseded(&self) -> impl Iterator<Item = &'a ObservedContainer> + '_ {
        let keep = self.instances.len().saturating_sub(2);
        self.instances.iter().take(keep).copied()
    }

    /// What api has.
    pub fn recorded(&self) -> Option<&'a ContainerStatus> {
        self.recorded
    }
}

/// Whether the runtime runs it.
pub(super) fn is_running(container: &ObservedContainer) -> bool {
    matches!(container.state, runtime::ContainerState::Running { .. })
}
