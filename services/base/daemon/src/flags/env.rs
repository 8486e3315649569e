//! Environment variables for all flags.

use clap::Command;

/// Gives every flag of a command and of its subcommands an environment variable, unless one was named where the flag is
/// defined: `<PREFIX>_` and the flag's name in capitals, with underscores for dashes.
#[must_use]
pub fn with_environment(command: Command, prefix: &'static str) -> Command {
    let command = command.mut_args(|arg| match arg.get_long() {
        Some(long) if arg.get_env().is_none() => {
            let variable = format!("{prefix}_{}", long.to_uppercase().replace('-', "_"));
            arg.env(variable)
        }
        _ => arg,
    });
    command.mut_subcommands(|subcommand| with_environment(subcommand, prefix))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[arg(long)]
        pki_dir: Option<String>,
        #[arg(long, env = "DOCKER_HOST")]
        docker_host: Option<String>,
        #[command(subcommand)]
        command: Option<Sub>,
    }

    #[derive(clap::Subcommand)]
    enum Sub {
        Serve {
            #[arg(long)]
            listen: Option<String>,
            file: Option<String>,
        },
    }

    fn variables(command: &Command) -> Vec<String> {
        let of = |arg: &clap::Arg| arg.get_env().map(|name| name.to_string_lossy().into_owned());
        command.get_arguments().filter_map(of).collect()
    }

    #[test]
    fn every_flag_gets_a_variable_and_those_that_have_one_keep_it() {
        let command = with_environment(Cli::command(), "KEELSON");
        assert_eq!(variables(&command), ["KEELSON_PKI_DIR", "DOCKER_HOST"]);
        let serve = command.find_subcommand("serve").unwrap();
        assert_eq!(variables(serve), ["KEELSON_LISTEN"], "a positional argument has none");
    }
}
