//! Who listens to the changes of one kind, found by what they could be interested in.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use keelson_base_model::status::ApiError;
use keelson_proto::v1::WatchEventType;
use tokio::sync::mpsc;

use crate::cache::filter::Interest;
use crate::cache::{Cache, Event, Filter, Progress};
use crate::errors::RETRY;

/// Changes that a watcher may be behind before it is given up.
const MOST_BEHIND: usize = 4096;

/// Bytes of changes that a watcher may be behind before it is given up; one change always is let through.
const MOST_BYTES_BEHIND: usize = 16 << 20;

/// Watchers of one kind.
const MOST_WATCHERS: usize = 20_000;

/// A change, and what it is to one watcher.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The change.
    pub(crate) event: Arc<Event>,
    /// How the watcher is told of it.
    pub(crate) kind: WatchEventType,
}

/// All watchers of one kind.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    last: u64,
    places: HashMap<u64, (Interest, Arc<Filter>)>,
    /// By what they could be interested in, and then by what they select: that is looked at once for all alike.
    by_interest: HashMap<Interest, HashMap<Arc<Filter>, Alike>>,
    /// Changes handed over so far.
    pub(crate) told: u64,
    /// Watchers given up so far because they were too far behind.
    pub(crate) given_up: u64,
}

/// Those who select the same, by their ids.
type Alike = HashMap<u64, Watcher>;

#[derive(Debug)]
struct Watcher {
    sender: mpsc::Sender<Delivery>,
    behind: Arc<AtomicUsize>,
}

/// The end of a watcher's queue that the watch reads.
#[derive(Debug)]
pub(crate) struct Queue {
    receiver: mpsc::Receiver<Delivery>,
    /// Bytes of changes in the queue.
    behind: Arc<AtomicUsize>,
}

/// The changes that a watcher hears of, in order. Ends when the watcher fell too far behind.
pub(crate) struct Subscription {
    cache: Arc<Cache>,
    id: u64,
    missed: VecDeque<Delivery>,
    queue: Queue,
}

// === impl Delivery ===

impl Delivery {
    /// The watch frame.
    pub(crate) fn frame(&self) -> Bytes {
        self.event.frame(self.kind)
    }
}

// === impl Watchers ===

impl Watchers {
    /// Adds a watcher.
    ///
    /// # Errors
    /// TooManyRequests if there are too many.
    pub(crate) fn add(&mut self, filter: Filter) -> Result<(u64, Queue), ApiError> {
        if self.places.len() >= MOST_WATCHERS {
            let why = format!(
                "{MOST_WATCHERS} watches of this kind are open, which is all that are allowed; try again later"
            );
            return Err(ApiError::too_many_requests(why, RETRY));
        }
        let (sender, receiver) = mpsc::channel(MOST_BEHIND);
        let behind = Arc::<AtomicUsize>::default();
        self.last += 1;
        let interest = filter.interest();
        let filters = self.by_interest.entry(interest.clone()).or_default();
        let filter =
            filters.get_key_value(&filter).map_or_else(|| Arc::new(filter), |(known, _)| known.clone());
        let watcher = Watcher { sender, behind: behind.clone() };
        filters.entry(filter.clone()).or_default().insert(self.last, watcher);
        self.places.insert(self.last, (interest, filter));
        Ok((self.last, Queue { receiver, behind }))
    }

    /// Forgets a watcher.
    pub(crate) fn remove(&mut self, id: u64) {
        let Some((interest, filter)) = self.places.remove(&id) else { return };
        let Some(filters) = self.by_interest.get_mut(&interest) else { return };
        if let Some(alike) = filters.get_mut(&filter) {
            alike.remove(&id);
            if alike.is_empty() {
                filters.remove(&filter);
            }
        }
        if filters.is_empty() {
            self.by_interest.remove(&interest);
        }
    }

    /// Forgets all: each finds its subscription ended.
    pub(crate) fn clear(&mut self) {
        self.places.clear();
        self.by_interest.clear();
    }

    /// Tells everyone whom it concerns. Who is too far behind is forgotten: its channel ends, and with it the
    /// watch, so that nothing is skipped in silence.
    pub(crate) fn tell(&mut self, event: &Arc<Event>) {
        if self.places.is_empty() {
            return;
        }
        for interest in Interest::of(event) {
            let Some(filters) = self.by_interest.get_mut(&interest) else { continue };
            filters.retain(|filter, alike| {
                let Some(delivery) = filter.deliver(event) else { return true };
                alike.retain(|id, watcher| {
                    let told = watcher.tell(delivery.clone());
                    if told {
                        self.told += 1;
                    } else {
                        self.given_up += 1;
                        self.places.remove(id);
                    }
                    told
                });
                !alike.is_empty()
            });
            if filters.is_empty() {
                self.by_interest.remove(&interest);
            }
        }
    }
}

// === impl Watcher ===

impl Watcher {
    /// Queues a change. False if the watcher is too far behind, or gone.
    fn tell(&self, delivery: Delivery) -> bool {
        let weight = delivery.event.weight();
        let behind = self.behind.fetch_add(weight, Ordering::Relaxed);
        (behind == 0 || behind + weight <= MOST_BYTES_BEHIND) && self.sender.try_send(delivery).is_ok()
    }
}

// === impl Queue ===

impl Queue {
    async fn next(&mut self) -> Option<Delivery> {
        let delivery = self.receiver.recv().await?;
        Some(self.taken(delivery))
    }

    fn ready(&mut self) -> Option<Delivery> {
        let delivery = self.receiver.try_recv().ok()?;
        Some(self.taken(delivery))
    }

    fn taken(&self, delivery: Delivery) -> Delivery {
        self.behind.fetch_sub(delivery.event.weight(), Ordering::Relaxed);
        delivery
    }
}

// === impl Subscription ===

impl Subscription {
    /// A subscription that begins with what the ring had.
    pub(crate) fn new(cache: Arc<Cache>, id: u64, missed: VecDeque<Delivery>, queue: Queue) -> Self {
        Self { cache, id, missed, queue }
    }

    /// How far all caches have come.
    pub(crate) fn progress(&self) -> Progress {
        self.cache.progress().clone()
    }

    /// The next change; None if the watcher fell too far behind or the cache began anew.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        match self.missed.pop_front() {
            Some(delivery) => Some(delivery),
            None => self.queue.next().await,
        }
    }

    /// The next change, if it is already there.
    pub(crate) fn ready(&mut self) -> Option<Delivery> {
        self.missed.pop_front().or_else(|| self.queue.ready())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.cache.unwatch(self.id);
    }
}

#[cfg(test)]
mod tests {
    use keelson_base_model::fields::FieldSelector;
    use keelson_base_model::labels::Selector;

    use super::*;
    use crate::cache::Entry;

    fn filter(labels: &str) -> Filter {
        Filter::new("default", Selector::parse(labels).unwrap(), FieldSelector::default())
    }

    fn created(app: &str) -> Arc<Event> {
        let entry = Entry {
            path: "default/web".into(),
            object: Bytes::from_static(b"object"),
            revision: 7,
            uid: "u".into(),
            labels: [("app".to_owned(), app.to_owned())].into(),
            fields: [].into(),
            trace: None,
        };
        Arc::new(Event::new(7, None, Some(Arc::new(entry))))
    }

    #[test]
    fn who_selects_the_same_is_told_alike_and_forgotten_alone() {
        let mut watchers = Watchers::default();
        let (one, mut first) = watchers.add(filter("app=web")).unwrap();
        let (other, mut second) = watchers.add(filter("app=web")).unwrap();
        let (_, mut third) = watchers.add(filter("app=db")).unwrap();
        watchers.tell(&created("web"));
        assert!(first.ready().is_some() && second.ready().is_some() && third.ready().is_none());
        watchers.remove(one);
        watchers.tell(&created("web"));
        assert!(first.ready().is_none() && second.ready().is_some() && third.ready().is_none());
        watchers.remove(other);
        watchers.tell(&created("db"));
        assert!(second.ready().is_none() && third.ready().is_some());
        assert_eq!((watchers.told, watchers.given_up, watchers.places.len()), (4, 0, 1));
    }

    #[test]
    fn who_is_gone_or_too_far_behind_is_forgotten() {
        let mut watchers = Watchers::default();
        let (_, gone) = watchers.add(filter("")).unwrap();
        drop(gone);
        let (_, mut slow) = watchers.add(filter("")).unwrap();
        for _ in 0..=MOST_BEHIND {
            watchers.tell(&created("web"));
        }
        assert_eq!((watchers.told as usize, watchers.given_up), (MOST_BEHIND, 2));
        assert!(watchers.places.is_empty() && watchers.by_interest.is_empty());
        let mut got = 0;
        while slow.ready().is_some() {
            got += 1;
        }
        assert_eq!(got, MOST_BEHIND);
    }
}
