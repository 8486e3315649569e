//! What one run is told, and where it works.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use tempfile::TempDir;

use crate::cluster::Shape;
use crate::etcd::EtcdProcess;
use crate::sections::Section;
use crate::store::StoreKind;

/// How fast a cluster is, next to what it stands on.
#[derive(Debug, clap::Parser)]
#[command(name = "keelson-bench", max_term_width = 100)]
pub(crate) struct Args {
    /// What to measure [default: everything].
    sections: Vec<Section>,
    /// Smaller numbers and shorter times: to see that it works, not to quote.
    #[arg(long)]
    quick: bool,
    /// Also measure creates, latency, list, watch and idle with each service in a process of its own.
    #[arg(long)]
    processes: bool,
    /// What keeps the state where creates are measured; repeatable [default: embedded, and etcd if it is installed].
    #[arg(long)]
    store: Vec<StoreKind>,
    /// The binary to measure [default: `keelson` beside this one].
    #[arg(long)]
    keelson: Option<PathBuf>,
    /// Where clusters, stores and etcd keep their data meanwhile [default: beside this binary].
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// One run.
#[derive(Debug)]
pub(crate) struct Bench {
    /// The binary under test.
    pub(crate) keelson: PathBuf,
    /// What keeps the state where creates are measured.
    pub(crate) stores: Vec<StoreKind>,
    /// How the services run where that makes a difference.
    pub(crate) shapes: Vec<Shape>,
    quick: bool,
    dir: TempDir,
}

// === impl Args ===

impl Args {
    /// What to measure, in the order asked for.
    pub(crate) fn sections(&self) -> &[Section] {
        if self.sections.is_empty() { Section::value_variants() } else { &self.sections }
    }
}

// === impl Bench ===

impl Bench {
    /// A run with a directory of its own, which goes away with it.
    pub(crate) fn new(args: &Args) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot tell where this program is")?;
        let beside = own.parent().context("this program is in no directory")?;
        let keelson = args.keelson.clone().unwrap_or_else(|| beside.join("keelson"));
        ensure!(
            keelson.is_file(),
            "there is no {}; build it (cargo build -p keelson-standalone), or name it with --keelson",
            keelson.display()
        );
        let dir = args.dir.as_deref().unwrap_or(beside);
        let dir = tempfile::Builder::new().prefix("keelson-bench-").tempdir_in(dir);
        let stores = if !args.store.is_empty() {
            args.store.clone()
        } else if EtcdProcess::is_installed() {
            vec![StoreKind::Embedded, StoreKind::Etcd]
        } else {
            vec![StoreKind::Embedded]
        };
        let shapes = if args.processes { vec![Shape::Together, Shape::Apart] } else { vec![Shape::Together] };
        let dir = dir.context("cannot make a directory to work in; name another with --dir")?;
        Ok(Self { keelson, stores, shapes, quick: args.quick, dir })
    }

    /// Says what is measured, and on what.
    pub(crate) fn introduce(&self) {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let build =
            if cfg!(debug_assertions) { "a DEBUG build: not to be quoted" } else { "a release build" };
        println!("{} ({build}); {cores} cores", self.keelson.display());
        if self.quick {
            println!("--quick: small numbers, not to be quoted");
        }
    }

    /// How much of something to do.
    pub(crate) fn size<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// A path below the run's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}
