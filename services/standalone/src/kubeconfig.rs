//! The administrator's kubeconfig.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keelson_base_daemon::tls::Identity;
use serde_json::json;

/// The server that a kubeconfig of ours reaches; `None` if there is none that can be read.
pub(crate) fn server(path: &Path) -> Option<String> {
    let config: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    config.pointer("/clusters/0/cluster/server")?.as_str().map(str::to_owned)
}

/// Writes a kubeconfig that reaches `server` as `identity`; only its owner can read it. JSON, which is YAML.
///
/// # Errors
/// Those of the file system.
pub(crate) fn write(path: &Path, server: &str, identity: &Identity) -> io::Result<()> {
    let encode = |pem: &str| STANDARD.encode(pem);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "keelson", "cluster": {
            "server": server,
            "certificate-authority-data": encode(&identity.ca_pem),
        }}],
        "users": [{"name": "admin", "user": {
            "client-certificate-data": encode(&identity.cert_pem),
            "client-key-data": encode(&identity.key_pem),
        }}],
        "contexts": [{"name": "keelson", "context": {"cluster": "keelson", "user": "admin", "namespace": "default"}}],
        "current-context": "keelson",
    });
    let draft = path.with_extension("new");
    let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{config:#}")?;
    fs::rename(draft, path)
}
