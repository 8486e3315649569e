//! What is tested: a server of the v1 API, and an administrator's way into it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::kubeconfig::Kubeconfig;

/// A server of the v1 API, and an administrator's way into it.
#[derive(Debug)]
pub struct Target {
    kubeconfig: PathBuf,
    server: String,
    grpc: Option<String>,
    kubelets: Vec<String>,
    files: TempDir,
}

// === impl Target ===

impl Target {
    /// The target of a kubeconfig. `grpc` is where the gRPC services listen, as `host:port`, and `kubelets`
    /// where the kubelets do; a server that is not Keelson's has none.
    ///
    /// # Panics
    /// If the kubeconfig cannot be read.
    #[track_caller]
    pub fn new(kubeconfig: &Path, grpc: Option<String>, kubelets: Vec<String>) -> Self {
        let Kubeconfig { server, identity } = Kubeconfig::read(kubeconfig);
        let files = tempfile::tempdir().expect("a temporary directory");
        let write = |name: &str, pem: &str| {
            std::fs::write(files.path().join(name), pem).expect("a file can be written")
        };
        write("ca.crt", &identity.ca_pem);
        write("admin.crt", &identity.cert_pem);
        write("admin.key", &identity.key_pem);
        Self { kubeconfig: kubeconfig.to_path_buf(), server, grpc, kubelets, files }
    }

    /// The target that `KEELSON_TARGET` (a kubeconfig) and `KEELSON_TARGET_GRPC` (host:port) name.
    pub fn from_env() -> Option<Self> {
        let kubeconfig = std::env::var_os("KEELSON_TARGET")?;
        Some(Self::new(Path::new(&kubeconfig), std::env::var("KEELSON_TARGET_GRPC").ok(), Vec::new()))
    }

    /// The kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The gateway, as `https://host:port`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Where the gRPC services listen.
    ///
    /// # Panics
    /// If the target has none.
    #[track_caller]
    pub fn grpc(&self) -> &str {
        self.grpc.as_deref().expect("the target has no gRPC services; name them with KEELSON_TARGET_GRPC")
    }

    /// Where the kubelets listen.
    pub fn kubelets(&self) -> &[String] {
        &self.kubelets
    }

    /// The authority's certificate, as a PEM file.
    pub fn ca(&self) -> PathBuf {
        self.files.path().join("ca.crt")
    }

    /// The administrator's certificate, as a PEM file.
    pub fn certificate(&self) -> PathBuf {
        self.files.path().join("admin.crt")
    }

    /// Its key, as a PEM file.
    pub fn key(&self) -> PathBuf {
        self.files.path().join("admin.key")
    }
}
