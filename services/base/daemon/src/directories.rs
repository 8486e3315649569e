//! Directories whose changes are told by the kernel (inotify(7)).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use crate::backoff::Backoff;

/// Directories that are watched.
///
/// The directories, not the files in them: those are replaced by renaming, and a Kubernetes mount replaces them all at once by
/// renaming the symbolic link `..data` that they lead through.
pub struct Directories {
    inotify: AsyncFd<Watcher>,
    paths: Vec<PathBuf>,
}

/// `Inotify` as `AsyncFd` wants it.
struct Watcher(Inotify);

// === impl Directories ===

impl Directories {
    /// Watches directories; all must exist. Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// A directory that is not there or cannot be read, or a kernel that watches no more.
    pub fn watch(paths: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        // Deprecated for types whose descriptor may change under way; its successor is unsafe.
        #[allow(deprecated, reason = "the descriptor of an Inotify is the same until it is dropped")]
        let inotify = AsyncFd::with_interest(Watcher(inotify), Interest::READABLE)?;
        let directories = Self { inotify, paths: paths.into_iter().collect() };
        directories.add()?;
        Ok(directories)
    }

    /// Ends when something in the directories has changed.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn changed(&self) -> io::Result<()> {
        loop {
            let mut ready = self.inotify.readable().await?;
            let events = match ready.get_inner().0.read_events() {
                Err(Errno::EAGAIN) => {
                    ready.clear_ready();
                    continue;
                }
                events => events?,
            };
            // A directory that was removed, moved or unmounted is not watched any more; one of its name may come again.
            let gone = AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_UNMOUNT;
            if events.iter().any(|event| event.mask.intersects(gone)) {
                self.add_again().await;
            }
            return Ok(());
        }
    }

    /// What is watched already stays so.
    fn add(&self) -> Result<(), Errno> {
        // A file that was written in place, one that was renamed to its name or away, a link made or replaced, a file
        // removed, and the directory's own end. Not what a reader does.
        let mask = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        for path in &self.paths {
            self.inotify.get_ref().0.add_watch(path, mask)?;
        }
        Ok(())
    }

    async fn add_again(&self) {
        let mut delays = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        let mut told = false;
        while let Err(error) = self.add() {
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(paths = ?self.paths, %error, "a watched directory is gone, waiting for it");
            }
            sleep(delays.next_delay()).await;
        }
    }
}

// === impl Watcher ===

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Watcher {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl std::fmt::Debug for Directories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directories").field("paths", &self.paths).finish_non_exhaustive()
    }
}
