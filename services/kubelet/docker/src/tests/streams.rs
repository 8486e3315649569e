//! Commands, attached streams, ports and statistics of real containers.

use futures::TryStreamExt as _;
use keelson_kubelet::runtime::{Holdings as _, Output, RunError, Session, Streams as _, Wanted, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const ALL: Wanted = Wanted { stdin: true, stdout: true, stderr: true, tty: false };
const LIMIT: Duration = Duration::from_secs(20);
const IDLE: &str = "exec busybox sleep 600";

fn shell(script: &str) -> Vec<String> {
    ["busybox", "sh", "-c", script].map(str::to_owned).to_vec()
}

/// All that comes out, apart.
async fn gather(session: &mut Session) -> (Vec<u8>, Vec<u8>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(piece) = session.output.try_next().await.unwrap() {
        match piece {
            Output::Stdout(bytes) => out.extend_from_slice(&bytes),
            Output::Stderr(bytes) => err.extend_from_slice(&bytes),
        }
    }
    (out, err)
}

#[tokio::test]
async fn commands_run_to_their_end() {
    on_node(async |node| {
        let app = node.run_script("runs", IDLE).await;
        let ran = run(&node.runtime, &app.id, &shell("echo out; echo err >&2; exit 3"), LIMIT, 100).await;
        let ran = ran.unwrap();
        assert_eq!(
            (ran.code, ran.stdout.as_slice(), ran.stderr.as_slice()),
            (3, &b"out\n"[..], &b"err\n"[..])
        );
        let killed = run(&node.runtime, &app.id, &shell("kill -9 $$"), LIMIT, 100).await.unwrap();
        assert_eq!(killed.code, 137);
        let much =
            run(&node.runtime, &app.id, &shell("busybox yes | busybox head -c 3000000"), LIMIT, 1000).await;
        let much = much.unwrap();
        assert_eq!((much.code, much.stdout.len(), much.truncated), (0, 1000, true));
        let missing =
            run(&node.runtime, &app.id, &["no-such-program".to_owned()], LIMIT, 1000).await.unwrap();
        assert!(matches!(missing.code, 126 | 127), "{missing:?}");
    })
    .await;
}

#[tokio::test]
async fn a_command_whose_output_ends_early_is_waited_for() {
    on_node(async |node| {
        let app = node.run_script("early", IDLE).await;
        let script = "exec >&- 2>&-; busybox usleep 300000; exit 5";
        assert_eq!(run(&node.runtime, &app.id, &shell(script), LIMIT, 100).await.unwrap().code, 5);
    })
    .await;
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed() {
    on_node(async |node| {
        let app = node.run_script("slow", IDLE).await;
        let command = shell("exec busybox sleep 599");
        let late = run(&node.runtime, &app.id, &command, Duration::from_millis(500), 100).await.unwrap_err();
        assert!(matches!(late, RunError::TimedOut { .. }), "{late}");
        let left = async || {
            let look = shell("busybox ps | busybox grep 'sleep 59[9]' | busybox wc -l");
            run(&node.runtime, &app.id, &look, LIMIT, 100).await.unwrap().stdout
        };
        while left().await != b"0\n" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn much_input_arrives_whole_and_its_end_as_well() {
    on_node(async |node| {
        let app = node.run_script("much", IDLE).await;
        let script = "busybox tee /dev/stderr | busybox md5sum; exit 7";
        let mut session = node.runtime.exec(&app.id, &shell(script), ALL).await.unwrap();
        let sent: Vec<u8> = (0..4_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut stdin = session.stdin.take().unwrap();
        let send = async {
            stdin.write_all(&sent).await.unwrap();
            stdin.shutdown().await.unwrap();
        };
        let ((out, err), ()) = tokio::join!(gather(&mut session), send);
        assert!(err == sent, "{} bytes of {} came back", err.len(), sent.len());
        assert_eq!(out.len(), "d41d8cd98f00b204e9800998ecf8427e  -\n".len());
        assert_eq!(session.control.exit_code().await.unwrap(), Some(7));
    })
    .await;
}

#[tokio::test]
async fn a_terminal_has_a_size_and_takes_any_byte() {
    on_node(async |node| {
        let app = node.run_script("tty", IDLE).await;
        let wanted = Wanted { tty: true, stderr: false, ..ALL };
        let script = "read line; busybox stty size; busybox printf '\\001\\002\\000end'; exit 4";
        let mut session = node.runtime.exec(&app.id, &shell(script), wanted).await.unwrap();
        session.control.resize(101, 33).await.unwrap();
        let mut stdin = session.stdin.take().unwrap();
        stdin.write_all(b"go\n").await.unwrap();
        let (out, err) = gather(&mut session).await;
        let text = String::from_utf8_lossy(&out);
        assert!(text.contains("33 101"), "{text:?}");
        assert!(out.ends_with(b"\x01\x02\x00end"), "{text:?}");
        assert!(err.is_empty());
        assert_eq!(session.control.exit_code().await.unwrap(), Some(4));
    })
    .await;
}

#[tokio::test]
async fn containers_that_do_not_run_are_told_of() {
    on_node(async |node| {
        let app = node.run_script("ended", "exit 0").await;
        let mut events = node.events().await;
        if !matches!(node.look(&app.id).await.unwrap().state, ContainerState::Exited(_)) {
            node.wait(&mut events, &app.id).await;
        }
        let refused = node.runtime.exec(&app.id, &shell("true"), ALL).await.unwrap_err();
        assert!(refused.to_string().contains("is not running"), "{refused}");
        let gone = node.runtime.exec("0123456789ab", &shell("true"), ALL).await.unwrap_err();
        assert_eq!(gone, RuntimeError::NotFound { id: "0123456789ab".into() });
    })
    .await;
}

#[tokio::test]
async fn whoever_attaches_talks_to_the_main_program() {
    on_node(async |node| {
        load_busybox(&node.docker).await;
        let infra = node.runtime.start(infra("attach")).await.unwrap();
        let script = "while read line; do echo \"got $line\"; done; echo end >&2; exit 0";
        let mut spec = app("attach", &infra.id, BUSYBOX, &[script]);
        (spec.stdin, spec.stdin_once) = (true, true);
        let app = node.runtime.start(spec).await.unwrap();
        let mut session = node.runtime.attach(&app.id, ALL).await.unwrap();
        let mut stdin = session.stdin.take().unwrap();
        stdin.write_all(b"one\ntwo\n").await.unwrap();
        stdin.shutdown().await.unwrap();
        let (out, err) = gather(&mut session).await;
        assert_eq!((out.as_slice(), err.as_slice()), (&b"got one\ngot two\n"[..], &b"end\n"[..]));
        assert_eq!(session.control.exit_code().await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn ports_on_a_pods_loopback_are_reached() {
    on_node(async |node| {
        load_busybox(&node.docker).await;
        let infra = node.runtime.start(infra("port")).await.unwrap();
        let script = "exec busybox httpd -f -p 127.0.0.1:7777";
        node.runtime.start(app("port", &infra.id, BUSYBOX, &[script])).await.unwrap();
        let mut connection = loop {
            match node.runtime.connect(&infra.id, 7777).await {
                Ok(connection) => break connection,
                Err(error) => assert!(error.to_string().contains("refused"), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        connection.write_all(b"GET /none HTTP/1.0\r\n\r\n").await.unwrap();
        connection.shutdown().await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 404"), "{answer:?}");
        let refused = node.runtime.connect(&infra.id, 7778).await.err().unwrap();
        assert!(refused.to_string().contains("refused"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn control_groups_and_docker_measure_the_same_container() {
    on_node(async |node| {
        let script = "busybox timeout 0.3 busybox yes >/dev/null; exec busybox sleep 600";
        let app = node.run_script("measured", script).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let groups = node.runtime.measure(&app.id).await.unwrap();
        let docker = node.runtime.measure_by_docker(&app.id).await.unwrap();
        assert!(groups.cpu.unwrap() > 50_000_000, "{groups:?}");
        assert!(docker.cpu.unwrap().abs_diff(groups.cpu.unwrap()) < 200_000_000, "{groups:?} {docker:?}");
        let memory = groups.memory.unwrap();
        assert!(memory.usage > 0 && memory.working_set <= memory.usage, "{memory:?}");
        assert!(
            groups.interfaces.iter().any(|interface| interface.name == "eth0"),
            "{:?}",
            groups.interfaces
        );
        assert!(groups.processes.unwrap() >= 1);
    })
    .await;
}

#[tokio::test]
async fn images_are_listed_and_removed() {
    on_node(async |node| {
        let name = format!("keelson/test-removed-{}:1", std::process::id());
        let content = name.clone().into_bytes();
        let files = [ImageFile::Regular { path: "/file", mode: 0o644, content: &content }];
        let id = node.docker.load_image(&name, &files, &ImageConfig::default()).await.unwrap();
        let find = async || {
            let images = node.runtime.images().await.unwrap();
            images.into_iter().find(|image| image.id == id)
        };
        let image = find().await.unwrap();
        assert_eq!(image.names, [name.as_str()]);
        assert!(image.size > 0);
        node.runtime.remove_image(&id).await.unwrap();
        assert_eq!(find().await, None);
        node.runtime.remove_image(&id).await.unwrap();
    })
    .await;
}
