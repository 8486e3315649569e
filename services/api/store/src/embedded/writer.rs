//! The one thread that writes.

use super::deadlines::Moment;
use super::disk::{Disk, META, META_COMPACTED, failed};
use super::group::{Group, State};
use super::load::Loaded;
use super::shared::Shared;
use super::sweep;
use super::view::View;
use crate::fanout::{Fanout, FanoutConfig};
use crate::{Batch, Commit, CommitOutcome, Error, Revision};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, mpsc};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// The most commits in one transaction,
const GROUP_COMMITS: usize = 1024;
/// and the most bytes, about.
const GROUP_BYTES: usize = 4 << 20;
/// The most keys that expire in one transaction.
const EXPIRE: usize = 256;

/// What the writer can be asked.
#[derive(Debug)]
pub(super) enum Command {
    /// Check and write.
    Commit(Pending),
    /// Give up history.
    Compact {
        /// The oldest revision still needed.
        up_to: Revision,
        /// Takes the oldest revision kept.
        reply: oneshot::Sender<Result<Revision, Error>>,
    },
    /// Finish and let go of the disk.
    Close(oneshot::Sender<Result<(), Error>>),
}

/// A commit whose caller waits.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) commit: Commit,
    pub(super) reply: oneshot::Sender<Result<CommitOutcome, Error>>,
    /// Its place in the queue, free again when the commit is done.
    pub(super) _place: OwnedSemaphorePermit,
}

/// The writer's side of the store.
pub(super) struct Writer {
    disk: Disk,
    commands: Receiver<Command>,
    shared: Arc<Shared>,
    state: State,
    compacted: Revision,
    swept: Revision,
    /// Why nothing can be written any more. What a failed write has left behind is for the next start to find
    /// out, so there is no going on.
    failure: Option<Error>,
}

// === impl Writer ===

impl Writer {
    /// Reads what the disk holds.
    pub(super) fn load(
        disk: Disk,
        commands: mpsc::Receiver<Command>,
        fanout: FanoutConfig,
    ) -> Result<(Self, Arc<Shared>), Error> {
        let Loaded { state, compacted, swept } = Loaded::from(&disk.database)?;
        let view = View::new(&disk.database, state.head, compacted, state.index.clone())?;
        let shared = Arc::new(Shared::new(view, Fanout::new(fanout, state.head)));
        let writer =
            Self { disk, commands, shared: Arc::clone(&shared), state, compacted, swept, failure: None };
        Ok((writer, shared))
    }

    /// Works until the store is closed or dropped.
    pub(super) fn run(mut self) {
        let closing = loop {
            match self.receive() {
                Ok(command) => {
                    if let Some(reply) = self.handle(command) {
                        break Some(reply);
                    }
                }
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            self.expire();
            self.sweep();
        };
        self.shared.show(None);
        self.shared.fanout.end(Error::Closed);
        let closed = self.disk.close();
        match closing {
            // Nobody need wait for the answer.
            Some(reply) => drop(reply.send(closed)),
            None => closed.unwrap_or_else(|error| tracing::error!(%error, "closing the store")),
        }
    }

    /// The next command, or `Timeout` when there is other work to do.
    fn receive(&self) -> Result<Command, RecvTimeoutError> {
        if self.failure.is_none() {
            if self.swept < self.compacted {
                return self.commands.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                });
            }
            if let Some(wait) = self.state.deadlines.wait(Moment::now()) {
                return self.commands.recv_timeout(wait);
            }
        }
        self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected)
    }

    /// Does a command, and the commits that wait behind it if it is one. Returns who wants the store closed.
    fn handle(&mut self, first: Command) -> Option<oneshot::Sender<Result<(), Error>>> {
        let mut commits = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        let mut other = None;
        while let Some(command) = next.take() {
            match command {
                Command::Commit(pending) => {
                    bytes += pending.commit.size();
                    commits.push(pending);
                    if commits.len() < GROUP_COMMITS && bytes < GROUP_BYTES {
                        next = self.commands.try_recv().ok();
                    }
                }
                command => other = Some(command),
            }
        }
        self.commit(commits);
        match other {
            Some(Command::Compact { up_to, reply }) => drop(reply.send(self.compact(up_to))),
            Some(Command::Close(reply)) => return Some(reply),
            Some(Command::Commit(_)) | None => (),
        }
        None
    }

    /// Writes the commits and answers their callers.
    fn commit(&mut self, commits: Vec<Pending>) {
        if commits.is_empty() {
            return;
        }
        let written = self.write(|group| {
            commits.iter().map(|pending| group.commit(&pending.commit)).collect::<Result<Vec<_>, _>>()
        });
        // A caller that has gone away needs no answer.
        match written {
            Ok(outcomes) => commits
                .into_iter()
                .zip(outcomes)
                .for_each(|(pending, outcome)| drop(pending.reply.send(Ok(outcome)))),
            Err(error) => {
                commits.into_iter().for_each(|pending| drop(pending.reply.send(Err(error.clone()))));
            }
        }
    }

    fn expire(&mut self) {
        if self.failure.is_none() && !self.state.deadlines.due(Moment::now(), 1).is_empty() {
            // A failure has been noted, and nobody waits for an answer.
            let _ = self.write(|group| group.expire(EXPIRE));
        }
    }

    fn sweep(&mut self) {
        if self.failure.is_none() && self.swept < self.compacted {
            let swept = sweep::slice(&self.disk.database, self.swept, self.compacted);
            self.swept = self.noted(swept).unwrap_or(self.swept);
        }
    }

    /// Makes everything before `up_to` unreadable, as far as no watch needs it; `sweep` removes it later.
    fn compact(&mut self, up_to: Revision) -> Result<Revision, Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let (requested, head) = (up_to, self.state.head);
        if requested > head {
            return Err(Error::FutureRevision { requested, head });
        }
        let target = up_to.min(self.shared.fanout.slowest().unwrap_or(up_to));
        if target > self.compacted {
            let set = self.set_compacted(target);
            self.noted(set)?;
        }
        Ok(self.compacted)
    }

    fn set_compacted(&mut self, target: Revision) -> Result<(), Error> {
        let write = || -> Result<(), redb::Error> {
            let txn = self.disk.database.begin_write()?;
            txn.open_table(META)?.insert(META_COMPACTED, target)?;
            Ok(txn.commit()?)
        };
        write().map_err(failed("compact"))?;
        self.compacted = target;
        self.show()
    }

    /// Runs `fill` on a new group, makes it durable, and lets everybody see it.
    fn write<T>(&mut self, fill: impl FnOnce(&mut Group<'_>) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let written = self.try_write(fill);
        self.noted(written)
    }

    fn try_write<T>(&mut self, fill: impl FnOnce(&mut Group<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let txn = self.disk.database.begin_write().map_err(failed("begin a commit"))?;
        let mut group = Group::open(&txn, &mut self.state, Moment::now())?;
        let filled = fill(&mut group)?;
        let batches: Vec<Batch> = group.finish();
        if batches.is_empty() {
            txn.abort().map_err(failed("end a commit"))?;
            return Ok(filled);
        }
        txn.commit().map_err(failed("commit"))?;
        self.show()?;
        self.shared.fanout.publish(batches);
        Ok(filled)
    }

    fn show(&self) -> Result<(), Error> {
        let (head, index) = (self.state.head, self.state.index.clone());
        self.shared.show(Some(View::new(&self.disk.database, head, self.compacted, index)?));
        Ok(())
    }

    /// Remembers a failure to write.
    fn noted<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            tracing::error!(%error, "the store cannot write any more");
            self.failure = Some(error.clone());
        }
        result
    }
}
