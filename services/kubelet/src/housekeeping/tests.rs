use keelson_proto::core::Pod;

use super::*;
use crate::runtime::{Exit, Identity, PodRef};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ended(name: &str, attempt: u32, second: i64) -> ObservedContainer {
    let exit = Exit {
        started_at: Some(at(0)),
        finished_at: at(second),
        code: 1,
        oom_killed: false,
        error: String::new(),
    };
    let identity = Identity {
        pod: PodRef::default(),
        container: name.to_owned(),
        role: Role::App,
        attempt,
        hash: String::new(),
        grace: Duration::ZERO,
    };
    ObservedContainer {
        id: format!("{name}-{attempt}"),
        identity,
        image: String::new(),
        image_id: format!("image-of-{name}"),
        created_at: at(0),
        state: ContainerState::Exited(exit),
        addresses: Vec::new(),
    }
}

fn view(phase: &str, containers: Vec<ObservedContainer>) -> Arc<View> {
    let mut pod = Pod::default();
    pod.status.phase = phase.to_owned();
    Arc::new(View { pod: Some(pod), containers })
}

#[test]
fn the_oldest_dead_go_and_those_that_count_stay() {
    let views = [
        view("Running", vec![ended("a", 0, 10), ended("a", 1, 20), ended("b", 0, 5)]),
        view("Succeeded", vec![ended("c", 0, 15)]),
    ];
    assert_eq!(dead(&views, 2), Vec::<String>::new(), "a-0 and c-0 may go, and there is room for both");
    assert_eq!(dead(&views, 1), ["a-0"]);
    assert_eq!(dead(&views, 0), ["a-0", "c-0"], "a-1 and b-0 wait to be started again");
}
