//! Flags that every service has, as groups to `#[command(flatten)]`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use crate::tls::{Identity, TlsError};

/// What is logged, and how it looks.
#[derive(Clone, Debug, clap::Args)]
pub struct LogFlags {
    /// Log filter: a level, or levels per module (`info,keelson_api=debug`).
    #[arg(long, env = "RUST_LOG", default_value = "warn", value_name = "FILTER", global = true)]
    pub log: String,
    /// Form of log lines on stderr.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT", global = true)]
    pub log_format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One compact line for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Where a service listens.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ListenFlags {
    /// Address and port to listen on; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
}

/// Where health and metrics are served.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AdminFlags {
    /// Address and port of /healthz, /livez, /readyz and /metrics; without it they are only on the main port.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub admin_address: Option<SocketAddr>,
}

/// Certificates from files, for a service whose identity is issued elsewhere.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TlsFlags {
    /// PEM file with this process's certificate, followed by any intermediates.
    #[arg(long, value_name = "FILE", requires = "tls_private_key_file")]
    pub tls_cert_file: Option<PathBuf>,
    /// PEM file with the private key of --tls-cert-file.
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    pub tls_private_key_file: Option<PathBuf>,
    /// PEM file with the authorities that peers' certificates must come from.
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    pub client_ca_file: Option<PathBuf>,
}

// === impl LogFlags ===

impl Default for LogFlags {
    fn default() -> Self {
        Self { log: "warn".to_owned(), log_format: LogFormat::Text }
    }
}

// === impl TlsFlags ===

impl TlsFlags {
    /// Reads the named files; `None` if no certificate was named. Without `--client-ca-file` no peer is trusted.
    pub fn identity(&self) -> Result<Option<Identity>, TlsError> {
        let (Some(cert), Some(key)) = (&self.tls_cert_file, &self.tls_private_key_file) else {
            return Ok(None);
        };
        Identity::from_files(cert, key, self.client_ca_file.as_deref()).map(Some)
    }
}

/// Lets flags be spelled with underscores (`--max_pods=4`), as Kubernetes has allowed since 1.0.
///
/// Only the names of long flags change: not values, not the program's name, nothing after a bare `--`.
pub fn normalize_args(args: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut args_only = false;
    args.into_iter().enumerate().map(move |(position, arg)| {
        args_only |= arg == "--";
        if position == 0 || args_only || !arg.as_bytes().starts_with(b"--") {
            return arg;
        }
        let mut bytes = arg.into_vec();
        let name_len = bytes.iter().position(|&byte| byte == b'=').unwrap_or(bytes.len());
        for byte in &mut bytes[..name_len] {
            if *byte == b'_' {
                *byte = b'-';
            }
        }
        OsString::from_vec(bytes)
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        log: LogFlags,
        #[command(flatten)]
        listen: ListenFlags,
        #[command(flatten)]
        tls: TlsFlags,
        #[command(flatten)]
        admin: AdminFlags,
    }

    #[test]
    fn normalize_table() {
        let table: &[(&[&str], &[&str])] = &[
            (&["--a_b"], &["--a-b"]),
            (&["--a_b=c_d"], &["--a-b=c_d"]),
            (&["--a_b", "c_d"], &["--a-b", "c_d"]),
            (&["--a_b=c=--d_e"], &["--a-b=c=--d_e"]),
            (&["--a-b", "--"], &["--a-b", "--"]),
            (&["--a_b", "--", "--a_b"], &["--a-b", "--", "--a_b"]),
            (&["-a_b", "a_b", "_", "-"], &["-a_b", "a_b", "_", "-"]),
            (&["--=_"], &["--=_"]),
            (&["--ä_ö"], &["--ä-ö"]),
        ];
        for (given, expected) in table {
            let args = ["--my_program"].iter().chain(*given).map(OsString::from);
            let normal: Vec<_> = normalize_args(args).collect();
            assert_eq!(normal[0], "--my_program");
            assert_eq!(&normal[1..], *expected, "{given:?}");
        }
        let not_utf8 = OsString::from_vec(b"--a_\xff_b=\xfe_".to_vec());
        let normal: Vec<_> = normalize_args([OsString::new(), not_utf8]).collect();
        assert_eq!(normal[1].as_bytes(), b"--a-\xff-b=\xfe_");
    }

    #[test]
    fn groups_parse_together() {
        let args = ["x", "--log_format=json", "--listen", "127.0.0.1:0", "--admin_address=[::1]:8080"];
        let flags = Flags::parse_from(normalize_args(args.map(OsString::from)));
        assert_eq!(flags.log.log_format, LogFormat::Json);
        assert_eq!(flags.listen.listen, Some("127.0.0.1:0".parse().unwrap()));
        assert_eq!(flags.admin.admin_address, Some("[::1]:8080".parse().unwrap()));
        assert!(flags.tls.identity().unwrap().is_none());
        let half = Flags::try_parse_from(["x", "--tls-cert-file=a"]).unwrap_err().to_string();
        assert!(half.contains("--tls-private-key-file"), "{half}");
    }
}
