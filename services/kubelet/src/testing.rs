//! Runtimes that do what a test says.

mod scripted;

pub use self::scripted::{Call, ScriptedRuntime};
