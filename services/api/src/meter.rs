//! What api counts, under the names that kube-apiserver gives it.

mod calls;
mod store;

pub(crate) use self::calls::counted;
pub(crate) use self::store::MeteredStore;

use std::sync::Arc;

use keelson_base_daemon::admin::Metrics;
use keelson_proto::Kind;

use crate::cache::Cache;

/// Tells of a kind's watch cache when asked.
pub(crate) fn tell_cache(metrics: &Metrics, kind: &'static Kind, cache: &Arc<Cache>) {
    let tell = |name, help, grows: bool, read: fn(&Cache) -> u64| {
        let cache = cache.clone();
        let labels = vec![("group", kind.group.to_owned()), ("resource", kind.plural.to_owned())];
        let readings =
            if grows { metrics.growing_readings(name, help) } else { metrics.readings(name, help) };
        readings.set(labels, move || read(&cache) as f64);
    };
    tell("apiserver_storage_objects", "Objects stored", false, |cache| cache.snapshot().entries.len() as u64);
    tell("watch_cache_resource_version", "The last change that the watch cache holds", false, |cache| {
        cache.snapshot().revision
    });
    tell(
        "apiserver_watch_cache_events_received",
        "Changes that the watch cache has taken in",
        true,
        |cache| cache.tally().received,
    );
    tell("apiserver_watch_events", "Changes handed to watchers", true, |cache| cache.tally().told);
    tell("apiserver_terminated_watchers", "Watchers given up because they read too slowly", true, |cache| {
        cache.tally().given_up
    });
}
