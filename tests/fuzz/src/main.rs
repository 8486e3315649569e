//! Fuzzing by hand, for as long as one likes: `keelson-fuzz --seconds 60 quantity`.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use keelson_tests_fuzz::{Corpus, TARGETS, keep, run};

/// Tries parsers with input that nobody wrote; one that breaks is kept in the corpus.
#[derive(Debug, Parser)]
struct Flags {
    /// How long each target is tried.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the random numbers begin; any, if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Which targets; all, if none is given.
    targets: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    if let Some(unknown) = flags.targets.iter().find(|name| TARGETS.iter().all(|target| target.name != *name))
    {
        bail!("there is no target {unknown}");
    }
    let seed = flags.seed.unwrap_or_else(|| fastrand::u64(..));
    let wanted = |name: &str| flags.targets.is_empty() || flags.targets.iter().any(|target| target == name);
    let mut broken = Vec::new();
    for target in TARGETS.iter().filter(|target| wanted(target.name)) {
        let corpus = Corpus::read(target.name).with_context(|| format!("the corpus of {}", target.name))?;
        let outcome = run(target, &corpus, seed, Duration::from_secs(flags.seconds));
        match outcome.failure {
            None => eprintln!("{}: {} inputs, seed {seed}", target.name, outcome.tried),
            Some(failure) => {
                let kept = keep(target.name, &failure.input)?;
                eprintln!("{}: {} ({})", target.name, failure.why, kept.display());
                broken.push(target.name);
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { bail!("broken: {}", broken.join(", ")) }
}
