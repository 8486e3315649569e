//! Streams between callers and containers: exec, attach, port-forward.
//!
//! Output is read as fast as the caller takes it, and input as fast as the program does; what is on its way is bounded on
//! both sides. Input has a task of its own, so that it goes on while output waits; it ends with the call, however that
//! ends, and so does the hold on the program.

mod input;
mod port;
mod program;
mod target;

pub(crate) use self::port::forward;
pub(crate) use self::program::{attach, exec, failed};
pub(crate) use self::target::{infra_of, running};

use std::sync::Arc;

use futures::stream::BoxStream;
use keelson_base_daemon::tasks::Tasks;
use tokio::task::AbortHandle;
use tonic::Status;

use crate::pods::Pods;
use crate::runtime::Runtime;

/// What streams are made with.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) pods: Pods,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) tasks: Tasks,
}

/// What goes out of a call.
pub(crate) type Outgoing<T> = BoxStream<'static, Result<T, Status>>;

/// A task that ends when this is dropped.
struct Guarded(AbortHandle);

// === impl Guarded ===

impl Drop for Guarded {
    fn drop(&mut self) {
        self.0.abort();
    }
}
