//! The suites: what users do, against a whole cluster. One program, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    reason = "everything here is a test"
)]

mod access;
mod bad_input;
mod chart;
mod compose;
mod crash;
mod faults;
mod grpcurl;
mod kubectl;
mod kubectl_docker;
mod kubelet_life;
mod kubelet_streams;
mod kubelet_volumes;
mod loss;
mod loss_docker;
mod pki;
mod processes;
mod prometheus;
mod python;
mod readme;
mod rest;
mod streams;
mod trace;
mod up;
