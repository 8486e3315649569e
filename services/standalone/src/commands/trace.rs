//! `keelson trace`: a trace drawn in the terminal.

use std::io::{self, Write as _};

use anyhow::{Context as _, bail, ensure};
use keelson_trace_sink::SinkClient;
use keelson_trace_sink::span::{PodName, Trace};
use keelson_trace_sink::text::{self, Look};

/// The width of a line where it is not known.
const WIDTH: usize = 160;

/// The flags of `keelson trace`.
#[derive(Clone, Debug, clap::Args)]
pub struct TraceArgs {
    /// Which trace: the latest of `pod/NAME`, or one by its id; without it, all are listed.
    #[arg(value_name = "pod/NAME | ID")]
    what: Option<String>,
    /// The pod's namespace.
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
    /// The page port of the trace sink.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4318")]
    sink: String,
    /// List the traces instead of drawing the latest.
    #[arg(long)]
    list: bool,
    /// Show the attributes of every span.
    #[arg(long)]
    attributes: bool,
    /// Cells of a line [default: the terminal's].
    #[arg(long, value_name = "CELLS")]
    width: Option<usize>,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum What {
    All,
    Pod(PodName),
    Id(String),
}

/// Prints a trace, or a list of traces.
///
/// # Errors
/// If no sink answers, or it has no such trace.
pub async fn trace(args: TraceArgs) -> anyhow::Result<()> {
    let client = SinkClient::new(&args.sink)?;
    let what = args.what()?;
    let text = match &what {
        What::Id(id) => {
            let trace = client.trace(id).await?;
            args.draw(&trace.with_context(|| format!("the sink has no trace {id}"))?)
        }
        What::All => text::list(&client.list(None).await?),
        What::Pod(pod) => {
            let found = client.list(Some(pod)).await?;
            let Some(latest) = found.first() else {
                bail!("the sink has no trace of pod {pod}: are the services started with --otlp-endpoint?");
            };
            match args.list {
                true => text::list(&found),
                false => {
                    let trace = client.trace(&latest.id).await?;
                    args.draw(
                        &trace.with_context(|| format!("the sink has just forgotten trace {}", latest.id))?,
                    )
                }
            }
        }
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the trace"),
    }
}

// === impl TraceArgs ===

impl TraceArgs {
    fn what(&self) -> anyhow::Result<What> {
        let Some(what) = &self.what else { return Ok(What::All) };
        let name = ["pod/", "pods/", "po/"].iter().find_map(|prefix| what.strip_prefix(prefix));
        if let Some(name) = name {
            let of_objects = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
            for part in [name, &self.namespace] {
                ensure!(!part.is_empty() && part.chars().all(of_objects), "{part:?} cannot be a name");
            }
            return Ok(What::Pod(PodName { namespace: self.namespace.clone(), name: name.to_owned() }));
        }
        let is_id = what.len() == 32 && what.chars().all(|c| c.is_ascii_hexdigit());
        ensure!(is_id, "{what:?} is neither pod/NAME nor the id of a trace");
        Ok(What::Id(what.to_lowercase()))
    }

    fn draw(&self, trace: &Trace) -> String {
        text::trace(
            trace,
            Look { width: self.width.unwrap_or_else(terminal_width), attributes: self.attributes },
        )
    }
}

/// The width of the terminal, if there is one.
fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        trace: TraceArgs,
    }

    fn what(words: &[&str]) -> anyhow::Result<What> {
        Cli::try_parse_from(["x"].iter().chain(words)).unwrap().trace.what()
    }

    #[test]
    fn a_trace_is_asked_for_by_its_pod_or_its_id() {
        let pod = |namespace: &str| What::Pod(PodName { namespace: namespace.into(), name: "web".into() });
        assert_eq!(what(&[]).unwrap(), What::All);
        assert_eq!(what(&["pod/web"]).unwrap(), pod("default"));
        assert_eq!(what(&["po/web", "-n", "team"]).unwrap(), pod("team"));
        let id = "4BF92F3577B34DA6A3CE929D0E0E4736";
        assert_eq!(what(&[id]).unwrap(), What::Id(id.to_lowercase()));
        for bad in ["web", "pod/", "pod/../x", "rc/web", "4bf9", "pod/a?b"] {
            assert!(what(&[bad]).is_err(), "{bad}");
        }
    }
}
