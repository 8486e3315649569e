//! A very small HTTP server: every GET is answered with the host's name, on as many connections as there are
//! slots, none of which waits for another.
use crate::sys::{self, Fd, PollFd, Signals};

/// Connections served side by side. The next one takes the place of the one that is nearest to its deadline.
const SLOTS: usize = 256;
/// How long a client may take to send its request, in milliseconds.
const REQUEST_TIME: u64 = 5_000;
/// How long a client may take to hang up after the answer, in milliseconds. Closing at once would reset
/// connections that are still sending.
const LINGER_TIME: u64 = 1_000;
/// More header than this nobody needs, in bytes.
const REQUEST_LIMIT: usize = 32 * 1024;
/// Connections accepted in one go, so that those already here get their turn.
const ACCEPT_BATCH: usize = 64;
/// The answer to anything but GET and HEAD.
const REFUSAL: &[u8] =
    b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// What failing to listen exits with.
const CANNOT_LISTEN: i32 = 1;

/// One client, from accept to close.
struct Connection {
    fd: Fd,
    /// When it is closed regardless, in milliseconds of the monotonic clock.
    deadline: u64,
    phase: Phase,
}

enum Phase {
    Reading(Request),
    /// Answered; what still comes is thrown away until the client hangs up.
    Lingering,
}

/// What is known of a request so far.
struct Request {
    /// The first four bytes: enough to tell GET and HEAD.
    method: u32,
    /// The last four bytes: enough to see the blank line that ends the header.
    last: u32,
    length: usize,
}

/// The three answers this server knows.
struct Answers {
    get: Text,
    head: Text,
    refusal: &'static [u8],
}

/// A short byte string without an allocator; what does not fit is cut.
struct Text {
    bytes: [u8; 256],
    length: usize,
}

/// Listens on every address at `port`; ends with 0 on SIGTERM and SIGINT.
pub fn run(port: u16) -> i32 {
    sys::block(sys::ALL_SIGNALS);
    let listened = sys::listen(port).and_then(|listener| {
        let signals = sys::signal_fd(Signals::of(&[sys::SIGTERM, sys::SIGINT, sys::SIGCHLD]))?;
        Some((listener, signals))
    });
    let Some((listener, signals)) = listened else {
        sys::complain(b"serve-hostname: cannot listen on this port: is it taken?\n");
        return CANNOT_LISTEN;
    };
    let mut name = [0; sys::HOST_NAME];
    let answers = Answers::new(sys::host_name(&mut name));
    let mut slots = [const { None }; SLOTS];
    loop {
        let mut polls = [PollFd::none(); SLOTS + 2];
        watch(&mut polls, &listener, &signals, &slots);
        sys::poll(&mut polls, patience(&slots));
        let [signalled, arrived, clients @ ..] = &polls;
        if signalled.ready() && told_to_end(&signals) {
            return 0;
        }
        let now = sys::now();
        for (slot, poll) in slots.iter_mut().zip(clients) {
            advance(slot, poll.ready(), now, &answers);
        }
        if arrived.ready() {
            accept(&listener, &mut slots, now);
        }
    }
}

fn watch(polls: &mut [PollFd; SLOTS + 2], listener: &Fd, signals: &Fd, slots: &[Option<Connection>; SLOTS]) {
    let [signalled, arrived, clients @ ..] = polls;
    *signalled = PollFd::readable(signals);
    *arrived = PollFd::readable(listener);
    for (poll, connection) in clients.iter_mut().zip(slots) {
        if let Some(connection) = connection {
            *poll = PollFd::readable(&connection.fd);
        }
    }
}

/// How long poll may sleep, in milliseconds: until the nearest deadline, or for ever.
fn patience(slots: &[Option<Connection>; SLOTS]) -> Option<u64> {
    let nearest = slots
        .iter()
        .flatten()
        .map(|connection| connection.deadline)
        .min()?;
    Some(nearest.saturating_sub(sys::now()))
}

fn told_to_end(signals: &Fd) -> bool {
    while let Some(signal) = sys::next_signal(signals) {
        match signal {
            sys::SIGCHLD => sys::reap(),
            _ => return true,
        }
    }
    false
}

/// Takes what a client sent; a slot whose connection is over becomes free, which closes it.
fn advance(slot: &mut Option<Connection>, ready: bool, now: u64, answers: &Answers) {
    let Some(connection) = slot else { return };
    let alive = connection.deadline > now && (!ready || connection.read(now, answers));
    if !alive {
        *slot = None;
    }
}

fn accept(listener: &Fd, slots: &mut [Option<Connection>; SLOTS], now: u64) {
    for _ in 0..ACCEPT_BATCH {
        match sys::accept(listener) {
            Ok(fd) => {
                let connection = Connection {
                    fd,
                    deadline: now + REQUEST_TIME,
                    phase: Phase::Reading(Request::new()),
                };
                if let Some(slot) = free_slot(slots) {
                    *slot = Some(connection);
                }
            }
            Err(sys::EMFILE | sys::ENFILE) => {
                // Out of descriptors: without giving one up, poll would report the same arrival for ever.
                if let Some(slot) = oldest_slot(slots) {
                    *slot = None;
                }
                return;
            }
            Err(_) => return,
        }
    }
}

fn free_slot(slots: &mut [Option<Connection>; SLOTS]) -> Option<&mut Option<Connection>> {
    match slots.iter().position(Option::is_none) {
        Some(free) => slots.get_mut(free),
        None => oldest_slot(slots),
    }
}

fn oldest_slot(slots: &mut [Option<Connection>; SLOTS]) -> Option<&mut Option<Connection>> {
    slots
        .iter_mut()
        .min_by_key(|slot| slot.as_ref().map_or(u64::MAX, |connection| connection.deadline))
}

// === impl Connection ===

impl Connection {
    /// False when the connection is over.
    fn read(&mut self, now: u64, answers: &Answers) -> bool {
        let mut buffer = [0; 2048];
        let received = match sys::receive(&self.fd, &mut buffer) {
            Ok([]) => return false,
            Ok(received) => received,
            Err(sys::EAGAIN | sys::EINTR) => return true,
            Err(_) => return false,
        };
        let Phase::Reading(request) = &mut self.phase else {
            return true;
        };
        if !request.feed(received) {
            return request.length <= REQUEST_LIMIT;
        }
        let sent = sys::send(&self.fd, answers.to(request));
        sys::finish_sending(&self.fd);
        self.phase = Phase::Lingering;
        self.deadline = now + LINGER_TIME;
        sent
    }
}

// === impl Request ===

impl Request {
    fn new() -> Self {
        Request {
            method: 0,
            last: 0,
            length: 0,
        }
    }

    /// Takes some bytes; true when the header is complete.
    fn feed(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.length < 4 {
                self.method = self.method << 8 | u32::from(*byte);
            }
            self.last = self.last << 8 | u32::from(*byte);
            self.length += 1;
            if self.last == u32::from_be_bytes(*b"\r\n\r\n") || self.last & 0xffff == 0x0a0a {
                return true;
            }
        }
        false
    }
}

// === impl Answers ===

impl Answers {
    fn new(name: &[u8]) -> Self {
        let mut head = Text {
            bytes: [0; 256],
            length: 0,
        };
        head.push(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n");
        head.push(b"Connection: close\r\nContent-Length: ");
        head.push_number(name.len() + 1);
        head.push(b"\r\n\r\n");
        let mut get = Text {
            bytes: head.bytes,
            length: head.length,
        };
        get.push(name);
        get.push(b"\n");
        Answers {
            get,
            head,
            refusal: REFUSAL,
        }
    }

    fn to(&self, request: &Request) -> &[u8] {
        match &request.method.to_be_bytes() {
            b"GET " => self.get.as_bytes(),
            b"HEAD" => self.head.as_bytes(),
            _ => self.refusal,
        }
    }
}

// === impl Text ===

impl Text {
    fn push(&mut self, bytes: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *to = *from;
            self.length += 1;
        }
    }

    /// Numbers below a hundred, which lengths of host names are.
    fn push_number(&mut self, number: usize) {
        if number >= 10 {
            self.push(&[b'0' + (number / 10 % 10) as u8]);
        }
        self.push(&[b'0' + (number % 10) as u8]);
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
