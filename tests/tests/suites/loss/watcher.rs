//! A watcher of all pods that goes on from where it was, whatever is lost meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use keelson_base_client::{Api, WatchEvent, WatchEventKind, WatchParams};
use keelson_proto::core::Pod;
use tokio::task::JoinHandle;

use super::history::{Change, Kind};

/// How long a watcher waits before it asks again.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a watcher may take to come to an end that is known.
const PATIENCE: Duration = Duration::from_secs(30);

/// A watcher of all pods. It ends when dropped.
#[derive(Debug)]
pub(super) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    changes: Vec<Change>,
    /// Up to which revision everything was seen.
    revision: u64,
    /// How often the watch was begun.
    begun: usize,
    /// An end that no watcher may meet.
    refused: Option<String>,
}

// === impl Watcher ===

impl Watcher {
    /// Follows all pods through `pods` from this revision on.
    pub(super) fn start(pods: Api<Pod>, revision: u64) -> Self {
        let seen = Arc::new(Mutex::new(Seen { revision, ..Seen::default() }));
        let task = tokio::spawn(follow(pods, seen.clone()));
        Self { seen, task }
    }

    /// Everything that was seen up to `revision`, and how often the watch was begun for it.
    ///
    /// # Panics
    /// If it does not get there, or was refused.
    #[track_caller]
    pub(super) fn up_to(&self, revision: u64) -> impl Future<Output = (Vec<Change>, usize)> {
        let seen = self.seen.clone();
        async move {
            let end = tokio::time::Instant::now() + PATIENCE;
            loop {
                {
                    let seen = seen.lock().unwrap();
                    assert_eq!(seen.refused, None);
                    if seen.revision >= revision {
                        let upto = seen.changes.iter().take_while(|change| change.revision <= revision);
                        return (upto.cloned().collect(), seen.begun);
                    }
                    let late = tokio::time::Instant::now() > end;
                    assert!(!late, "a watcher is at {} and never came to {revision}", seen.revision);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(pods: Api<Pod>, seen: Arc<Mutex<Seen>>) {
    loop {
        let revision = {
            let mut seen = seen.lock().unwrap();
            seen.begun += 1;
            seen.revision.to_string()
        };
        let params = WatchParams { resource_version: revision, bookmarks: true, ..WatchParams::default() };
        if let Ok(mut watch) = pods.watch(&params).await {
            while let Some(event) = watch.next().await {
                match event {
                    Ok(event) => seen.lock().unwrap().take(&event),
                    // History that is gone would hide what was lost: nothing is compacted so soon.
                    Err(error) if error.is_expired() => {
                        seen.lock().unwrap().refused = Some(error.to_string());
                        return;
                    }
                    Err(_) => break,
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

// === impl Seen ===

impl Seen {
    fn take(&mut self, event: &WatchEvent<Pod>) {
        let kind = match event.kind {
            WatchEventKind::Added => Some(Kind::Added),
            WatchEventKind::Modified => Some(Kind::Modified),
            WatchEventKind::Deleted => Some(Kind::Deleted),
            WatchEventKind::Bookmark => None,
        };
        if let Some(kind) = kind {
            self.changes.push(Change {
                revision: event.revision,
                kind,
                name: event.object.metadata.name.clone(),
                uid: event.object.metadata.uid.clone(),
                node: event.object.spec.node_name.clone(),
            });
        }
        self.revision = self.revision.max(event.revision);
    }
}
