use futures::stream;
use keelson_proto::core::{ContainerState as StateMessage, ContainerStateWaiting};

use super::*;
use crate::runtime::{Exit, Identity, PodRef, Role};

fn now() -> Timestamp {
    Timestamp::from_second(1000).unwrap()
}

fn mk_instance(name: &str, attempt: u32, running: bool) -> ObservedContainer {
    let exit =
        Exit { started_at: None, finished_at: now(), code: 1, oom_killed: false, error: String::new() };
    let state = match running {
        true => ContainerState::Running { started_at: now() },
        false => ContainerState::Exited(exit),
    };
    ObservedContainer {
        id: format!("{name}-{attempt}"),
        identity: Identity {
            pod: PodRef::default(),
            container: name.to_owned(),
            role: Role::App,
            attempt,
            hash: String::new(),
            grace: Duration::ZERO,
        },
        image: String::new(),
        image_id: String::new(),
        created_at: now(),
        state,
        addresses: Vec::new(),
    }
}

fn mk_view(names: &[&str], containers: Vec<ObservedContainer>, waiting: Option<&str>) -> View {
    let mut pod = Pod::default();
    pod.metadata.name = "p".to_owned();
    for name in names {
        pod.spec.containers.push(Container { name: (*name).to_owned(), ..Container::default() });
        let waiting = waiting.map(|reason| ContainerStateWaiting {
            reason: reason.to_owned(),
            ..ContainerStateWaiting::default()
        });
        let state = StateMessage { waiting, ..StateMessage::default() };
        let status = ContainerStatus { name: (*name).to_owned(), state, ..ContainerStatus::default() };
        pod.status.container_statuses.push(status);
    }
    View { pod: Some(pod), containers }
}

fn options(container: &str, previous: bool) -> PodLogOptions {
    PodLogOptions { container: container.to_owned(), previous, ..PodLogOptions::default() }
}

#[test]
fn which_log_is_meant() {
    let two = || vec![mk_instance("a", 1, true), mk_instance("a", 0, false)];
    let crashed = || vec![mk_instance("a", 2, false), mk_instance("a", 1, false)];
    let (one, several): (&[&str], &[&str]) = (&["a"], &["a", "b"]);
    let table = [
        // containers, instances, waiting, asked for, answer
        (one, two(), None, options("", false), "a-1"),
        (one, two(), None, options("a", true), "a-0"),
        (one, crashed(), Some("CrashLoopBackOff"), options("", false), "a-2"),
        (one, crashed(), Some("CrashLoopBackOff"), options("", true), "a-2"),
        (
            one,
            vec![mk_instance("a", 0, true)],
            None,
            options("", true),
            "previous terminated container \"a\" in pod \"p\" not found",
        ),
        (
            one,
            vec![],
            Some("ContainerCreating"),
            options("", false),
            "container \"a\" in pod \"p\" is waiting to start: ContainerCreating",
        ),
        (one, vec![], None, options("", false), "container \"a\" in pod \"p\" is not available"),
        (one, two(), None, options("x", false), "container x is not valid for pod p"),
        (
            several,
            two(),
            None,
            options("", false),
            "a container name must be specified for pod p, choose one of: [a b]",
        ),
        (several, two(), None, options("a", false), "a-1"),
    ];
    for (names, instances, waiting, options, expected) in table {
        let view = mk_view(names, instances, waiting);
        let got =
            find(&view, &options, now()).map_or_else(|error| error.message().to_owned(), |source| source.id);
        assert_eq!(got, expected);
    }
}

#[test]
fn how_much_of_it_is_meant() {
    let view = mk_view(&["a"], vec![mk_instance("a", 0, true)], None);
    let with = |change: fn(&mut PodLogOptions)| {
        let mut options = options("", false);
        change(&mut options);
        find(&view, &options, now())
    };
    assert_eq!(with(|o| o.tail_lines = Some(0)).unwrap().options.tail, Some(0));
    assert_eq!(with(|o| o.limit_bytes = Some(7)).unwrap().limit, Some(7));
    let since = with(|o| o.since_seconds = Some(60)).unwrap().options.since.unwrap();
    assert_eq!(since.as_second(), 940);
    let since = with(|o| o.since_time = Some(keelson_proto::meta::Time { seconds: 5, nanos: 0 }));
    assert_eq!(since.unwrap().options.since.unwrap().as_second(), 5);
    assert!(with(|o| o.tail_lines = Some(-1)).is_err());
    assert!(with(|o| o.limit_bytes = Some(0)).is_err());
    assert!(with(|o| o.since_seconds = Some(0)).is_err());
    assert_eq!(with(|o| o.stream = Some("All".to_owned())).unwrap().options.only, None);
    let stderr = with(|o| o.stream = Some("Stderr".to_owned())).unwrap();
    assert_eq!(stderr.options.only, Some(LogStream::Stderr));
    assert!(with(|o| o.stream = Some("Stdin".to_owned())).is_err());
    let tail_of_one = with(|o| {
        o.stream = Some("Stderr".to_owned());
        o.tail_lines = Some(1);
    });
    assert!(tail_of_one.is_err(), "lines are counted over both");
    let both = with(|o| {
        o.since_seconds = Some(1);
        o.since_time = Some(keelson_proto::meta::Time::default());
    });
    assert!(both.is_err());
}

#[tokio::test]
async fn a_limit_cuts_inside_a_chunk() {
    let log =
        || stream::iter([Ok(Bytes::from("hello ")), Ok(Bytes::from("world")), Ok(Bytes::from("!"))]).boxed();
    let read = async |limit| {
        let chunks: Vec<_> = limited(log(), limit).map(Result::unwrap).collect().await;
        String::from_utf8(chunks.concat()).unwrap()
    };
    assert_eq!(read(None).await, "hello world!");
    assert_eq!(read(Some(8)).await, "hello wo");
    assert_eq!(read(Some(6)).await, "hello ");
    assert_eq!(read(Some(100)).await, "hello world!");
}
