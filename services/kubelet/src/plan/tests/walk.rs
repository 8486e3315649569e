//! Random walks: whatever happens in whatever order, no container is there twice, and the pod comes to its goal.

use keelson_proto::core::{Lifecycle, LifecycleHandler, Probe};

use super::*;
use crate::clock::later;

const STEPS: usize = 400;

/// Does what plans say, slowly and in any order, in a world where things break.
struct Walk {
    world: World,
    rng: fastrand::Rng,
    /// Whether things still break.
    rough: bool,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut world = World::new(&["a", "b"]);
        world.pod.spec.init_containers = vec![mk_container("i")];
        world.pod.spec.containers[0].liveness_probe = Some(Probe { period_seconds: 5, ..Probe::default() });
        world.pod.spec.containers[1].readiness_probe = Some(Probe { period_seconds: 1, ..Probe::default() });
        let hook = || Some(LifecycleHandler::default());
        let lifecycle = Lifecycle { post_start: hook(), pre_stop: hook(), ..Lifecycle::default() };
        world.pod.spec.containers[1].lifecycle = Some(lifecycle);
        Self { world, rng: fastrand::Rng::with_seed(seed), rough: true }
    }

    fn step(&mut self) {
        let plan = self.world.plan();
        for key in plan.cancel {
            self.world.in_flight.remove(&key);
            if let Key::PreStop(id) = key {
                self.world.memory.pre_stops.insert(id, self.world.now);
            }
        }
        if (self.rng.bool() || !self.rough)
            && let Some(status) = plan.status
        {
            self.world.pod.status = status;
        }
        for action in plan.actions {
            if let Action::Start { container, next_delay: Some(delay), .. } = &action {
                self.world.memory.restarted(container, *delay);
            }
            if let Action::Start { container, .. } = &action {
                self.world.memory.images.remove(container);
            }
            if let Action::Stop { id, deadline, .. } | Action::PreStop { id, deadline, .. } = &action {
                self.world.memory.stopping.entry(id.clone()).or_insert(*deadline);
            }
            self.world.begin(action);
        }
        self.finish_some();
        self.world.memory.keep(&self.world.observed);
        if self.rough {
            self.break_something();
        }
        let wait = self.rng.i64(0..20);
        self.world.now = later(self.world.now, Duration::from_secs(wait.unsigned_abs()));
        self.check();
    }

    fn finish_some(&mut self) {
        let mut keys: Vec<Key> = self.world.in_flight.keys().cloned().collect();
        self.rng.shuffle(&mut keys);
        for key in keys {
            if self.rough && self.rng.bool() {
                continue;
            }
            let Some(action) = self.world.in_flight.remove(&key) else { continue };
            let fails = self.rough && self.rng.u8(..) < 60;
            self.finish(action, fails);
        }
    }

    fn finish(&mut self, action: Action, fails: bool) {
        let now = self.world.now;
        let memory = &mut self.world.memory;
        match action {
            Action::MountVolumes if fails => {
                memory.failed(Memory::VOLUMES, SetbackKind::Volume, String::new(), now);
            }
            Action::MountVolumes => memory.volumes = VolumeState::Mounted,
            Action::StartInfra { .. } if fails => {
                memory.failed(INFRA, SetbackKind::Create, String::new(), now)
            }
            Action::StartInfra { attempt } => self.start(INFRA, attempt),
            Action::GetImage { container } if fails => {
                memory.failed(&container, SetbackKind::Pull, String::new(), now);
            }
            Action::GetImage { container } => self.world.got_image(&container),
            Action::Start { container, attempt, .. } if fails => {
                memory.failed(&container, SetbackKind::Create, String::new(), now);
                if self.rng.bool() {
                    // The kubelet was killed half way.
                    self.world.add(&container, attempt, ContainerState::Created);
                }
            }
            Action::Start { container, attempt, .. } => self.start(&container, attempt),
            Action::PostStart { id, .. } => {
                memory.post_starts.insert(id, !fails);
            }
            Action::PreStop { id, .. } => {
                memory.pre_stops.insert(id, now);
            }
            Action::Probe { id, kind, .. } => {
                let key = (id, kind);
                let before = memory.probes.get(&key).copied();
                let probe = Probe { period_seconds: 5, ..Probe::default() };
                memory.probes.insert(key, Track::note(before, &probe, Some(!fails), now));
            }
            Action::Stop { id, .. } if !fails => self.die(&id, 143),
            Action::Remove { id } if !fails => self.world.remove(&id),
            Action::Teardown => memory.torn_down = true,
            Action::ConfirmDeletion => {
                memory.confirmed = true;
                self.world.gone = true;
            }
            Action::Stop { .. } | Action::Remove { .. } => {}
        }
    }

    fn start(&mut self, name: &str, attempt: u32) {
        // Each container has a moment of its own, as in life.
        self.world.now = later(self.world.now, Duration::from_secs(1));
        let now = self.world.now;
        let state = match name {
            "i" => ContainerState::Exited(Exit {
                started_at: Some(now),
                finished_at: now,
                code: 0,
                oom_killed: false,
                error: String::new(),
            }),
            _ => ContainerState::Running { started_at: now },
        };
        self.world.add(name, attempt, state);
    }

    fn die(&mut self, id: &str, code: i32) {
        let now = self.world.now;
        let container = self.world.observed.iter_mut().find(|container| container.id == id);
        if let Some(container) = container
            && let ContainerState::Running { started_at } = container.state
        {
            container.state = ContainerState::Exited(Exit {
                started_at: Some(started_at),
                finished_at: now,
                code,
                oom_killed: false,
                error: String::new(),
            });
        }
    }

    fn break_something(&mut self) {
        let victim = self.rng.choice(&self.world.observed).map(|container| container.id.clone());
        match (self.rng.u8(..), victim) {
            (0..20, Some(id)) => self.die(&id, 1),
            // Only the dead are cleaned away by others.
            (20..26, Some(id)) => {
                self.die(&id, 137);
                self.world.remove(&id);
            }
            (26..30, _) => {
                // The kubelet starts anew; what was under way was finished or was not.
                for key in self.world.in_flight.keys().cloned().collect::<Vec<_>>() {
                    let Some(action) = self.world.in_flight.remove(&key) else { continue };
                    let fails = self.rng.bool();
                    self.finish(action, fails);
                }
                self.world.memory = Memory::default();
            }
            (30..33, _) => {
                let image = format!("a:{}", self.rng.u8(..));
                self.world.pod.spec.containers[0].image = image;
            }
            _ => {}
        }
    }

    fn check(&self) {
        for name in [INFRA, "a", "b", "i"] {
            let mine = self.world.observed.iter().filter(|c| c.identity.container == name);
            let running = mine.clone().filter(|c| matches!(c.state, ContainerState::Running { .. })).count();
            assert!(running <= 1, "{name} runs {running} times: {:#?}", self.world.observed);
            let mut attempts: Vec<u32> = mine.map(|c| c.identity.attempt).collect();
            attempts.sort_unstable();
            let count = attempts.len();
            attempts.dedup();
            assert_eq!(attempts.len(), count, "{name} has one name twice");
        }
        for key in self.world.in_flight.keys() {
            let (Key::Probe(id, _) | Key::PostStart(id) | Key::PreStop(id)) = key else { continue };
            assert!(!id.starts_with(INFRA), "infra has neither probes nor hooks");
        }
    }
}

#[test]
fn no_container_is_ever_there_twice_and_the_pod_comes_up_and_goes_down() {
    for seed in 0..60 {
        let mut walk = Walk::new(seed);
        (0..STEPS).for_each(|_| walk.step());
        walk.rough = false;
        (0..STEPS).for_each(|_| walk.step());
        assert_eq!(walk.world.pod.status.phase, "Running", "seed {seed}: {:#?}", walk.world.plan());
        let ready = walk.world.pod.status.container_statuses.iter().all(|status| status.ready);
        assert!(ready, "seed {seed}");
        let now = walk.world.now.as_second() - at(0).as_second();
        delete(&mut walk.world, now, 30);
        walk.rough = seed % 2 == 0;
        (0..STEPS).for_each(|_| walk.step());
        walk.rough = false;
        (0..STEPS).for_each(|_| walk.step());
        assert!(walk.world.plan().finished, "seed {seed}: {:#?}", walk.world.plan());
        assert!(walk.world.observed.is_empty(), "seed {seed}");
    }
}
