//! Calls to servers that do the same: each goes to one that answers.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use keelson_base_daemon::tls::ClientTls;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tonic::Status;
use tonic::body::Body;

use super::connection::{Connection, Sender, Target};
use super::pool::{Action, Pick, Pool};
use super::{Lost, health, permitted, timeout, unavailable};

/// How often a call may find that the connection it was given has just ended.
const MAX_UNSENT: usize = 8;

/// Servers that do the same, and the connections to them.
pub(super) struct Balanced {
    shared: Arc<Shared>,
    driver: AbortHandle,
}

struct Shared {
    targets: Vec<Target>,
    tls: Option<ClientTls>,
    pool: Mutex<Pool<Sender>>,
    /// Calls that wait hear of every change.
    changed: Notify,
    /// The driver hears of calls that wait.
    wanted: Notify,
}

/// A call's place on a connection, given back on drop.
struct Place {
    shared: Arc<Shared>,
    id: u64,
    address: SocketAddr,
}

/// An answer as it comes; its call counts until it has ended.
struct Answer {
    body: Incoming,
    place: Place,
}

/// What the driver learns.
enum Event {
    Resolved {
        name: usize,
        addresses: Result<Vec<SocketAddr>, String>,
    },
    Connected {
        id: u64,
        name: usize,
        connection: Result<Connection, String>,
    },
    Ended {
        id: u64,
    },
    /// A server says no more of itself.
    Mute,
}

// === impl Balanced ===

impl Balanced {
    /// Connects to nobody until the first call. Must be called on a Tokio runtime.
    pub(super) fn new(targets: Vec<Target>, tls: Option<ClientTls>) -> Self {
        let pool = Pool::new(targets.iter().map(|target| target.authority.to_string()));
        let shared = Arc::new(Shared {
            targets,
            tls,
            pool: Mutex::new(pool),
            changed: Notify::new(),
            wanted: Notify::new(),
        });
        let driver = tokio::spawn(drive(shared.clone())).abort_handle();
        Self { shared, driver }
    }

    /// Sends a call. It is sent again, to another server, only if it did not leave this process.
    pub(super) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        match timeout::of(request.headers()) {
            None => self.shared.send(request).await,
            Some(deadline) => match tokio::time::timeout(deadline, self.shared.send(request)).await {
                Ok(answer) => answer,
                Err(_) => {
                    let why = self.shared.pool().trouble().map(|why| format!(": {why}")).unwrap_or_default();
                    Err(Status::deadline_exceeded(format!("no answer within {deadline:?}{why}")))
                }
            },
        }
    }
}

impl Drop for Balanced {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

// === impl Shared ===

impl Shared {
    async fn send(self: &Arc<Self>, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let since = Instant::now();
        for _ in 0..MAX_UNSENT {
            let (place, name, mut sender) = self.place(since).await?;
            *request.uri_mut() = self.uri(name, request.uri())?;
            // As late as can be: what comes next is the sending.
            permitted(&request)?;
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(response.map(|body| Body::new(Answer { body, place }))),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => {
                        self.pool().closing(place.id);
                        request = unsent;
                    }
                    None => return Err(lost(failed.into_error(), place.address)),
                },
            }
        }
        Err(Status::unavailable("the servers close every connection as soon as it is made"))
    }

    /// Waits for a server that takes a call.
    async fn place(self: &Arc<Self>, since: Instant) -> Result<(Place, usize, Sender), Status> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Before the look, so that no change falls between.
            changed.as_mut().enable();
            let pick = self.pool().pick(since, Instant::now());
            match pick {
                Pick::Use { id, name, address, sender } => {
                    return Ok((Place { shared: self.clone(), id, address }, name, sender));
                }
                Pick::Fail(why) => return Err(Status::unavailable(why)),
                Pick::Wait => {
                    self.wanted.notify_one();
                    changed.await;
                }
            }
        }
    }

    fn uri(&self, name: usize, uri: &Uri) -> Result<Uri, Status> {
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = self.targets.get(name).map(|target| target.authority.clone());
        Uri::from_parts(parts).map_err(|error| Status::internal(format!("{uri} cannot be called: {error}")))
    }

    fn pool(&self) -> MutexGuard<'_, Pool<Sender>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event in; says what is to be done next, and runs a connection that has come about.
    fn learn(self: &Arc<Self>, event: Event, running: &mut JoinSet<Event>) -> Vec<Action> {
        let now = Instant::now();
        let actions = match event {
            Event::Resolved { name, addresses } => self.pool().resolved(name, addresses, now),
            Event::Connected { id, name, connection: Ok(Connection { sender, run }) } => {
                running.spawn(async move {
                    run.await;
                    Event::Ended { id }
                });
                self.pool().connected(id, Ok(sender.clone()), now);
                self.listen(id, name, sender, running);
                Vec::new()
            }
            Event::Connected { id, connection: Err(error), .. } => {
                self.pool().connected(id, Err(error), now);
                Vec::new()
            }
            Event::Mute => Vec::new(),
            Event::Ended { id } => {
                self.pool().lost(id, now);
                Vec::new()
            }
        };
        self.changed.notify_waiters();
        actions
    }

    /// Hears what a server says of itself, if there are others to go to.
    fn listen(self: &Arc<Self>, id: u64, name: usize, sender: Sender, running: &mut JoinSet<Event>) {
        let Some(target) = self.targets.get(name).filter(|_| self.pool().has_choice()).cloned() else {
            return;
        };
        let shared = self.clone();
        running.spawn(async move {
            let tell = |word| {
                shared.pool().said(id, word);
                shared.changed.notify_waiters();
            };
            health::follow(sender, target, tell).await;
            Event::Mute
        });
    }
}

/// Makes connections, and makes them again, until it is aborted.
async fn drive(shared: Arc<Shared>) {
    let mut running = JoinSet::new();
    loop {
        let now = Instant::now();
        let (due, next) = {
            let mut pool = shared.pool();
            (pool.due(now), pool.next_due(now))
        };
        begin(&shared, due, &mut running);
        tokio::select! {
            Some(Ok(event)) = running.join_next() => {
                let actions = shared.learn(event, &mut running);
                begin(&shared, actions, &mut running);
            }
            () = at(next) => {}
            () = shared.wanted.notified() => {}
        }
    }
}

fn begin(shared: &Arc<Shared>, actions: Vec<Action>, running: &mut JoinSet<Event>) {
    for action in actions {
        let shared = shared.clone();
        running.spawn(async move {
            match action {
                Action::Resolve { name } => {
                    let addresses = match shared.targets.get(name) {
                        Some(target) => target.resolve().await,
                        None => Ok(Vec::new()),
                    };
                    Event::Resolved { name, addresses }
                }
                Action::Connect { id, name, address } => {
                    let connection = match shared.targets.get(name) {
                        Some(target) => target.connect(address, shared.tls.as_ref()).await,
                        None => Err("it has no name".to_owned()),
                    };
                    Event::Connected { id, name, connection }
                }
            }
        });
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// A call that was under way when its connection ended: the server may have got it.
fn lost(error: hyper::Error, address: SocketAddr) -> Status {
    let mut status = unavailable(error.into());
    if status.code() == tonic::Code::Unavailable {
        status = Status::unavailable(format!("the call to {address} got no answer: {}", status.message()));
        status.set_source(Arc::new(Lost));
    }
    status
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.pool().done(self.id);
    }
}

// === impl Answer ===

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let address = self.place.address;
        Pin::new(&mut self.body).poll_frame(cx).map_err(|error| lost(error, address))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
