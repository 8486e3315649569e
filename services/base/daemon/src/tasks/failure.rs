//! How a task ended, and what that means for the process.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a task may return: nothing, or a result whose error is its failure. (An `async` block that loops for ever has
/// type `!`, which cannot be named here: write an `async fn` without a result.)
pub trait Outcome: Send {
    /// How the task ended, in the supervisor's terms.
    fn into_cause(self) -> Cause;
}

/// How a task ended.
#[derive(Clone, Debug)]
pub enum Cause {
    /// It returned.
    Ended,
    /// It returned an error.
    Failed(Arc<dyn Error + Send + Sync>),
    /// It panicked with this message.
    Panicked(String),
}

/// A critical task that ended before it was asked to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("task {task:?} {cause}")]
pub struct TaskFailure {
    /// The task's full name, such as `scheduler/bind`.
    pub task: String,
    /// How it ended.
    pub cause: Cause,
}

/// Why [`super::Tasks::join`] was not a clean end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TaskError {
    /// A critical task failed.
    #[error(transparent)]
    Failed(#[from] TaskFailure),
    /// Some tasks ignored the drain and were aborted.
    #[error("tasks did not finish within {grace:?} and were aborted: {}", tasks.join(", "))]
    Overran {
        /// The time they had.
        grace: Duration,
        /// Their names.
        tasks: Vec<String>,
    },
}

// === impl Outcome ===

impl Outcome for () {
    fn into_cause(self) -> Cause {
        Cause::Ended
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>> + Send> Outcome for Result<(), E> {
    fn into_cause(self) -> Cause {
        match self {
            Ok(()) => Cause::Ended,
            Err(error) => Cause::Failed(Arc::from(error.into())),
        }
    }
}

// === impl Cause ===

impl Cause {
    /// Reads the message of a caught panic.
    pub(super) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panicked(text.unwrap_or_else(|| "no message".to_owned()))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("ended unexpectedly"),
            Self::Failed(error) => {
                write!(f, "failed: {error}")?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
            Self::Panicked(message) => write!(f, "panicked: {message}"),
        }
    }
}
