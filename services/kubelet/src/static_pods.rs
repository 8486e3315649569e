//! Static pods: those that a directory or a URL describes, and not api. Each is shown in api by a mirror, which is made
//! after its likeness and whose deletion changes nothing here.

mod decode;
mod directory;
mod known;
mod mirror;
mod url;

pub(crate) use self::known::Known;
pub(crate) use self::mirror::{is_static, likeness, mirrored, name_of};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keelson_base_daemon::tasks::Tasks;

use self::decode::Place;
use crate::clock::Clock;
use crate::pods::Pods;

/// Where static pods come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// A directory of manifests, or one manifest.
    pub path: Option<PathBuf>,
    /// A URL (http) of a manifest.
    pub url: Option<String>,
    /// How often the URL is asked; Kubernetes' 20 s if absent.
    pub url_period: Option<Duration>,
}

// === impl Sources ===

impl Sources {
    /// Their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let (file, http) = (self.path.as_ref().map(|_| "file"), self.url.as_ref().map(|_| "http"));
        file.into_iter().chain(http)
    }

    /// Follows all sources in tasks of `tasks`, for the node `node`.
    pub(crate) fn follow(self, tasks: &Tasks, node: &str, clock: &Clock, pods: &Pods) {
        let place = |source: &'static str, from: String| Place {
            node: node.to_owned(),
            source,
            from,
            clock: clock.clone(),
        };
        if let Some(path) = self.path {
            let (place, pods) = (place("file", path.display().to_string()), pods.clone());
            let put = move |found| pods.put_static("file", found);
            crate::kubelet::until_drained(tasks, "manifests", directory::follow(path, place, Arc::new(put)));
        }
        if let Some(address) = self.url {
            let (place, pods) = (place("http", address.clone()), pods.clone());
            let put = move |found| pods.put_static("http", found);
            let period = self.url_period.unwrap_or(url::PERIOD);
            crate::kubelet::until_drained(
                tasks,
                "manifest URL",
                url::follow(address, period, place, Arc::new(put)),
            );
        }
    }
}

/// Takes the pods that a source describes now.
type Put = Arc<dyn Fn(Vec<Arc<keelson_proto::core::Pod>>) + Send + Sync>;
#[cfg(test)]
mod tests;
