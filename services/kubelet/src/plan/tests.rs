//! Fixture: one pod, its containers in a table, and time as a number of seconds.

mod ending;
mod hooks;
mod probe;
mod restart;
mod running;
mod walk;

use std::time::Duration;

use keelson_proto::core::{Container, ContainerStatus};
use keelson_proto::meta::Time;

use super::*;
use crate::container;
use crate::runtime::{ContainerState, Exit, Identity, ImageStatus, PodRef, Role};

/// What a plan is made of, owned.
struct World {
    pod: Pod,
    known: bool,
    gone: bool,
    observed: Vec<ObservedContainer>,
    memory: Memory,
    in_flight: InFlight,
    now: Timestamp,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn mk_container(name: &str) -> Container {
    Container { name: name.to_owned(), image: format!("{name}:1"), ..Container::default() }
}

fn mk_pod(containers: &[&str]) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.uid = "u".to_owned();
    pod.metadata.name = "p".to_owned();
    pod.metadata.namespace = "ns".to_owned();
    pod.spec.containers = containers.iter().map(|name| mk_container(name)).collect();
    pod.spec.restart_policy = "Always".to_owned();
    pod.spec.termination_grace_period_seconds = Some(30);
    pod
}

fn running(since: i64) -> ContainerState {
    ContainerState::Running { started_at: at(since) }
}

fn exited(code: i32, from: i64, to: i64) -> ContainerState {
    ContainerState::Exited(Exit {
        started_at: Some(at(from)),
        finished_at: at(to),
        code,
        oom_killed: false,
        error: String::new(),
    })
}

impl World {
    /// A pod of these containers that api has just bound.
    fn new(containers: &[&str]) -> Self {
        Self {
            pod: mk_pod(containers),
            known: true,
            gone: false,
            observed: Vec::new(),
            memory: Memory::default(),
            in_flight: InFlight::new(),
            now: at(0),
        }
    }

    /// The same with volumes and images, and a running infra container.
    fn ready(containers: &[&str]) -> Self {
        let mut world = Self::new(containers);
        world.memory.volumes = VolumeState::Mounted;
        containers.iter().for_each(|name| world.got_image(name));
        world.add(INFRA, 0, running(0));
        world
    }

    /// The same with all containers running, and api knowing it.
    fn up(containers: &[&str]) -> Self {
        let mut world = Self::ready(containers);
        world.memory.images.clear();
        containers.iter().for_each(|name| world.add(name, 0, running(0)));
        world.report();
        world
    }

    fn got_image(&mut self, name: &str) {
        let image = ImageStatus { id: "i".to_owned(), size: 0, user: String::new() };
        self.memory.images.insert(name.to_owned(), image);
    }

    fn add(&mut self, name: &str, attempt: u32, state: ContainerState) {
        let spec = self.pod.spec.containers.iter().chain(&self.pod.spec.init_containers);
        let spec = spec.into_iter().find(|container| container.name == name);
        let init = self.pod.spec.init_containers.iter().any(|container| container.name == name);
        let role = match (name, init) {
            (INFRA, _) => Role::Infra,
            (_, true) => Role::Init,
            _ => Role::App,
        };
        let identity = Identity {
            pod: PodRef { uid: "u".into(), namespace: "ns".into(), name: "p".into() },
            container: name.to_owned(),
            role,
            attempt,
            hash: spec.map(container::hash).unwrap_or_default(),
            grace: Duration::from_secs(30),
        };
        self.observed.push(ObservedContainer {
            id: format!("{name}-{attempt}"),
            identity,
            image: spec.map(|spec| spec.image.clone()).unwrap_or_default(),
            image_id: "sha256:1".to_owned(),
            created_at: self.now,
            addresses: if role == Role::Infra { vec!["10.1.0.2".parse().unwrap()] } else { Vec::new() },
            state,
        });
    }

    fn set(&mut self, id: &str, state: ContainerState) {
        self.observed.iter_mut().find(|container| container.id == id).unwrap().state = state;
    }

    fn remove(&mut self, id: &str) {
        self.observed.retain(|container| container.id != id);
    }

    fn begin(&mut self, action: Action) {
        self.in_flight.insert(action.key(), action);
    }

    fn plan(&self) -> Plan {
        plan(&Input {
            pod: self.known.then_some(&self.pod),
            gone: self.gone,
            observed: &self.observed,
            memory: &self.memory,
            in_flight: &self.in_flight,
            host_ips: &["192.0.2.1".parse().unwrap()],
            runtime: "docker",
            now: self.now,
        })
    }

    fn actions(&self) -> Vec<Action> {
        self.plan().actions
    }

    fn status(&self) -> PodStatus {
        self.plan().status.unwrap()
    }

    /// Api takes the status.
    fn report(&mut self) -> PodStatus {
        self.pod.status = self.status();
        self.pod.status.clone()
    }

    /// The status of the first app container.
    fn first(&self) -> ContainerStatus {
        self.status().container_statuses[0].clone()
    }

    /// `waiting:Reason`, `running` or `terminated:Reason`.
    fn state(&self) -> String {
        let state = self.first().state;
        match (state.waiting, state.running, state.terminated) {
            (Some(waiting), None, None) => format!("waiting:{}", waiting.reason),
            (None, Some(_), None) => "running".to_owned(),
            (None, None, Some(terminated)) => format!("terminated:{}", terminated.reason),
            (None, None, None) => "nothing".to_owned(),
            more => panic!("more than one state: {more:?}"),
        }
    }

    fn condition(&self, kind: &str) -> (String, String) {
        let status = self.status();
        let condition = status.conditions.iter().find(|condition| condition.r#type == kind).unwrap();
        (condition.status.clone(), condition.reason.clone())
    }
}

fn image_of(name: &str) -> Action {
    Action::GetImage { container: name.to_owned() }
}

fn start(name: &str, attempt: u32) -> Action {
    start_after(name, attempt, None)
}

fn start_after(name: &str, attempt: u32, next_delay: Option<u64>) -> Action {
    Action::Start {
        container: name.to_owned(),
        attempt,
        infra: format!("{INFRA}-0"),
        next_delay: next_delay.map(Duration::from_secs),
    }
}

fn stop(id: &str, deadline: i64, reason: StopReason) -> Action {
    let container = id.rsplit_once('-').unwrap().0.to_owned();
    Action::Stop { id: id.to_owned(), container, deadline: at(deadline), reason }
}

fn removal(id: &str) -> Action {
    Action::Remove { id: id.to_owned() }
}

fn delete(world: &mut World, requested: i64, grace: i64) {
    let seconds = at(requested + grace).as_second();
    world.pod.metadata.deletion_timestamp = Some(Time { seconds, nanos: 0 });
    world.pod.metadata.deletion_grace_period_seconds = Some(grace);
}
