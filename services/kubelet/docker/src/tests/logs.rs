//! Logs of real containers, and calls beside open streams.

use bytes::Bytes;
use futures::TryStreamExt as _;
use keelson_kubelet::runtime::LogOptions;

use super::*;
use crate::DEMO_IMAGE;

pub(super) async fn read(runtime: &DockerRuntime, id: &str, options: LogOptions) -> String {
    let pieces: Vec<Bytes> = runtime.logs(id, options).try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

#[tokio::test]
async fn logs_are_read_in_order_and_in_part() {
    on_node(async |node| {
        let script = "for n in 1 2 3; do echo out $n; busybox usleep 20000; echo err $n >&2; busybox usleep 20000; done";
        let app = node.run_script("talker", script).await;
        // Following ends by itself when the container does.
        let all = read(&node.runtime, &app.id, LogOptions { follow: true, ..LogOptions::default() }).await;
        assert_eq!(all, "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
        assert_eq!(read(&node.runtime, &app.id, LogOptions::default()).await, all);
        let tail = LogOptions { tail: Some(2), ..LogOptions::default() };
        assert_eq!(read(&node.runtime, &app.id, tail).await, "out 3\nerr 3\n");

        let timed = read(&node.runtime, &app.id, LogOptions { timestamps: true, ..LogOptions::default() }).await;
        let (times, texts): (Vec<_>, Vec<_>) = timed.lines().map(|line| line.split_once(' ').unwrap()).unzip();
        assert_eq!(texts.join("\n") + "\n", all);
        let since = Some(times[3].parse().unwrap());
        assert_eq!(
            read(&node.runtime, &app.id, LogOptions { since, ..LogOptions::default() }).await,
            "err 2\nout 3\nerr 3\n"
        );
    })
    .await;
}

#[tokio::test]
async fn a_terminal_has_one_log() {
    on_node(async |node| {
        load_busybox(&node.docker).await;
        let infra = node.runtime.start(infra("tty")).await.unwrap();
        let mut spec = app("tty", &infra.id, BUSYBOX, &["echo one; echo two >&2; printf three"]);
        spec.tty = true;
        let app = node.runtime.start(spec).await.unwrap();
        let all = read(&node.runtime, &app.id, LogOptions { follow: true, ..LogOptions::default() }).await;
        assert_eq!(all, "one\r\ntwo\r\nthree");
    })
    .await;
}

#[tokio::test]
async fn last_words_are_heard() {
    on_node(async |node| {
        load_busybox(&node.docker).await;
        let infra = node.runtime.start(infra("last")).await.unwrap();
        for attempt in 0..4 {
            let mut spec = app(
                "last",
                &infra.id,
                BUSYBOX,
                &["echo one; busybox usleep 100000; printf two; printf three >&2"],
            );
            spec.identity.attempt = attempt;
            let app = node.runtime.start(spec).await.unwrap();
            let options = LogOptions { follow: true, ..LogOptions::default() };
            let heard = read(&node.runtime, &app.id, options).await;
            assert!(matches!(heard.as_str(), "one\ntwothree" | "one\nthreetwo"), "{heard:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn open_streams_hold_nobody_up() {
    on_node(async |node| {
        let (_, app) = node.start_pod("streamed", DEMO_IMAGE, &[]).await;
        let mut streams: Vec<_> = (0..100)
            .map(|_| node.runtime.logs(&app.id, LogOptions { follow: true, ..LogOptions::default() }))
            .collect();
        for stream in &mut streams {
            assert!(stream.next().now_or_never().is_none(), "nothing is written yet");
        }
        let _events = node.events().await;
        let listed = tokio::time::timeout(Duration::from_secs(10), node.runtime.list(None)).await;
        assert_eq!(listed.expect("a call does not wait for streams").unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_log_of_a_container_that_is_gone_is_not_found() {
    on_node(async |node| {
        let error =
            node.runtime.logs("0123456789ab", LogOptions::default()).next().await.unwrap().unwrap_err();
        assert_eq!(error, RuntimeError::NotFound { id: "0123456789ab".into() });
    })
    .await;
}
