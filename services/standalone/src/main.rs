//! The `keelson` command.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use keelson_base_daemon::flags::{LogFlags, normalize_args, with_environment};
use keelson_base_daemon::telemetry;
use keelson_standalone as keelson;
use mimalloc::MiMalloc;

/// Kubernetes 1.0 as a suite of gRPC services: each in a process of its own, or all in one.
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
    Up(Box<keelson::UpArgs>),
    /// Run api: the registries, the only door to state.
    Api(Box<keelson::ApiArgs>),
    /// Run the scheduler, which puts pods on nodes.
    Scheduler(Box<keelson::SchedulerArgs>),
    /// Run the control loops.
    Replication(Box<keelson::ReplicationArgs>),
    /// Run the service proxy, which makes services answer on this host.
    ServiceProxy(Box<keelson::ServiceProxyArgs>),
    /// Run the kubelet, which runs the pods of this node.
    Kubelet(Box<keelson::KubeletArgs>),
    /// Run the gateway: REST and JSON, for kubectl.
    Gateway(Box<keelson::GatewayArgs>),
    /// Remove from this host the containers and rules that stopped services have left.
    Cleanup(Box<keelson::CleanupArgs>),
    /// Take spans (OTLP) from services started with --otlp-endpoint, and show their traces.
    TraceSink(keelson::TraceSinkArgs),
    /// Draw the latest trace of a pod.
    Trace(keelson::TraceArgs),
    /// Make, renew or show the certificates of the services.
    Pki(Box<keelson::PkiArgs>),
}

/// Every request allocates some hundred times, on whichever thread it is: glibc's allocator took a quarter of a
/// create's instructions, and kept arenas per thread.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match run(Cli::read()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keelson: {}", in_one_sentence(&error));
            ExitCode::FAILURE
        }
    }
}

// === impl Cli ===

impl Cli {
    /// What the command line and the environment say; ends the process if they make no sense.
    fn read() -> Self {
        let matches = with_environment(Self::command(), "KEELSON")
            .get_matches_from(normalize_args(std::env::args_os()));
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
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
        Command::Up(args) => runtime.block_on(keelson::up(*args)),
        Command::Api(args) => runtime.block_on(keelson::api(*args)),
        Command::Scheduler(args) => runtime.block_on(keelson::scheduler(*args)),
        Command::Replication(args) => runtime.block_on(keelson::replication(*args)),
        Command::ServiceProxy(args) => runtime.block_on(keelson::service_proxy(*args)),
        Command::Kubelet(args) => runtime.block_on(keelson::kubelet(*args)),
        Command::Gateway(args) => runtime.block_on(keelson::gateway(*args)),
        Command::Cleanup(args) => runtime.block_on(keelson::cleanup(*args)),
        Command::TraceSink(args) => runtime.block_on(keelson::trace_sink(args)),
        Command::Trace(args) => runtime.block_on(keelson::trace(args)),
        Command::Pki(args) => keelson::pki(&args),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn every_flag(command: &clap::Command, found: &mut BTreeMap<String, Vec<String>>) {
        for arg in command.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg.get_env()))) {
            let variable = arg.1.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let variables = found.entry(arg.0.to_owned()).or_default();
            if !variables.contains(&variable) {
                variables.push(variable);
            }
        }
        command.get_subcommands().for_each(|subcommand| every_flag(subcommand, found));
    }

    #[test]
    fn every_flag_has_one_environment_variable_in_all_commands() {
        let command = with_environment(Cli::command(), "KEELSON");
        command.clone().debug_assert();
        let mut found = BTreeMap::new();
        every_flag(&command, &mut found);
        for (flag, variables) in &found {
            let usual = format!("KEELSON_{}", flag.to_uppercase().replace('-', "_"));
            let expected = match flag.as_str() {
                "log" => "RUST_LOG",
                "docker-host" => "DOCKER_HOST",
                "otlp-endpoint" => "OTEL_EXPORTER_OTLP_ENDPOINT",
                _ => &usual,
            };
            assert_eq!(variables, &[expected], "--{flag}");
        }
        assert!(found.contains_key("pki-dir") && found.contains_key("leader-elect"), "{found:?}");
    }

    #[test]
    fn each_service_has_its_port() {
        let command = Cli::command();
        for (name, port) in [
            ("api", 6450),
            ("gateway", 6443),
            ("kubelet", 10250),
            ("replication", 10257),
            ("scheduler", 10259),
            ("service-proxy", 10256),
        ] {
            let listen = command.find_subcommand(name).unwrap().get_arguments();
            let listen =
                listen.filter(|arg| arg.get_long() == Some("listen")).flat_map(clap::Arg::get_default_values);
            let defaults: Vec<_> = listen.map(|value| value.to_string_lossy().into_owned()).collect();
            assert_eq!(defaults, [format!("0.0.0.0:{port}")], "{name}");
        }
    }

    #[test]
    fn all_that_know_the_network_of_services_have_the_same_default() {
        let command = Cli::command();
        let mut defaults = Vec::new();
        for subcommand in command.get_subcommands() {
            let ranges =
                subcommand.get_arguments().filter(|arg| arg.get_long() == Some("service-cluster-ip-range"));
            defaults.extend(ranges.flat_map(|arg| arg.get_default_values().to_vec()));
        }
        assert!(defaults.len() >= 4 && defaults.iter().all(|value| value == "10.96.0.0/16"), "{defaults:?}");
    }
}
