//! Opening the store.

use std::path::Path;
use std::sync::Arc;

use keelson_api_store::{Embedded, EmbeddedConfig, Etcd, EtcdConfig, Store};

use crate::cluster::{StartError, StoreChoice};

/// Opens the store that was chosen; the embedded one at `path`.
///
/// # Errors
/// Those of the store, with its place.
pub(super) async fn open(choice: &StoreChoice, path: &Path) -> Result<Arc<dyn Store>, StartError> {
    Ok(match choice {
        StoreChoice::Embedded => {
            let what = || format!("embedded store {}", path.display());
            let opened = Embedded::open(EmbeddedConfig::new(path));
            Arc::new(opened.map_err(|source| StartError::Store { what: what(), source })?)
        }
        StoreChoice::Etcd(hosts) => {
            let what = || format!("store etcd://{}; start etcd there, or leave out --store", hosts.join(","));
            let connected = Etcd::connect(EtcdConfig::new(hosts.clone())).await;
            Arc::new(connected.map_err(|source| StartError::Store { what: what(), source })?)
        }
    })
}
