//! Requests that become conversations: exec, attach, port-forward, watches over WebSocket, and what is passed on to pods,
//! services and nodes. The protocols of clients on one side, api's gRPC streams on the other.
//!
//! | module | noun |
//! |---|---|
//! | `upgrade` | which protocol the client wants to change to |
//! | `websocket`, `spdy` | the two protocols, without what they carry |
//! | `container` | exec and attach |
//! | `forward` | connections to the ports of a pod |
//! | `watch` | changes as messages of a WebSocket |
//! | `proxy` | HTTP requests that are passed on |
//! | `idle` | when nothing happens any more |

pub(crate) mod container;
pub(crate) mod forward;
mod idle;
pub(crate) mod proxy;
mod spdy;
pub(crate) mod upgrade;
pub(crate) mod watch;
mod websocket;

use futures::stream::{self, Stream};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use keelson_base_daemon::tasks::Tasks;
use tokio::sync::mpsc;

use self::idle::{Activity, IDLE};

/// Messages that wait on their way to api.
const MOST_MESSAGES: usize = 8;

/// Most bytes of one message to api: below gRPC's usual limit.
const MAX_CHUNK: usize = 256 * 1024;

/// The bytes of a connection that has changed its protocol.
type Bytestream = TokioIo<Upgraded>;

/// Where conversations run, and what they hold while they do.
pub(crate) struct Room<P> {
    /// They end when these are drained.
    pub(crate) tasks: Tasks,
    /// The request's place among those that last.
    pub(crate) place: P,
}

// === impl Room ===

impl<P: Send + 'static> Room<P> {
    /// Has a conversation over the connection once its protocol has changed: until it ends, nothing happens for too
    /// long, or the gateway stops.
    pub(crate) fn converse<F>(
        self,
        name: &'static str,
        upgrade: OnUpgrade,
        conversation: impl FnOnce(Bytestream, Activity) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        let Self { tasks, place } = self;
        let drain = tasks.drain();
        tasks.spawn(name, async move {
            let _place = place;
            let activity = Activity::new();
            let conversation = async {
                match upgrade.await {
                    Ok(upgraded) => conversation(TokioIo::new(upgraded), activity.clone()).await,
                    Err(error) => {
                        tracing::debug!(%error, name, "the client hung up before the protocol changed")
                    }
                }
            };
            tokio::select! {
                () = conversation => {}
                () = activity.idle(IDLE) => tracing::debug!(name, "nothing happened for too long"),
                () = drain.signaled() => {}
            }
        });
    }
}

/// What comes out of a channel.
fn received<T: Send>(messages: mpsc::Receiver<T>) -> impl Stream<Item = T> + Send {
    stream::unfold(messages, |mut messages| async move { messages.recv().await.map(|next| (next, messages)) })
}

#[cfg(test)]
mod tests;
