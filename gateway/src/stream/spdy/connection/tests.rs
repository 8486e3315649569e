use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

use super::*;
use crate::stream::spdy::client::Client;

fn connect() -> (Client<DuplexStream>, Incoming, JoinHandle<Result<(), Broken>>) {
    let (io, served) = tokio::io::duplex(64 * 1024);
    let (connection, incoming) = Connection::new(served, Activity::new());
    (Client::new(io), incoming, tokio::spawn(connection.run()))
}

fn syn(id: u32, kind: &str) -> Frame {
    Frame::SynStream { id, fin: false, headers: [("streamtype", kind)].into_iter().collect() }
}

fn data(id: u32, fin: bool, data: &'static str) -> Frame {
    Frame::Data { id, fin, data: Bytes::from_static(data.as_bytes()) }
}

#[tokio::test]
async fn streams_are_accepted_and_both_directions_end_by_themselves() {
    let (mut client, mut incoming, running) = connect();
    client.send(syn(1, "stdin")).await;
    client.send(data(1, false, "hello")).await;
    client.send(data(1, true, "")).await;
    let mut stream = incoming.next().await.unwrap();
    assert_eq!((stream.id, stream.headers.get("streamType")), (1, Some("stdin")));
    assert_eq!(client.next().await, Some(Frame::SynReply { id: 1, fin: false, headers: Headers::default() }));
    assert_eq!(stream.reader.next().await, Ok(Some(Bytes::from_static(b"hello"))));
    assert_eq!(stream.reader.next().await, Ok(None));
    stream.sender.send(Bytes::from_static(b"bye")).await.unwrap();
    stream.sender.finish().await.unwrap();
    incoming.close().await;
    assert_eq!(client.next().await, Some(data(1, false, "bye")));
    assert_eq!(client.next().await, Some(data(1, true, "")));
    assert_eq!(client.next().await, Some(Frame::GoAway { last: 1 }));
    assert_eq!(client.next().await, None);
    drop(client);
    assert!(running.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_stream_that_is_reset_is_abandoned_and_others_go_on() {
    let (mut client, mut incoming, _running) = connect();
    client.send(syn(1, "data")).await;
    client.send(syn(3, "data")).await;
    let (mut one, mut other) = (incoming.next().await.unwrap(), incoming.next().await.unwrap());
    client.send(Frame::Reset { id: 1, status: CANCEL }).await;
    client.send(data(3, false, "more")).await;
    assert_eq!(one.reader.next().await, Err(Abandoned));
    assert_eq!(other.reader.next().await, Ok(Some(Bytes::from_static(b"more"))));
    drop(client);
    assert_eq!(other.reader.next().await, Err(Abandoned));
}

#[tokio::test]
async fn pings_are_answered_and_reading_is_announced() {
    let (mut client, mut incoming, _running) = connect();
    client.send(Frame::Ping { id: 1 }).await;
    assert_eq!(client.next().await, Some(Frame::Ping { id: 1 }));
    client.send(syn(1, "stdin")).await;
    let mut stream = incoming.next().await.unwrap();
    client.next().await.unwrap();
    let sent = Bytes::from(vec![b'x'; ANNOUNCED as usize]);
    client.send(Frame::Data { id: 1, fin: true, data: sent }).await;
    let mut read = 0;
    while let Some(data) = stream.reader.next().await.unwrap() {
        read += data.len();
    }
    assert_eq!(read, ANNOUNCED as usize);
    assert_eq!(client.next().await, Some(Frame::WindowUpdate { id: 1, delta: ANNOUNCED }));
}

#[tokio::test]
async fn a_reader_that_lags_holds_the_client_back() {
    let (mut client, mut incoming, _running) = connect();
    client.send(syn(1, "stdin")).await;
    let mut stream = incoming.next().await.unwrap();
    let sent = 4 * 1024 * 1024;
    let sending = tokio::spawn(async move {
        client.send(Frame::Data { id: 1, fin: true, data: Bytes::from(vec![1; sent]) }).await;
        client
    });
    tokio::task::yield_now().await;
    assert!(!sending.is_finished());
    let mut read = 0;
    while let Some(data) = stream.reader.next().await.unwrap() {
        assert!(data.len() <= 2 * CHUNK, "{}", data.len());
        read += data.len();
    }
    assert_eq!(read, sent);
    sending.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_hang_up_is_hung_up_on() {
    let (mut client, incoming, running) = connect();
    tokio::time::sleep(PING_EVERY + Duration::from_secs(1)).await;
    assert_eq!(client.next().await, Some(Frame::Ping { id: 2 }), "it is asked whether it is there");
    incoming.close().await;
    assert!(running.await.unwrap().is_ok());
}

#[tokio::test]
async fn nonsense_ends_the_connection() {
    let (mut client, mut incoming, running) = connect();
    client.io.write_all(&[0xff; 64]).await.unwrap();
    assert!(matches!(running.await.unwrap(), Err(Broken::Fault(_))));
    assert!(incoming.next().await.is_none());
}
