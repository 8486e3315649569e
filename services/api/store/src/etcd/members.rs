//! The members of the cluster, each with a connection of its own. One of them is asked; when it fails, the next.
//!
//! A balancer that spreads calls over all members would make a third of them fail while one of three is away. So all
//! calls and the watch go to one member, and move on together when it refuses, falls silent, or has lost its leader.
//! What is certain not to have happened is tried again on the next member, and so are reads. A write of which that is
//! not certain is never tried again: it ends as [`Error::Unknown`].

use super::wire::{self, Trouble};
use super::{EtcdConfig, MAX_ANSWER};
use crate::{Error, Revision};
use arc_swap::ArcSwap;
use etcd_client::{Client, KvClient, LeaseClient, WatchClient};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a call rides out the election of a leader among the members, and the pauses between tries meanwhile.
const ELECTION: Duration = Duration::from_secs(3);
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// All members.
pub(super) struct Members {
    list: ArcSwap<Vec<Arc<Member>>>,
    /// The index of the one that is asked, counted up without end.
    current: watch::Sender<usize>,
    timeout: Duration,
}

/// One member.
pub(super) struct Member {
    endpoint: String,
    client: Client,
}

/// A write that did not go well.
#[derive(Debug)]
pub(super) enum Refused {
    /// etcd answered, and nothing has happened.
    ByEtcd(etcd_client::Error),
    /// It did not, or something may have.
    Failed(Error),
}

/// When a call has to end, and how patient it is until then.
struct Tries {
    deadline: Instant,
    /// Until when "no leader" is waited for to pass.
    election: Instant,
    pause: Duration,
    left_in_round: usize,
}

// === impl Members ===

impl Members {
    /// Connects to each member when it is first asked.
    ///
    /// # Errors
    /// [`Error::Invalid`] for unusable addresses or certificates.
    pub(super) async fn connect(config: &EtcdConfig) -> Result<Self, Error> {
        let list = ArcSwap::from_pointee(clients(config).await?);
        Ok(Self { list, current: watch::Sender::new(0), timeout: config.timeout })
    }

    /// Uses new connections from now on, made as this says; streams move over.
    ///
    /// # Errors
    /// Those of [`Members::connect`]; then everything stays as it is.
    pub(super) async fn renew(&self, config: &EtcdConfig) -> Result<(), Error> {
        self.list.store(Arc::new(clients(config).await?));
        self.current.send_modify(|_| ());
        Ok(())
    }

    /// The member to ask.
    pub(super) fn current(&self) -> Arc<Member> {
        let list = self.list.load();
        Arc::clone(&list[*self.current.borrow() % list.len()])
    }

    /// Learns when another member is to be asked.
    pub(super) fn moves(&self) -> watch::Receiver<usize> {
        self.current.subscribe()
    }

    /// Asks another member from now on, if this is the one that is asked.
    pub(super) fn avoid(&self, member: &Arc<Member>, why: &dyn std::fmt::Display) {
        let list = self.list.load();
        if list.len() < 2 {
            return;
        }
        self.current.send_if_modified(|current| {
            let is_asked = Arc::ptr_eq(&list[*current % list.len()], member);
            if is_asked {
                *current = current.wrapping_add(1);
                let next = &list[*current % list.len()].endpoint;
                tracing::warn!(member = %member.endpoint, next, %why, "moving to another member of etcd");
            }
            is_asked
        });
    }

    /// A call that may be made several times: a read, or something like it. `requested` is the revision that it asks
    /// for, if it does.
    pub(super) async fn read<T, F>(
        &self,
        operation: &str,
        requested: Option<Revision>,
        call: impl Fn(Arc<Member>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let mut tries = self.tries();
        loop {
            let member = self.current();
            let patience = self.patience().min(tries.deadline - Instant::now());
            let (trouble, error) = match timeout(patience, call(Arc::clone(&member))).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => match wire::trouble(&error) {
                    None => return Err(wire::error(error, requested)),
                    Some(trouble) => (trouble, wire::error(error, requested)),
                },
                Err(_) => (Trouble::Silent, self.late(operation)),
            };
            self.avoid(&member, &error);
            if !tries.again(trouble, self.count()).await {
                return Err(error);
            }
        }
    }

    /// A call that must not be made twice unless nothing has come of the first.
    pub(super) async fn write<T, F>(
        &self,
        operation: &str,
        call: impl Fn(Arc<Member>) -> F,
    ) -> Result<T, Refused>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let mut tries = self.tries();
        loop {
            let member = self.current();
            let mut call = std::pin::pin!(call(Arc::clone(&member)));
            let patient = timeout(self.patience(), &mut call).await;
            let answer = match patient {
                Ok(answer) => Ok(answer),
                Err(_) => {
                    // Others need not wait as well; the answer may come all the same.
                    self.avoid(&member, &"it is silent");
                    timeout_at(tries.deadline, call).await
                }
            };
            let error = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => return Err(Refused::Failed(unknown(&self.late(operation)))),
            };
            let Some(trouble) = wire::trouble(&error) else { return Err(Refused::ByEtcd(error)) };
            let error = wire::error(error, None);
            self.avoid(&member, &error);
            if trouble.may_have_happened() {
                return Err(Refused::Failed(unknown(&error)));
            }
            if !tries.again(trouble, self.count()).await {
                return Err(Refused::Failed(error));
            }
        }
    }

    fn tries(&self) -> Tries {
        let now = Instant::now();
        Tries {
            deadline: now + self.timeout,
            election: now + ELECTION.min(self.timeout),
            pause: PAUSES.0,
            left_in_round: self.count(),
        }
    }

    fn count(&self) -> usize {
        self.list.load().len()
    }

    /// How long one member may be silent before the next is asked.
    fn patience(&self) -> Duration {
        if self.count() < 2 { self.timeout } else { self.timeout / 3 }
    }

    fn late(&self, operation: &str) -> Error {
        Error::Unavailable(format!("etcd did not {operation} within {} s", self.timeout.as_secs_f32()))
    }
}

async fn clients(config: &EtcdConfig) -> Result<Vec<Arc<Member>>, Error> {
    if config.endpoints.is_empty() {
        return Err(Error::Invalid("no address of etcd was given".to_owned()));
    }
    let mut members = Vec::with_capacity(config.endpoints.len());
    for endpoint in &config.endpoints {
        let client = Client::connect([endpoint], Some(config.connect_options()))
            .await
            .map_err(|error| Error::Invalid(format!("cannot use etcd at {endpoint:?}: {error}")))?;
        members.push(Arc::new(Member { endpoint: endpoint.clone(), client }));
    }
    Ok(members)
}

/// A failed write of which it is not known whether it happened.
fn unknown(error: &Error) -> Error {
    match error {
        Error::Unavailable(why) => Error::Unknown(why.clone()),
        other => Error::Unknown(other.to_string()),
    }
}

// === impl Member ===

impl Member {
    pub(super) fn kv(&self) -> KvClient {
        self.client.kv_client().max_decoding_message_size(MAX_ANSWER)
    }

    pub(super) fn watch(&self) -> WatchClient {
        self.client.watch_client().max_decoding_message_size(MAX_ANSWER)
    }

    pub(super) fn leases(&self) -> LeaseClient {
        self.client.lease_client()
    }
}

// === impl Tries ===

impl Tries {
    /// Whether to try again, and when: each member once, and all of them for some time while they elect a leader.
    async fn again(&mut self, trouble: Trouble, members: usize) -> bool {
        let now = Instant::now();
        if now >= self.deadline {
            return false;
        }
        self.left_in_round = self.left_in_round.saturating_sub(1);
        if self.left_in_round > 0 {
            return true;
        }
        if trouble != Trouble::NoLeader || now + self.pause >= self.election {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES.1);
        self.left_in_round = members;
        true
    }
}
