//! Opening the store.

use std::path::Path;
use std::sync::Arc;

use keelson_api_store::{Embedded, EmbeddedConfig, Error, Etcd, EtcdConfig, Store};

use crate::cluster::StoreChoice;

/// Opens the store that was chosen; the embedded one at `path`.
///
/// # Errors
/// Those of the store.
pub(super) async fn open(choice: &StoreChoice, path: &Path) -> Result<Arc<dyn Store>, Error> {
    Ok(match choice {
        StoreChoice::Embedded => Arc::new(Embedded::open(EmbeddedConfig::new(path))?),
        StoreChoice::Etcd(hosts) => Arc::new(Etcd::connect(EtcdConfig::new(hosts.clone())).await?),
    })
}
