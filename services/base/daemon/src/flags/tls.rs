//! Where a process finds its certificate, its key and the authorities it trusts.

use std::path::PathBuf;

use crate::tls::IdentityFiles;

/// A process's certificate, its key and the authorities it trusts: by the name of its identity in one directory, or
/// file by file.
#[derive(Clone, Debug, clap::Args)]
pub struct TlsFlags {
    /// Directory with ca.crt, and the .crt and .key files of this process, called after its identity.
    #[arg(long, value_name = "DIR", default_value = "/etc/keelson/pki")]
    pub pki_dir: PathBuf,
    /// PEM file with this process's certificate, followed by any intermediates, instead of the one in --pki-dir.
    #[arg(long, value_name = "FILE", requires = "tls_private_key_file")]
    pub tls_cert_file: Option<PathBuf>,
    /// PEM file with the private key of --tls-cert-file.
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    pub tls_private_key_file: Option<PathBuf>,
    /// PEM file with the authorities that peers' certificates must come from, instead of ca.crt in --pki-dir.
    #[arg(long, value_name = "FILE")]
    pub client_ca_file: Option<PathBuf>,
}

// === impl TlsFlags ===

impl TlsFlags {
    /// The files of the identity called `name`.
    pub fn files(&self, name: &str) -> IdentityFiles {
        // Joined as a whole rather than by extension: names may contain dots.
        let in_dir = |file: String| self.pki_dir.join(file);
        IdentityFiles {
            cert: self.tls_cert_file.clone().unwrap_or_else(|| in_dir(format!("{name}.crt"))),
            key: self.tls_private_key_file.clone().unwrap_or_else(|| in_dir(format!("{name}.key"))),
            ca: self.client_ca_file.clone().unwrap_or_else(|| in_dir("ca.crt".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        tls: TlsFlags,
    }

    fn flags(words: &[&str]) -> Result<TlsFlags, clap::Error> {
        Cli::try_parse_from(["x"].iter().chain(words)).map(|cli| cli.tls)
    }

    #[test]
    fn files_are_those_of_the_directory_unless_named() {
        let table: &[(&[&str], [&str; 3])] = &[
            (&[], ["/etc/keelson/pki/api.crt", "/etc/keelson/pki/api.key", "/etc/keelson/pki/ca.crt"]),
            (&["--pki-dir=/p"], ["/p/api.crt", "/p/api.key", "/p/ca.crt"]),
            (&["--pki-dir=/p", "--tls-cert-file=/c", "--tls-private-key-file=/k"], ["/c", "/k", "/p/ca.crt"]),
            (&["--pki-dir=/p", "--client-ca-file=/a"], ["/p/api.crt", "/p/api.key", "/a"]),
        ];
        for (words, expected) in table {
            let [cert, key, ca] = expected.map(PathBuf::from);
            let expected = IdentityFiles { cert, key, ca };
            assert_eq!(flags(words).unwrap().files("api"), expected, "{words:?}");
        }
        assert!(flags(&[]).unwrap().files("kubelet-a.b").cert.ends_with("kubelet-a.b.crt"));
        let half = flags(&["--tls-cert-file=a"]).unwrap_err().to_string();
        assert!(half.contains("--tls-private-key-file"), "{half}");
    }
}
