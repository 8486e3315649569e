//! The kubeconfig of an administrator.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keelson_base_daemon::tls::Identity;
use serde_json::{Value, json};

/// What a kubeconfig says about its current context.
pub(crate) struct Kubeconfig {
    pub(crate) server: String,
    pub(crate) identity: Identity,
}

// === impl Kubeconfig ===

impl Kubeconfig {
    /// Reads one; certificates must be in it, or in files that it names.
    #[track_caller]
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read the kubeconfig {}: {error}", path.display()));
        let config: Value = yaml_serde::from_str(&text).expect("a kubeconfig is YAML");
        let context = &named(&config, "contexts", &config["current-context"])["context"];
        let cluster = &named(&config, "clusters", &context["cluster"])["cluster"];
        let user = &named(&config, "users", &context["user"])["user"];
        Self {
            server: cluster["server"].as_str().expect("a kubeconfig names a server").to_owned(),
            identity: Identity {
                ca_pem: pem(cluster, "certificate-authority"),
                cert_pem: pem(user, "client-certificate"),
                key_pem: pem(user, "client-key"),
            },
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) {
        let encode = |pem: &str| STANDARD.encode(pem);
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {
                "server": self.server, "certificate-authority-data": encode(&self.identity.ca_pem),
            }}],
            "users": [{"name": "it", "user": {
                "client-certificate-data": encode(&self.identity.cert_pem),
                "client-key-data": encode(&self.identity.key_pem),
            }}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        });
        std::fs::write(path, config.to_string()).expect("a kubeconfig can be written");
    }
}

/// The element of a list of named things.
fn named<'a>(config: &'a Value, list: &str, name: &Value) -> &'a Value {
    let elements = config[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = elements.iter().find(|element| element["name"] == *name);
    found.unwrap_or_else(|| panic!("the kubeconfig has no {name} in {list}"))
}

fn pem(of: &Value, field: &str) -> String {
    if let Some(data) = of[format!("{field}-data")].as_str() {
        let bytes = STANDARD.decode(data).expect("data in a kubeconfig is base64");
        return String::from_utf8(bytes).expect("PEM is text");
    }
    let path = of[field].as_str().unwrap_or_else(|| panic!("the kubeconfig has no {field}"));
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}
