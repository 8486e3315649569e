use futures::{StreamExt as _, stream};
use keelson_proto::v1::proxy_input::Input;
use keelson_proto::v1::proxy_output::Output;
use keelson_proto::v1::{ProxyHeader, ProxyInput, ProxyOutput, ProxyRequest, ProxyResponse};

use super::*;

/// A target that tells what it was asked.
fn script(path: String, mut requests: Streaming<Bytes>) -> BoxFuture<'static, Result<Answers, ApiError>> {
    Box::pin(async move {
        let Some(Input::Request(asked)) = next::<ProxyInput>(&mut requests).await.unwrap().input else {
            panic!("no request")
        };
        let (code, header, body) = match asked.path.as_str() {
            "/page" => (200, ("content-type", "text/html"), "<a href=\"/x\">".to_owned()),
            "/moved" => (302, ("location", "/there"), String::new()),
            "/echo" => return Ok(echo(200, vec![], requests)),
            "/upgrade" => {
                assert_eq!(header(&asked, "upgrade"), "echo");
                let headers = vec![("connection", "Upgrade"), ("upgrade", "echo")];
                return Ok(echo(101, headers, requests));
            }
            _ => {
                let told = format!("{path} {} {} {}", asked.name, asked.method, asked.path);
                (200, ("content-type", "text/plain"), told)
            }
        };
        Ok(stream::iter([head(code, vec![header]), piece(body.into())]).boxed())
    })
}

fn header<'a>(asked: &'a ProxyRequest, name: &str) -> &'a str {
    let found = asked.headers.iter().find(|header| header.name == name);
    found.map_or("", |header| std::str::from_utf8(&header.value).unwrap())
}

fn head(code: u32, headers: Vec<(&str, &'static str)>) -> Result<Bytes, Status> {
    let headers = headers.into_iter().map(|(name, value)| ProxyHeader {
        name: name.to_owned(),
        value: Bytes::from_static(value.as_bytes()),
    });
    let head = ProxyResponse { code, headers: headers.collect() };
    Ok(ProxyOutput { output: Some(Output::Response(head)) }.encode_to_vec().into())
}

fn piece(data: Bytes) -> Result<Bytes, Status> {
    Ok(ProxyOutput { output: Some(Output::Body(data)) }.encode_to_vec().into())
}

fn echo(code: u32, headers: Vec<(&str, &'static str)>, requests: Streaming<Bytes>) -> Answers {
    let echoed = stream::unfold(requests, |mut requests| async move {
        match next::<ProxyInput>(&mut requests).await?.input? {
            Input::Body(data) => Some((piece(data), requests)),
            Input::Request(_) => panic!("asked twice"),
        }
    });
    stream::iter([head(code, headers)]).chain(echoed).boxed()
}

/// The answer to a request, whole.
async fn get(harness: &Harness, line: &str, rest: &str) -> String {
    let (head, mut io) = harness.ask(line, &format!("Connection: close\r\n{rest}")).await;
    let mut body = String::new();
    io.read_to_string(&mut body).await.unwrap();
    head + &body
}

#[tokio::test]
async fn requests_reach_whom_they_name() {
    let harness = Harness::start(script).await;
    for (line, told) in [
        (
            "GET /api/v1/namespaces/a/pods/web:80/proxy/x//y?q=%2F",
            "/keelson.v1.Pods/Proxy web:80 GET /x//y?q=%2F",
        ),
        ("DELETE /api/v1/namespaces/a/services/s/proxy/", "/keelson.v1.Services/Proxy s DELETE /"),
        ("GET /api/v1/proxy/nodes/n/healthz", "/keelson.v1.Nodes/Proxy n GET /healthz"),
        ("POST /api/v1/namespaces/a/pods/web/proxy", "/keelson.v1.Pods/Proxy web POST /"),
    ] {
        let answer = get(&harness, line, "Content-Length: 0\r\n").await;
        assert!(answer.contains(told), "{line}: {answer}");
    }
    harness.until_idle().await;
}

#[tokio::test]
async fn pages_lead_back_through_the_gateway() {
    let harness = Harness::start(script).await;
    let base = "/api/v1/namespaces/a/pods/web/proxy";
    let page = get(&harness, &format!("GET {base}/page"), "").await;
    assert!(page.contains(&format!("<a href=\"{base}/x\">")), "{page}");
    let moved = get(&harness, &format!("GET {base}/moved"), "").await;
    assert!(moved.contains("302") && moved.contains(&format!("location: {base}/there")), "{moved}");
    let root = get(&harness, &format!("GET {base}?a=b"), "").await;
    assert!(root.contains("301") && root.contains(&format!("location: {base}/?a=b")), "{root}");
}

#[tokio::test]
async fn bodies_pass_as_they_come() {
    let harness = Harness::start(script).await;
    let line = "PUT /api/v1/nodes/n/proxy/echo";
    let body = "x".repeat(700_000);
    let (head, mut io) = {
        let mut io = TcpStream::connect(harness.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let (mut reader, mut writer) = io.split();
        let sent = async { writer.write_all(request.as_bytes()).await.unwrap() };
        let mut head = Vec::new();
        let read = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(reader.read_u8().await.unwrap());
            }
        };
        tokio::join!(sent, read);
        (String::from_utf8(head).unwrap(), io)
    };
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    assert!(answer.matches('x').count() == body.len(), "{} bytes", answer.len());
}

#[tokio::test]
async fn a_change_of_protocol_passes_through() {
    let harness = Harness::start(script).await;
    let line = "GET /api/v1/namespaces/a/services/s/proxy/upgrade";
    let (head, mut io) = harness.ask(line, "Connection: Upgrade\r\nUpgrade: echo\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101") && head.to_lowercase().contains("upgrade: echo"), "{head}");
    io.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    io.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
    io.shutdown().await.unwrap();
    assert_eq!(io.read(&mut heard).await.unwrap(), 0);
    harness.until_idle().await;
}
