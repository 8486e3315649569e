//! Images that nobody uses: removed when the disk is nearly full, the longest unused first.
//!
//! The disk is looked at every five minutes, which costs nothing; the runtime is asked only when the disk is too full.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::{Clock, until};
use crate::node;
use crate::pods::Pods;
use crate::runtime::{Image, Runtime};

/// How often the disk is looked at (Kubernetes' value).
const PERIOD: Duration = Duration::from_secs(300);

/// An image younger than this on the node may be for a container that is just being made (Kubernetes' value).
const MIN_AGE: Duration = Duration::from_secs(120);

/// How full the disk may be, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Above this images are removed.
    pub high: u8,
    /// Until it is below this.
    pub low: u8,
}

/// Removes images.
pub(crate) struct Collector {
    pub(crate) pods: Pods,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) thresholds: Thresholds,
    /// A directory on the disk that is to have room.
    pub(crate) disk: PathBuf,
    pub(crate) clock: Clock,
}

/// When an image was last in use, as far as this kubelet has seen; or when it was first seen.
type Seen = BTreeMap<String, Timestamp>;

// === impl Thresholds ===

impl Default for Thresholds {
    fn default() -> Self {
        Self { high: 90, low: 80 }
    }
}

impl Thresholds {
    /// No image is removed.
    pub const NEVER: Self = Self { high: 100, low: 100 };

    /// How many bytes are to be freed on a disk of `size` bytes, of which so many are available.
    fn excess(self, size: u64, available: u64) -> u64 {
        let part = |percent: u8| u64::try_from(u128::from(size) * u128::from(percent) / 100).unwrap_or(size);
        let used = size.saturating_sub(available);
        if used <= part(self.high) { 0 } else { used.saturating_sub(part(self.low)) }
    }
}

// === impl Collector ===

impl Collector {
    /// Looks from time to time until dropped.
    pub(crate) async fn run(self) {
        let mut seen = Seen::new();
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.clock.now();
            let used = self.used();
            seen.extend(used.iter().map(|id| (id.clone(), now)));
            let disk = self.disk.clone();
            let room = tokio::task::spawn_blocking(move || node::disk(&disk)).await;
            let Ok(Some((size, available))) = room else { continue };
            let excess = self.thresholds.excess(size, available);
            if excess > 0 {
                self.free(excess, &mut seen, &used, now).await;
            }
        }
    }

    async fn free(&self, excess: u64, seen: &mut Seen, used: &BTreeSet<String>, now: Timestamp) {
        let images = match self.runtime.images().await {
            Ok(images) => images,
            Err(error) => return tracing::warn!(%error, "cannot list images to make room on the disk"),
        };
        seen.retain(|id, _| images.iter().any(|image| image.id == *id));
        for image in &images {
            seen.entry(image.id.clone()).or_insert(now);
        }
        let mut freed = 0;
        for image in unused(&images, seen, used, now) {
            if freed >= excess {
                return;
            }
            match self.runtime.remove_image(&image.id).await {
                Ok(()) => {
                    tracing::info!(image = %image.id, names = ?image.names, "removed an image to make room");
                    freed += image.size;
                }
                // Others may use it: several nodes can share an engine.
                Err(error) => tracing::debug!(image = %image.id, %error, "cannot remove an image"),
            }
        }
        if freed < excess {
            tracing::warn!(
                wanted = excess,
                freed,
                "the disk is nearly full, and no more images can be removed"
            );
        }
    }

    /// The images of this node's containers.
    fn used(&self) -> BTreeSet<String> {
        let views = self.pods.views();
        views.iter().flat_map(|view| &view.containers).map(|container| container.image_id.clone()).collect()
    }
}

/// The images that may be removed, the longest unused first, and of those the oldest.
fn unused<'a>(images: &'a [Image], seen: &Seen, used: &BTreeSet<String>, now: Timestamp) -> Vec<&'a Image> {
    let since = |image: &Image| seen.get(&image.id).copied().unwrap_or(now);
    let idle = |image: &&Image| !used.contains(&image.id) && until(since(image), now) >= MIN_AGE;
    let mut idle: Vec<&Image> = images.iter().filter(idle).collect();
    idle.sort_by_key(|image| (since(image), image.created_at));
    idle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn excess_table() {
        let thresholds = Thresholds::default();
        for (available, wanted) in [(100, 0), (10, 0), (9, 11), (0, 20)] {
            assert_eq!(thresholds.excess(100, available), wanted, "{available} of 100");
        }
        assert_eq!(thresholds.excess(0, 0), 0);
        assert_eq!(Thresholds::NEVER.excess(100, 0), 0, "never");
    }

    #[test]
    fn the_longest_unused_goes_first_and_what_is_used_or_new_stays() {
        let image = |id: &str, created: i64| Image {
            id: id.to_owned(),
            names: vec![],
            size: 1,
            created_at: at(created),
        };
        let images = [image("used", 1), image("new", 2), image("b", 4), image("a", 3), image("long", 9)];
        let now = 10_000;
        let seen = [("used", 0), ("new", now - 60), ("a", 5000), ("b", 5000), ("long", 100)];
        let seen: Seen = seen.map(|(id, time)| (id.to_owned(), at(time))).into();
        let used = BTreeSet::from(["used".to_owned()]);
        let order = unused(&images, &seen, &used, at(now));
        assert_eq!(order.iter().map(|image| image.id.as_str()).collect::<Vec<_>>(), ["long", "a", "b"]);
    }
}
