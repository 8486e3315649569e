//! The `keelson` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use keelson_base_daemon::flags::{LogFlags, normalize_args};
use keelson_base_daemon::telemetry;
use keelson_standalone::{UpArgs, up};

/// Kubernetes 1.0 as a suite of gRPC services, in one process.
#[derive(Parser)]
#[command(name = "keelson", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    log: LogFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a whole cluster on this machine, in this process.
    Up(Box<UpArgs>),
}

fn main() -> ExitCode {
    let cli = Cli::parse_from(normalize_args(std::env::args_os()));
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keelson: {}", in_one_sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, each said once: some say their cause themselves.
fn in_one_sentence(error: &anyhow::Error) -> String {
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence.push_str(": ");
            sentence.push_str(&cause);
        }
    }
    sentence
}

fn run(cli: Cli) -> anyhow::Result<()> {
    telemetry::init(&cli.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.command {
        Command::Up(args) => runtime.block_on(up(*args)),
    }
}
