//! Runtimes and servers that do what a test says.

mod scripted;

#[cfg(test)]
pub(crate) mod fake_api;

pub use self::scripted::{Call, ScriptedRuntime};
