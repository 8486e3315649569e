use super::*;

/// How many come and go.
const CLIENTS: usize = 150;

#[tokio::test]
async fn clients_that_vanish_leave_nothing_behind() {
    let harness = Harness::start_with(|config| config.max_watches = CLIENTS, super::container::script).await;
    let path = "/api/v1/namespaces/a/pods/web/exec?command=hang&stdin=true&stdout=true";
    for round in 0..3 {
        let mut clients = Vec::new();
        for index in 0..CLIENTS {
            match index % 3 {
                0 => clients.push(harness.websocket(path, "v4.channel.k8s.io").await.into_inner()),
                // The streams never come.
                1 => clients.push(harness.spdy(path, "v4.channel.k8s.io").await.into_io()),
                _ => {
                    let mut client = harness.spdy(path, "v4.channel.k8s.io").await;
                    for (id, kind) in [(1, "error"), (3, "stdin"), (5, "stdout")] {
                        client.begin(id, &[("streamtype", kind)]).await;
                    }
                    clients.push(client.into_io());
                }
            }
        }
        assert_eq!(harness.calls.load(Ordering::SeqCst), CLIENTS, "round {round}");
        let upgrade = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n";
        let (head, _) = harness.ask(&format!("POST {path}"), upgrade).await;
        assert!(head.starts_with("HTTP/1.1 429"), "there is no more room: {head}");
        drop(clients);
        harness.until_idle().await;
    }
    // There is room again.
    let free = async {
        loop {
            let upgrade = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n";
            let (head, _) = harness.ask(&format!("POST {path}"), upgrade).await;
            if head.starts_with("HTTP/1.1 101") {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), free).await.expect("there is room again");
}

#[tokio::test]
async fn a_gateway_that_stops_ends_its_conversations() {
    let harness = Harness::start(super::container::script).await;
    let path = "/api/v1/namespaces/a/pods/web/exec?command=hang&stdout=true";
    let mut socket = harness.websocket(path, "v4.channel.k8s.io").await;
    harness.tasks.shutdown();
    harness.tasks.join(Duration::from_secs(10)).await.unwrap();
    assert_eq!(harness.calls.load(Ordering::SeqCst), 0);
    let ended = async { while let Some(Ok(_)) = futures::StreamExt::next(&mut socket).await {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the connection ends");
}
