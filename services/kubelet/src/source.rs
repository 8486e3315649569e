//! Where pods come from: those that api has bound to this node.

use keelson_base_client::{Client, Delta, Informer, WatchScope};
use keelson_base_daemon::tasks::Tasks;
use keelson_proto::core::Pod;

use crate::pods::Pods;

/// Follows api's pods of the node `node` in a task of `tasks`.
pub(crate) fn follow(tasks: &Tasks, client: &Client, node: &str, pods: Pods) {
    let scope = WatchScope { field_selector: format!("spec.nodeName={node}"), ..WatchScope::default() };
    Informer::spawn(tasks, client.api::<Pod>(), scope, move |delta| hear(&pods, delta));
}

fn hear(pods: &Pods, delta: Delta<Pod>) {
    match delta {
        Delta::Applied { old, new, trace } => {
            // One name, two pods: the first one is gone, whether or not anybody saw it go.
            if let Some(old) = old.filter(|old| old.metadata.uid != new.metadata.uid) {
                pods.remove(old, trace);
            }
            pods.apply(new, trace);
        }
        Delta::Deleted { old, trace } => pods.remove(old, trace),
        Delta::Synced => pods.synced(),
    }
}
