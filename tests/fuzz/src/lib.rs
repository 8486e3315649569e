//! Every parser against input that nobody wrote.
//!
//! A [`Target`] is a function of bytes that asserts what must hold whatever they are. Its corpus
//! (`corpus/<target>/`) are inputs worth beginning with, among them those that once broke it. [`run`] replays the corpus
//! and then mutates it: with one seed always in the same order, so that what fails in the tests fails again. For longer
//! runs by hand there is the `keelson-fuzz` binary.

mod corpus;
mod mutate;
mod run;
mod targets;

pub use self::corpus::{Corpus, keep};
pub use self::run::{Failure, Outcome, run};
pub use self::targets::{TARGETS, Target};
