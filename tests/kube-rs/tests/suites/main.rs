//! What operators do with kube-rs. One program, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    reason = "everything here is a test"
)]

mod discovery;
mod objects;
mod operators;
mod patches;
mod pods;
mod watching;
