use futures::TryStreamExt as _;
use jiff::Timestamp;
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::core::Pod;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::clock::Clock;
use crate::container;
use crate::runtime::{RunError, Runtime as _, run};

const ALL: Wanted = Wanted { stdin: true, stdout: true, stderr: true, tty: false };
const LIMIT: Duration = Duration::from_secs(5);

async fn running() -> (HollowRuntime, String) {
    let clock = Clock::tokio(Timestamp::from_second(1_700_000_000).unwrap());
    let runtime = HollowRuntime::new([10, 1, 0, 2].into(), 8, clock, &Tasks::new());
    let infra = container::infra(&Pod::default(), 0, "", &container::DnsConfig::default()).unwrap();
    let id = runtime.start(infra).await.unwrap().id;
    (runtime, id)
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn commands_run_to_their_end() {
    let (runtime, id) = running().await;
    let ran = run(&runtime, &id, &words("echo a b"), LIMIT, 100).await.unwrap();
    assert_eq!((ran.code, ran.stdout.as_slice(), ran.truncated), (0, b"a b\n".as_slice(), false));
    let ran = run(&runtime, &id, &words("echo a b"), LIMIT, 2).await.unwrap();
    assert_eq!((ran.stdout.as_slice(), ran.truncated), (b"a ".as_slice(), true));
    assert_eq!(run(&runtime, &id, &words("exit:3:2"), LIMIT, 100).await.unwrap().code, 3);
    let unknown = run(&runtime, &id, &words("sh -c true"), LIMIT, 100).await.unwrap_err();
    assert!(matches!(unknown, RunError::Runtime(RuntimeError::Unsupported(_))), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_hangs_is_given_up() {
    let (runtime, id) = running().await;
    let late = run(&runtime, &id, &words("hang"), LIMIT, 100).await.unwrap_err();
    assert_eq!(late, RunError::TimedOut { command: words("hang"), limit: LIMIT });
}

#[tokio::test(start_paused = true)]
async fn what_is_written_comes_back_until_the_input_ends() {
    let (runtime, id) = running().await;
    let mut cat = runtime.exec(&id, &words("cat"), ALL).await.unwrap();
    let mut stdin = cat.stdin.take().unwrap();
    stdin.write_all(b"hello").await.unwrap();
    assert_eq!(cat.output.try_next().await.unwrap(), Some(Output::Stdout("hello".into())));
    assert_eq!(cat.control.exit_code().await.unwrap(), None);
    stdin.shutdown().await.unwrap();
    assert_eq!(cat.output.try_next().await.unwrap(), None);
    assert_eq!(cat.control.exit_code().await.unwrap(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn sessions_end_with_their_container() {
    let (runtime, id) = running().await;
    let mut hang = runtime.exec(&id, &words("hang"), ALL).await.unwrap();
    let mut attached = runtime.attach(&id, ALL).await.unwrap();
    runtime.end(&id, 0);
    assert_eq!(hang.output.try_next().await.unwrap(), None);
    assert_eq!(hang.control.exit_code().await.unwrap(), Some(KILLED));
    assert_eq!(attached.output.try_next().await.unwrap(), None);
    assert_eq!(attached.control.exit_code().await.unwrap(), None);
    assert!(runtime.exec(&id, &words("exit:0"), ALL).await.is_err(), "it does not run");
}

#[tokio::test(start_paused = true)]
async fn one_port_answers() {
    let (runtime, id) = running().await;
    let mut echo = runtime.connect(&id, 7).await.unwrap();
    echo.write_all(b"ping").await.unwrap();
    echo.shutdown().await.unwrap();
    let mut answer = Vec::new();
    echo.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"ping");
    assert!(runtime.connect(&id, 8).await.is_err());
}
