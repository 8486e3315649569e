//! Flags that every service has, as groups to `#[command(flatten)]`.

mod env;
mod tls;
mod trace;

pub use self::env::with_environment;
pub use self::tls::TlsFlags;
pub use self::trace::TraceFlags;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

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

/// Where a service listens. Services that have a port of their own say so with
/// `#[command(mut_arg("listen", |arg| arg.default_value("0.0.0.0:443")))]`.
#[derive(Clone, Debug, clap::Args)]
pub struct ListenFlags {
    /// Address and port to listen on; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:0")]
    pub listen: SocketAddr,
}

/// Where health and metrics are served.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AdminFlags {
    /// Address and port of /healthz, /livez, /readyz and /metrics in plain HTTP; without it they are on the main
    /// port only.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub admin_address: Option<SocketAddr>,
}

// === impl LogFlags ===

impl Default for LogFlags {
    fn default() -> Self {
        Self { log: "warn".to_owned(), log_format: LogFormat::Text }
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
    #[command(mut_arg("listen", |arg| arg.default_value("0.0.0.0:443")))]
    struct Flags {
        #[command(flatten)]
        log: LogFlags,
        #[command(flatten)]
        listen: ListenFlags,
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
        assert_eq!(flags.listen.listen, "127.0.0.1:0".parse().unwrap());
        assert_eq!(flags.admin.admin_address, Some("[::1]:8080".parse().unwrap()));
        assert_eq!(Flags::parse_from(["x"]).listen.listen, "0.0.0.0:443".parse().unwrap());
    }
}
