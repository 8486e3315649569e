//! Manifests in a directory, read again when the kernel says that something has changed there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::backoff::Backoff;
use keelson_base_daemon::directories::Directories;
use keelson_proto::core::Pod;
use tokio::time::sleep;

use super::Put;
use super::decode::{Place, decode};

/// After a change the files are left this long to settle.
const SETTLE: Duration = Duration::from_millis(50);

/// Hands over all pods of the directory (or of the one file) `path` now and after every change.
pub(super) async fn follow(path: PathBuf, place: Place, put: Put) {
    let mut delays = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
    let mut reader = Reader { path, place, last: BTreeMap::new() };
    loop {
        let error = reader.follow(&put, &mut delays).await;
        tracing::warn!(path = %reader.path.display(), %error, "cannot watch the manifests of static pods");
        sleep(delays.next_delay()).await;
    }
}

/// Reads the manifests of one place.
struct Reader {
    path: PathBuf,
    place: Place,
    /// What each file said when it could last be used.
    last: BTreeMap<PathBuf, (Vec<u8>, Vec<Arc<Pod>>)>,
}

// === impl Reader ===

impl Reader {
    async fn follow(&mut self, put: &Put, delays: &mut Backoff) -> io::Error {
        let meta = match tokio::fs::metadata(&self.path).await {
            Ok(meta) => meta,
            Err(error) => {
                // What is not there describes nothing; the kubelet waits for nobody.
                put(Vec::new());
                return error;
            }
        };
        let parent = self.path.parent().unwrap_or_else(|| Path::new("/"));
        let watched = if meta.is_dir() { self.path.clone() } else { parent.to_owned() };
        let directories = match Directories::watch([watched]) {
            Ok(directories) => directories,
            Err(error) => return error,
        };
        loop {
            match self.read(meta.is_dir()).await {
                Ok(pods) => put(pods),
                Err(error) => return error,
            }
            delays.reset();
            if let Err(error) = directories.changed().await {
                return error;
            }
            sleep(SETTLE).await;
        }
    }

    /// All pods; of a file that cannot be used, those that it described before.
    async fn read(&mut self, is_dir: bool) -> io::Result<Vec<Arc<Pod>>> {
        let mut before = std::mem::take(&mut self.last);
        for file in self.files(is_dir).await? {
            let text = match tokio::fs::read(&file).await {
                Ok(text) => text,
                // Gone since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let last = before.remove(&file);
            let same = last.as_ref().is_some_and(|(known, _)| *known == text);
            let pods = match last {
                Some((_, pods)) if same => pods,
                last => self.decode(&file, &text, last.map(|(_, pods)| pods)),
            };
            self.last.insert(file, (text, pods));
        }
        Ok(self.last.values().flat_map(|(_, pods)| pods.iter().cloned()).collect())
    }

    fn decode(&self, file: &Path, text: &[u8], last: Option<Vec<Arc<Pod>>>) -> Vec<Arc<Pod>> {
        let place = Place { from: file.display().to_string(), ..self.place.clone() };
        match decode(text, &place) {
            Ok(pods) => pods.into_iter().map(Arc::new).collect(),
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "cannot use a manifest");
                last.unwrap_or_default()
            }
        }
    }

    /// The files, in order; those whose name begins with a dot are nobody's business.
    async fn files(&self, is_dir: bool) -> io::Result<Vec<PathBuf>> {
        if !is_dir {
            return Ok(vec![self.path.clone()]);
        }
        let mut files = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.path).await?;
        while let Some(entry) = entries.next_entry().await? {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !hidden && tokio::fs::metadata(entry.path()).await.is_ok_and(|meta| meta.is_file()) {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }
}
