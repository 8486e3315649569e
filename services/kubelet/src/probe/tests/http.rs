use std::time::Instant;

use keelson_base_daemon::tls::{ClientAuth, Pki, San, Subject, Usage};
use keelson_proto::core::HttpHeader;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Answers each request in turn, and then no more; yields what was asked.
async fn serve(answers: &[&str]) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let (listener, address) = listen().await;
    let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
    let served = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            asked.push(String::from_utf8_lossy(&request[..read]).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (address.port(), served)
}

fn answer(head: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n")
}

async fn probe(action: HttpGetAction) -> Finding {
    let handler = ProbeHandler { http_get: Some(action), ..ProbeHandler::default() };
    check(&mk_probe(handler), &mk_subject()).await
}

#[tokio::test]
async fn a_status_says_whether_it_is_well() {
    for (status, well) in
        [(200, true), (204, true), (304, true), (399, true), (400, false), (404, false), (503, false)]
    {
        let (port, _) = serve(&[&answer(&format!("{status} x"))]).await;
        let finding = probe(get(port, "/healthz")).await;
        let expected = match well {
            true => Finding::Success,
            false => Finding::Failure(format!("HTTP probe failed with statuscode: {status}")),
        };
        assert_eq!(finding, expected);
    }
}

#[tokio::test]
async fn path_and_headers_are_as_given() {
    let (port, asked) = serve(&[&answer("200 ok")]).await;
    let mut action = get(port, "/a/b?c=d%20e");
    let header = |name: &str, value: &str| HttpHeader { name: name.to_owned(), value: value.to_owned() };
    action.http_headers =
        vec![header("X-A", "1"), header("X-A", "2"), header("Host", "example.org"), header("Accept", "")];
    assert_eq!(probe(action).await, Finding::Success);
    let request = asked.await.unwrap().remove(0).to_lowercase();
    assert!(request.starts_with("get /a/b?c=d%20e http/1.1\r\n"), "{request}");
    assert!(request.contains("x-a: 1\r\nx-a: 2\r\n"), "{request}");
    assert!(request.contains("host: example.org\r\n") && !request.contains("127.0.0.1"), "{request}");
    assert!(request.contains("user-agent: kube-probe/") && !request.contains("accept:"), "{request}");
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_host_only() {
    let (port, asked) = serve(&[&answer("302 x\r\nlocation: /there"), &answer("200 ok")]).await;
    assert_eq!(probe(get(port, "/here")).await, Finding::Success);
    assert!(asked.await.unwrap()[1].starts_with("GET /there HTTP/1.1\r\n"));
    let (port, _) = serve(&[&answer("302 x\r\nlocation: /there"), &answer("500 no")]).await;
    assert_eq!(probe(get(port, "/")).await.verdict(), Some(false), "what it leads to counts");
    let (port, _) = serve(&[&answer("302 x\r\nlocation: http://example.org/")]).await;
    assert!(matches!(probe(get(port, "/")).await, Finding::Warning(_)), "it is well, and nobody went there");
    let (port, _) = serve(&[&*answer("302 x\r\nlocation: /"); 12]).await;
    let Finding::Failure(words) = probe(get(port, "/")).await else { panic!("it goes round and round") };
    assert!(words.ends_with("stopped after 10 redirects"), "{words}");
}

#[tokio::test]
async fn silence_and_absence_are_failures() {
    let port = closed().await;
    let words =
        format!("Get \"http://127.0.0.1:{port}/\": dial tcp 127.0.0.1:{port}: connect: connection refused");
    assert_eq!(probe(get(port, "/")).await, Finding::Failure(words));
    let (listener, address) = listen().await;
    let begin = Instant::now();
    let Finding::Failure(words) = probe(get(address.port(), "/")).await else { panic!("nobody answers") };
    assert!(words.contains("context deadline exceeded"), "{words}");
    assert!(begin.elapsed() < Duration::from_secs(3));
    drop(listener);
    let (port, _) = serve(&[""]).await;
    let Finding::Failure(words) = probe(get(port, "/")).await else { panic!("it hung up") };
    assert!(words.ends_with("EOF"), "{words}");
}

#[tokio::test]
async fn a_long_answer_is_not_read_to_its_end() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 ok\r\ncontent-length: 99999999999\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65536]).await.is_ok() {}
    });
    assert_eq!(probe(get(address.port(), "/")).await, Finding::Success);
}

#[tokio::test]
async fn https_is_spoken_with_anybody() {
    let (listener, address) = listen().await;
    let acceptor = tokio_rustls::TlsAcceptor::from(stranger());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(answer("200 ok").as_bytes()).await.unwrap();
        let _ = stream.shutdown().await;
    });
    let action = HttpGetAction { scheme: "HTTPS".to_owned(), ..get(address.port(), "/") };
    assert_eq!(probe(action).await, Finding::Success);
}

/// A server whose certificate nobody has reason to trust, and that is of another name.
fn stranger() -> Arc<rustls::ServerConfig> {
    let dir = tempfile::TempDir::new().unwrap();
    let pki = Pki::open_or_create(dir.path(), &[]).unwrap();
    let sans = [San::Dns("somewhere.else".to_owned())];
    let identity =
        pki.issue("pod", Subject::new("pod"), Usage::Server, &sans, Duration::from_secs(3600)).unwrap();
    identity.server_config(ClientAuth::None, &[]).unwrap()
}
