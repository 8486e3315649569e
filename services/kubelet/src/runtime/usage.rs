//! What containers use, and the images that are there: what statistics and housekeeping ask of a runtime.

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::RuntimeError;

/// What a runtime knows beyond the life of containers.
pub trait Holdings: Send + Sync + 'static {
    /// What a running container uses at this moment.
    fn measure<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Measurement, RuntimeError>>;

    /// All images on this machine, whoever brought them.
    fn images(&self) -> BoxFuture<'_, Result<Vec<Image>, RuntimeError>>;

    /// Removes an image that no container uses, by its id and under all of its names. Gone already is a success.
    fn remove_image<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), RuntimeError>>;
}

/// What something uses, counted since its start. What cannot be known is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measurement {
    /// When it was read.
    pub time: Timestamp,
    /// Nanoseconds of processor time.
    pub cpu: Option<u64>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Bytes read from and written to disks.
    pub disk: Option<(u64, u64)>,
    /// Network interfaces, the loopback left out; those of the pod, whichever of its containers is asked.
    pub interfaces: Vec<Interface>,
}

/// Memory in use, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of it, file cache included.
    pub usage: u64,
    /// Without inactive file cache.
    pub working_set: u64,
    /// Anonymous memory.
    pub rss: u64,
    /// File cache.
    pub cache: u64,
    /// How much it may be; none is no limit.
    pub limit: Option<u64>,
    /// Page faults.
    pub faults: u64,
    /// Page faults that had to read from disk.
    pub major_faults: u64,
}

/// What a network interface has carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Bytes received.
    pub received: u64,
    /// Errors in receiving.
    pub receive_errors: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Errors in sending.
    pub send_errors: u64,
}

/// An image on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id (`sha256:…`).
    pub id: String,
    /// Its names, tags and repository digests.
    pub names: Vec<String>,
    /// Size in bytes.
    pub size: u64,
    /// When it was made.
    pub created_at: Timestamp,
}
