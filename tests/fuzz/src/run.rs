//! Running a target on its corpus, and on what comes of that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::corpus::Corpus;
use crate::mutate::mutated;
use crate::targets::Target;

/// The longest that a parser may take on one input. Inputs are small; a debug build is slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most inputs that are mutated further besides the corpus itself.
const POPULATION: usize = 512;

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// How many inputs were tried.
    pub tried: u64,
    /// What broke, if something did; the run ends there.
    pub failure: Option<Failure>,
}

/// An input that broke a target.
#[derive(Debug)]
pub struct Failure {
    /// The input.
    pub input: Vec<u8>,
    /// What the target said.
    pub why: String,
}

/// Tries the whole corpus, then mutations of it, for as long as `time`.
pub fn run(target: &Target, corpus: &Corpus, seed: u64, time: Duration) -> Outcome {
    let mut tried = 0;
    let begun = Instant::now();
    for input in &corpus.0 {
        tried += 1;
        if let Some(why) = broken(target, input) {
            return Outcome { tried, failure: Some(Failure { input: input.clone(), why }) };
        }
    }
    let mut rng = Rng::with_seed(seed);
    let mut population = corpus.0.clone();
    while begun.elapsed() < time {
        let (Some(one), Some(other)) = (rng.choice(&population), rng.choice(&population)) else { break };
        let input = mutated(&mut rng.clone(), one, other);
        // The clone leaves the generator where it was: it must go on.
        rng.u64(..);
        tried += 1;
        if let Some(why) = broken(target, &input) {
            return Outcome { tried, failure: Some(Failure { input, why }) };
        }
        if population.len() < corpus.0.len() + POPULATION {
            population.push(input);
        } else {
            let place = rng.usize(corpus.0.len()..population.len());
            population[place] = input;
        }
    }
    Outcome { tried, failure: None }
}

/// Why the target broke on an input; `None` if it did not.
fn broken(target: &Target, input: &[u8]) -> Option<String> {
    let begun = Instant::now();
    let survived = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    match survived {
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(text.unwrap_or_else(|| "it panicked".to_owned()))
        }
        Ok(()) if begun.elapsed() > PATIENCE => Some(format!("it took {:?}", begun.elapsed())),
        Ok(()) => None,
    }
}
