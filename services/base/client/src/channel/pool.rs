//! Which server a call goes to, and which servers to connect to when: decided here, done elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::backoff::Backoff;
use tokio::time::Instant;

/// The delays between attempts to reach one server. The longest is short: a call that finds no server waits for the
/// next attempt.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(3);

/// A connection that lasted so long was a good one: its successor may come at once.
const STEADY: Duration = Duration::from_secs(5);

/// Servers that nobody has called for so long are not connected to until somebody does.
const QUIET: Duration = Duration::from_secs(60);

/// The servers behind a number of names, and the state of each. `S` is what calls are sent by.
#[derive(Debug)]
pub(super) struct Pool<S> {
    names: Vec<Name>,
    replicas: Vec<Replica<S>>,
    last_id: u64,
    /// Where the search for a replica begins, so that equals take turns.
    turn: usize,
    used: Option<Instant>,
}

/// A configured `host:port`. Its addresses are asked for again whenever one of them is to be tried again.
#[derive(Debug)]
struct Name {
    text: String,
    asking: bool,
    /// Not before; `None` once it is known which addresses it has.
    ask_at: Option<Instant>,
    backoff: Backoff,
    failure: Option<Failure>,
}

/// A server.
#[derive(Debug)]
struct Replica<S> {
    id: u64,
    name: usize,
    address: SocketAddr,
    phase: Phase<S>,
    in_flight: usize,
    backoff: Backoff,
    failure: Option<Failure>,
}

/// How far a replica is.
#[derive(Debug)]
enum Phase<S> {
    /// To be tried, not before.
    Waiting(Instant),
    /// A connection is under way.
    Connecting,
    /// Takes calls.
    Ready { sender: S, since: Instant, word: Word },
    /// Takes no more calls; its connection is about to end.
    Closing { since: Instant },
}

/// What a server says of itself, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    /// It serves.
    Serving,
    /// It has not said, or says nothing of the kind.
    Unknown,
    /// It starts, ends, or lacks what it needs.
    NotServing,
}

/// The last attempt, if it failed.
#[derive(Clone, Debug)]
struct Failure {
    at: Instant,
    error: Arc<str>,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Find the addresses of a name; answer with [`Pool::resolved`].
    Resolve {
        /// Its place in the list of names.
        name: usize,
    },
    /// Connect; answer with [`Pool::connected`].
    Connect {
        /// The replica.
        id: u64,
        /// Its name's place in the list.
        name: usize,
        /// Where it is.
        address: SocketAddr,
    },
}

/// What a call is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pick<S> {
    /// Go by this connection; [`Pool::done`] afterwards.
    Use {
        /// The replica.
        id: u64,
        /// Its name's place in the list.
        name: usize,
        /// Where it is.
        address: SocketAddr,
        /// The connection.
        sender: S,
    },
    /// Ask again when something has changed.
    Wait,
    /// Give up: since the call came, no server could be reached, for these reasons.
    Fail(String),
}

// === impl Pool ===

impl<S: Clone> Pool<S> {
    /// Servers behind `names`, each `host:port`; nobody is connected to until the first [`Pool::pick`].
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let name = |text| Name { text, asking: false, ask_at: None, backoff: backoff(), failure: None };
        Self {
            names: names.into_iter().map(name).collect(),
            replicas: Vec::new(),
            last_id: 0,
            turn: 0,
            used: None,
        }
    }

    /// Chooses a server for a call that came at `since`: among those that are connected, and say the best of themselves,
    /// the one with the fewest calls in flight. So a silent one, which answers none, soon gets no more.
    ///
    /// Without any the call waits for one attempt to reach each of them that ended after it came.
    pub(super) fn pick(&mut self, since: Instant, now: Instant) -> Pick<S> {
        self.used = Some(now);
        let count = self.replicas.len();
        self.turn = self.turn.wrapping_add(1);
        let start = self.turn;
        let by_turn = (0..count).map(|step| (start.wrapping_add(step)) % count);
        let ready = by_turn.filter_map(|index| match &self.replicas[index] {
            Replica { phase: Phase::Ready { word, .. }, in_flight, .. } => Some((*word, *in_flight, index)),
            _ => None,
        });
        let least = ready.min_by_key(|&(word, in_flight, _)| (word, in_flight)).map(|(.., index)| index);
        if let Some(replica) = least.and_then(|index| self.replicas.get_mut(index))
            && let Phase::Ready { sender, .. } = &replica.phase
        {
            let sender = sender.clone();
            replica.in_flight += 1;
            return Pick::Use { id: replica.id, name: replica.name, address: replica.address, sender };
        }
        match self.failures(since) {
            Some(text) => Pick::Fail(text),
            None => Pick::Wait,
        }
    }

    /// A call by this replica has ended.
    pub(super) fn done(&mut self, id: u64) {
        if let Some(replica) = self.replica(id) {
            replica.in_flight = replica.in_flight.saturating_sub(1);
        }
    }

    /// What is to be done at `now`; it counts as begun.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Action> {
        if !self.is_used(now) {
            return Vec::new();
        }
        let mut actions = Vec::new();
        for (index, name) in self.names.iter_mut().enumerate() {
            let mut replicas = self.replicas.iter().filter(|replica| replica.name == index).peekable();
            let asks = match replicas.peek() {
                None => name.ask_at.is_none_or(|at| at <= now),
                Some(_) => replicas.any(|replica| matches!(replica.phase, Phase::Waiting(at) if at <= now)),
            };
            if asks && !name.asking {
                name.asking = true;
                actions.push(Action::Resolve { name: index });
            }
        }
        actions
    }

    /// When [`Pool::due`] has something to say next, if nothing else happens.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        if !self.is_used(now) {
            return None;
        }
        let idle = |index: usize| !self.names[index].asking;
        let replicas = self.replicas.iter().filter(|replica| idle(replica.name));
        let replicas = replicas.filter_map(|replica| match replica.phase {
            Phase::Waiting(at) => Some(at),
            _ => None,
        });
        let names =
            self.names.iter().enumerate().filter(|(index, name)| !name.asking && self.is_empty(*index));
        replicas.chain(names.filter_map(|(_, name)| name.ask_at)).min()
    }

    /// The addresses of a name, or why they are not known.
    pub(super) fn resolved(
        &mut self,
        index: usize,
        addresses: Result<Vec<SocketAddr>, String>,
        now: Instant,
    ) -> Vec<Action> {
        let addresses = addresses.and_then(|some| {
            if some.is_empty() { Err("the name has no addresses".to_owned()) } else { Ok(some) }
        });
        let empty = self.is_empty(index);
        let Some(name) = self.names.get_mut(index) else { return Vec::new() };
        name.asking = false;
        match addresses {
            Ok(addresses) => {
                name.failure = None;
                name.backoff.reset();
                self.replace(index, &addresses, now);
            }
            Err(error) if empty => {
                name.failure = Some(Failure { at: now, error: error.into() });
                name.ask_at = Some(now + name.backoff.next_delay());
            }
            // What was known is better than nothing: names may be gone while servers are not.
            Err(error) => tracing::debug!(name = %name.text, error, "cannot ask for the addresses again"),
        }
        let mut actions = Vec::new();
        for replica in self.replicas.iter_mut().filter(|replica| replica.name == index) {
            if matches!(replica.phase, Phase::Waiting(at) if at <= now) {
                replica.phase = Phase::Connecting;
                actions.push(Action::Connect { id: replica.id, name: index, address: replica.address });
            }
        }
        actions
    }

    /// How an attempt to connect ended.
    pub(super) fn connected(&mut self, id: u64, connection: Result<S, String>, now: Instant) {
        let Some(replica) = self.replica(id) else { return };
        match connection {
            Ok(sender) => {
                replica.failure = None;
                replica.phase = Phase::Ready { sender, since: now, word: Word::Unknown };
            }
            Err(error) => {
                replica.failure = Some(Failure { at: now, error: error.into() });
                replica.phase = Phase::Waiting(now + replica.backoff.next_delay());
            }
        }
    }

    /// What a server said of itself.
    pub(super) fn said(&mut self, id: u64, news: Word) {
        if let Some(Replica { phase: Phase::Ready { word, .. }, .. }) = self.replica(id) {
            *word = news;
        }
    }

    /// Whether there is more than one server to choose from.
    pub(super) fn has_choice(&self) -> bool {
        self.replicas.len() > 1
    }

    /// A connection takes no more calls.
    pub(super) fn closing(&mut self, id: u64) {
        if let Some(replica) = self.replica(id)
            && let Phase::Ready { since, .. } = replica.phase
        {
            replica.phase = Phase::Closing { since };
        }
    }

    /// A connection has ended. If it lasted, the next attempt is made at once: the server may be back already.
    pub(super) fn lost(&mut self, id: u64, now: Instant) {
        let Some(replica) = self.replica(id) else { return };
        if let Phase::Ready { since, .. } | Phase::Closing { since } = replica.phase {
            let delay = if now.duration_since(since) >= STEADY {
                replica.backoff.reset();
                Duration::ZERO
            } else {
                replica.backoff.next_delay()
            };
            replica.phase = Phase::Waiting(now + delay);
        }
    }

    /// Takes the addresses that a name has now. Those that it has no more are left to their end.
    fn replace(&mut self, name: usize, addresses: &[SocketAddr], now: Instant) {
        self.replicas.retain(|replica| {
            replica.name != name
                || addresses.contains(&replica.address)
                || !matches!(replica.phase, Phase::Waiting(_))
        });
        for &address in addresses {
            if self.replicas.iter().any(|replica| replica.name == name && replica.address == address) {
                continue;
            }
            self.last_id += 1;
            self.replicas.push(Replica {
                id: self.last_id,
                name,
                address,
                phase: Phase::Waiting(now),
                in_flight: 0,
                backoff: backoff(),
                failure: None,
            });
        }
    }

    /// Why nothing could be reached since; `None` if something has yet to be tried.
    fn failures(&self, since: Instant) -> Option<String> {
        let of_names = self.names.iter().enumerate().filter(|(index, _)| self.is_empty(*index));
        let of_names = of_names.map(|(_, name)| (name.text.clone(), &name.failure));
        let of_replicas = self.replicas.iter().map(|replica| (self.text(replica), &replica.failure));
        let mut texts = Vec::new();
        for (what, failure) in of_names.chain(of_replicas) {
            let failure = failure.as_ref().filter(|failure| failure.at >= since)?;
            texts.push(format!("cannot reach {what}: {}", failure.error));
        }
        Some(texts.join("; "))
    }

    /// Why no server can be reached, as far as that is known; `None` while one can.
    pub(super) fn trouble(&self) -> Option<String> {
        let failure = |failure: &Option<Failure>| failure.as_ref().map(|failure| failure.error.clone());
        let texts = self.replicas.iter().map(|replica| match replica.phase {
            Phase::Ready { .. } => None,
            _ => Some(
                failure(&replica.failure)
                    .map(|error| format!("cannot reach {}: {error}", self.text(replica))),
            ),
        });
        let known: Vec<String> = texts.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
        (!known.is_empty()).then(|| known.join("; "))
    }

    fn text(&self, replica: &Replica<S>) -> String {
        let address = replica.address.to_string();
        match self.names.get(replica.name) {
            Some(name) if name.text != address => format!("{} ({address})", name.text),
            _ => address,
        }
    }

    fn is_empty(&self, name: usize) -> bool {
        !self.replicas.iter().any(|replica| replica.name == name)
    }

    fn is_used(&self, now: Instant) -> bool {
        let in_flight = self.replicas.iter().any(|replica| replica.in_flight > 0);
        in_flight || self.used.is_some_and(|used| now.duration_since(used) < QUIET)
    }

    fn replica(&mut self, id: u64) -> Option<&mut Replica<S>> {
        self.replicas.iter_mut().find(|replica| replica.id == id)
    }
}

fn backoff() -> Backoff {
    Backoff::new(FIRST_DELAY, MAX_DELAY).jitter(0.3)
}

#[cfg(test)]
mod tests;
