//! How fast a cluster is, next to what it stands on: every figure with the limit that was measured beside it, in
//! the same run on the same machine.
//!
//! `cargo build --release -p keelson-standalone -p keelson-tests-bench && target/release/keelson-bench [SECTION…]`
//!
//! The cluster is `keelson up` in a process of its own, as users run it; clients and raw commits are in this one, so
//! that `/proc` tells their work apart.

mod bare_tls;
mod bench;
mod cluster;
mod etcd;
mod https;
mod latencies;
mod load;
mod pod;
mod process;
mod report;
mod sections;
mod store;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use crate::bench::{Args, Bench};

/// As in the binary under test, parts of which run in this process too.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keelson-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let bench = Bench::new(&args)?;
    bench.introduce();
    for section in args.sections() {
        section.run(&bench).await?;
    }
    Ok(())
}
