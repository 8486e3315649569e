//! Where log lines go: to stderr, one per event, as text for people or JSON for machines.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

use crate::flags::{LogFlags, LogFormat};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// `--log` or `RUST_LOG` cannot be read.
    #[error("--log {filter:?} is not a log filter such as `info` or `info,keelson_api=debug`")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Somebody else set the process's subscriber before.
    #[error("logging is already set up in this process")]
    AlreadySet(#[source] TryInitError),
}

/// Sends `tracing` events to stderr. Once per process, by `main`.
pub fn init(flags: &LogFlags) -> Result<(), InitError> {
    use tracing_subscriber::util::SubscriberInitExt as _;

    let builder = tracing_subscriber::fmt().with_env_filter(filter(&flags.log)?).with_writer(io::stderr);
    match flags.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).compact().finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .map_err(InitError::AlreadySet)
}

fn filter(text: &str) -> Result<EnvFilter, InitError> {
    EnvFilter::try_new(text).map_err(|source| InitError::Filter { filter: text.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_table() {
        for good in ["info", "warn,keelson_api=debug", "off", ""] {
            assert!(filter(good).is_ok(), "{good}");
        }
        let error = filter("keelson_api=loud").unwrap_err();
        assert!(error.to_string().starts_with("--log \"keelson_api=loud\" is not a log filter"), "{error}");
    }
}
