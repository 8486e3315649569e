//! Moves the bytes of a connection.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::Fault;
use super::frame::{Decoder, Encoder, Frame};
use super::headers::Headers;
use super::streams::{Act, CANCEL, Streams};
use crate::stream::idle::Activity;

/// Bytes that are read at a time, and most bytes of a data frame that is sent.
const CHUNK: usize = 32 * 1024;

/// Pieces of data that wait for a stream's reader before the connection is read no further.
const MOST_PIECES: usize = 8;

/// Frames that wait to be sent.
const MOST_FRAMES: usize = 32;

/// Streams that wait to be taken.
const MOST_NEW: usize = 16;

/// Bytes of which a client is told that they were read, at once.
const ANNOUNCED: u32 = 16 * 1024;

/// The client is asked so often whether it is there: one that has vanished is told of by the network only then.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How long a client may take to hang up after it was told that there is no more.
const LINGER: Duration = Duration::from_secs(5);

/// The bytes of one connection: to be [run](Self::run) for as long as it is of use.
pub(crate) struct Connection<I> {
    io: I,
    streams: Arc<Mutex<Streams>>,
    accepted: mpsc::Sender<Stream>,
    frames: mpsc::Sender<Out>,
    to_send: mpsc::Receiver<Out>,
    activity: Activity,
}

/// The streams that a client begins.
pub(crate) struct Incoming {
    streams: mpsc::Receiver<Stream>,
    frames: mpsc::Sender<Out>,
}

/// A stream that a client has begun.
pub(crate) struct Stream {
    /// What it began with.
    pub(crate) headers: Headers,
    /// Its number: odd, and growing.
    pub(crate) id: u32,
    /// What comes.
    pub(crate) reader: Reader,
    /// What goes.
    pub(crate) sender: Sender,
}

/// The client's direction of a stream.
pub(crate) struct Reader {
    id: u32,
    pieces: mpsc::Receiver<Piece>,
    frames: mpsc::Sender<Out>,
    /// Bytes that were read and not announced yet.
    read: u32,
}

/// Our direction of a stream.
pub(crate) struct Sender {
    id: u32,
    frames: mpsc::Sender<Out>,
}

/// A stream was reset, or its connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has given the stream up")]
pub(crate) struct Abandoned;

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The client does not speak SPDY/3.1.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The bytes could not be moved.
    #[error("the connection broke")]
    Io(#[from] io::Error),
}

enum Piece {
    Data(Bytes),
    End,
}

enum Out {
    Frame(Frame),
    Close,
}

// === impl Connection ===

impl<I: AsyncRead + AsyncWrite> Connection<I> {
    /// A connection over `io`, and the streams that its client begins. Data is told to `activity`.
    pub(crate) fn new(io: I, activity: Activity) -> (Self, Incoming) {
        let (accepted, streams) = mpsc::channel(MOST_NEW);
        let (frames, to_send) = mpsc::channel(MOST_FRAMES);
        let incoming = Incoming { streams, frames: frames.clone() };
        (Self { io, streams: Arc::default(), accepted, frames, to_send, activity }, incoming)
    }

    /// Moves bytes until the client hangs up, or the streams are [closed](Incoming::close) and it was given time to.
    pub(crate) async fn run(self) -> Result<(), Broken> {
        let (reader, writer) = tokio::io::split(self.io);
        let input = Input {
            streams: self.streams.clone(),
            accepted: self.accepted,
            frames: self.frames.clone(),
            readers: HashMap::new(),
            activity: self.activity.clone(),
        };
        let output = Output { streams: self.streams, activity: self.activity };
        let mut reading = std::pin::pin!(input.run(reader));
        tokio::select! {
            read = reading.as_mut() => return read,
            written = output.run(writer, self.to_send) => written?,
            () = ping(self.frames) => {}
        }
        timeout(LINGER, reading).await.unwrap_or(Ok(()))
    }
}

/// Asks the client now and then whether it is there.
async fn ping(frames: mpsc::Sender<Out>) {
    let mut every = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut id: u32 = 0;
    loop {
        every.tick().await;
        id = id.wrapping_add(2);
        if frames.send(Out::Frame(Frame::Ping { id })).await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// What comes.
struct Input {
    streams: Arc<Mutex<Streams>>,
    accepted: mpsc::Sender<Stream>,
    frames: mpsc::Sender<Out>,
    readers: HashMap<u32, mpsc::Sender<Piece>>,
    activity: Activity,
}

// === impl Input ===

impl Input {
    async fn run(mut self, mut reader: impl AsyncRead + Unpin) -> Result<(), Broken> {
        let (mut decoder, mut arrived) = (Decoder::new(), BytesMut::new());
        loop {
            while let Some(frame) = decoder.decode(&mut arrived)? {
                let act = lock(&self.streams).receive(frame)?;
                self.act(act).await;
            }
            arrived.reserve(CHUNK);
            if reader.read_buf(&mut arrived).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Nothing => {}
            Act::Send(frame) => self.send(frame).await,
            Act::Begin { id, headers, ended } => self.begin(id, headers, ended).await,
            Act::Deliver { id, data, last } => self.deliver(id, data, last).await,
            Act::Abandon { id } => {
                self.readers.remove(&id);
            }
        }
    }

    async fn begin(&mut self, id: u32, headers: Headers, ended: bool) {
        self.send(Frame::SynReply { id, fin: false, headers: Headers::default() }).await;
        let (pieces, waiting) = mpsc::channel(MOST_PIECES);
        let reader = Reader { id, pieces: waiting, frames: self.frames.clone(), read: 0 };
        let sender = Sender { id, frames: self.frames.clone() };
        if ended {
            // The channel is new: there is room.
            let _ = pieces.try_send(Piece::End);
        } else {
            self.readers.insert(id, pieces);
        }
        if self.accepted.send(Stream { headers, id, reader, sender }).await.is_err() {
            // Nobody takes streams any more.
            self.readers.remove(&id);
            lock(&self.streams).reset(id);
            self.send(Frame::Reset { id, status: CANCEL }).await;
        }
    }

    async fn deliver(&mut self, id: u32, data: Bytes, last: bool) {
        self.activity.touch();
        // Data for a stream that nobody reads is dropped: the client is not to wait for it.
        if let Some(pieces) = self.readers.get(&id)
            && !data.is_empty()
        {
            let _ = pieces.send(Piece::Data(data)).await;
        }
        if last && let Some(pieces) = self.readers.remove(&id) {
            let _ = pieces.send(Piece::End).await;
        }
    }

    async fn send(&self, frame: Frame) {
        // If nothing is sent any more, the connection ends in any case.
        let _ = self.frames.send(Out::Frame(frame)).await;
    }
}

/// What goes.
struct Output {
    streams: Arc<Mutex<Streams>>,
    activity: Activity,
}

// === impl Output ===

impl Output {
    /// Sends what is to be sent until that is closed.
    async fn run(
        self,
        mut writer: impl AsyncWrite + Unpin,
        mut to_send: mpsc::Receiver<Out>,
    ) -> Result<(), Broken> {
        let (mut encoder, mut bytes) = (Encoder::new()?, BytesMut::new());
        while let Some(mut next) = to_send.recv().await {
            let closed = loop {
                match next {
                    Out::Frame(frame) => self.encode(&mut encoder, frame, &mut bytes)?,
                    Out::Close => break true,
                }
                match to_send.try_recv() {
                    Ok(more) if bytes.len() < CHUNK => next = more,
                    Ok(more) => {
                        self.write(&mut writer, &mut bytes).await?;
                        next = more;
                    }
                    Err(_) => break false,
                }
            };
            if closed {
                let last = lock(&self.streams).last();
                encoder.encode(Frame::GoAway { last }, &mut bytes)?;
            }
            self.write(&mut writer, &mut bytes).await?;
            if closed {
                return Ok(writer.shutdown().await?);
            }
        }
        Ok(())
    }

    fn encode(&self, encoder: &mut Encoder, frame: Frame, bytes: &mut BytesMut) -> Result<(), Fault> {
        match &frame {
            Frame::Data { id, fin, .. } => {
                self.activity.touch();
                if *fin {
                    lock(&self.streams).ended(*id);
                }
            }
            Frame::Reset { id, .. } => lock(&self.streams).reset(*id),
            _ => {}
        }
        encoder.encode(frame, bytes)
    }

    async fn write(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        bytes: &mut BytesMut,
    ) -> Result<(), io::Error> {
        writer.write_all_buf(bytes).await?;
        writer.flush().await
    }
}

fn lock(streams: &Mutex<Streams>) -> MutexGuard<'_, Streams> {
    streams.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Incoming ===

impl Incoming {
    /// The next stream that the client begins; None if it has hung up.
    pub(crate) async fn next(&mut self) -> Option<Stream> {
        self.streams.recv().await
    }

    /// Says that there is no more, after all that was sent before.
    pub(crate) async fn close(self) {
        // A connection that has ended is closed.
        let _ = self.frames.send(Out::Close).await;
    }
}

// === impl Reader ===

impl Reader {
    /// The next bytes; None at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Abandoned> {
        match self.pieces.recv().await {
            Some(Piece::Data(data)) => {
                self.announce(data.len());
                Ok(Some(data))
            }
            Some(Piece::End) => {
                self.pieces.close();
                Ok(None)
            }
            None => Err(Abandoned),
        }
    }

    /// Tells the client now and then how much of its data was read.
    fn announce(&mut self, read: usize) {
        self.read = self.read.saturating_add(u32::try_from(read).unwrap_or(u32::MAX));
        if self.read >= ANNOUNCED {
            let update = Out::Frame(Frame::WindowUpdate { id: self.id, delta: self.read });
            if self.frames.try_send(update).is_ok() {
                self.read = 0;
            }
        }
    }
}

// === impl Sender ===

impl Sender {
    /// Sends bytes, when the connection takes them.
    pub(crate) async fn send(&self, mut data: Bytes) -> Result<(), Abandoned> {
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(CHUNK));
            self.frame(Frame::Data { id: self.id, fin: false, data: piece }).await?;
        }
        Ok(())
    }

    /// Ends this direction.
    pub(crate) async fn finish(self) -> Result<(), Abandoned> {
        self.frame(Frame::Data { id: self.id, fin: true, data: Bytes::new() }).await
    }

    /// Ends both directions at once.
    pub(crate) async fn reset(self) -> Result<(), Abandoned> {
        self.frame(Frame::Reset { id: self.id, status: CANCEL }).await
    }

    async fn frame(&self, frame: Frame) -> Result<(), Abandoned> {
        self.frames.send(Out::Frame(frame)).await.map_err(|_| Abandoned)
    }
}

#[cfg(test)]
mod tests;
