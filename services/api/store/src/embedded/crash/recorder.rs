//! A disk in memory that remembers every write and every sync.

use fastrand::Rng;
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Something done to the disk.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
    Sync,
}

/// The disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    image: Vec<u8>,
    /// What was on the disk when recording began.
    base: Vec<u8>,
    events: Vec<Event>,
    is_broken: bool,
}

// === impl Event ===

impl Event {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => {
                image.resize(image.len().max(offset + data.len()), 0);
                image[*offset..offset + data.len()].copy_from_slice(data);
            }
            Self::SetLen(len) => image.resize(*len, 0),
            Self::Sync => (),
        }
    }

    /// A random part of the sectors of a write; anything else is not divisible.
    fn apply_torn(&self, image: &mut Vec<u8>, rng: &mut Rng) {
        let Self::Write { offset, data } = self else {
            return;
        };
        for (n, sector) in data.chunks(SECTOR).enumerate().filter(|_| rng.bool()) {
            Self::Write { offset: offset + n * SECTOR, data: sector.to_vec() }.apply(image);
        }
    }
}

// === impl Recorder ===

impl Recorder {
    /// A disk with something on it.
    fn with(image: Vec<u8>) -> Self {
        Self { disk: Arc::new(Mutex::new(Disk { base: image.clone(), image, ..Disk::default() })) }
    }

    /// How many events [`Recorder::events`] would return.
    pub(super) fn recorded(&self) -> usize {
        1 + self.lock().events.len()
    }

    /// What has been recorded; the first event puts on the disk what was there at the beginning.
    pub(super) fn events(&self) -> Vec<Event> {
        let disk = self.lock();
        let base = Event::Write { offset: 0, data: disk.base.clone() };
        [base].into_iter().chain(disk.events.iter().cloned()).collect()
    }

    /// Begins recording anew, on what is there now.
    pub(super) fn forget(&self) {
        let mut disk = self.lock();
        disk.base = disk.image.clone();
        disk.events.clear();
    }

    /// From now on no sync succeeds.
    pub(super) fn break_down(&self) {
        self.lock().is_broken = true;
    }

    pub(super) fn image(&self) -> Vec<u8> {
        self.lock().image.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }
}

impl StorageBackend for Recorder {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.lock();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let found = disk.image.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.record(Event::SetLen(usize::try_from(len).map_err(io::Error::other)?));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.lock().is_broken {
            return Err(io::Error::other("the disk is broken"));
        }
        self.record(Event::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.record(Event::Write { offset, data: data.to_vec() });
        Ok(())
    }
}

impl Recorder {
    fn record(&self, event: Event) {
        let mut disk = self.lock();
        event.apply(&mut disk.image);
        disk.events.push(event);
    }
}

/// The positions of the syncs.
pub(super) fn syncs(events: &[Event]) -> Vec<usize> {
    (0..events.len()).filter(|event| matches!(events[*event], Event::Sync)).collect()
}

/// The disk after a power cut between two syncs: everything up to `synced`, and of what follows up to `next`
/// something, chosen in one of six ways.
pub(super) fn after_power_cut(
    events: &[Event],
    synced: usize,
    next: usize,
    way: usize,
    rng: &mut Rng,
) -> Recorder {
    after_power_cut_of(Vec::new(), events, synced, next, way, rng)
}

/// The same for a disk that began as `image`.
pub(super) fn after_power_cut_of(
    mut image: Vec<u8>,
    events: &[Event],
    synced: usize,
    next: usize,
    way: usize,
    rng: &mut Rng,
) -> Recorder {
    events[..synced].iter().for_each(|event| event.apply(&mut image));
    let open = &events[synced..next];
    let prefix = &open[..rng.usize(..=open.len())];
    match way {
        // Nothing, everything, a prefix,
        0 => (),
        1 => open.iter().for_each(|event| event.apply(&mut image)),
        2 => prefix.iter().for_each(|event| event.apply(&mut image)),
        // a prefix of which the last write is torn,
        3 => {
            if let Some((last, whole)) = prefix.split_last() {
                whole.iter().for_each(|event| event.apply(&mut image));
                last.apply_torn(&mut image, rng);
            }
        }
        // any of them, and any of them with one torn.
        4 => open.iter().filter(|_| rng.bool()).for_each(|event| event.apply(&mut image)),
        _ => {
            let torn = rng.usize(..=open.len());
            for (n, event) in open.iter().enumerate() {
                match n {
                    n if n == torn => event.apply_torn(&mut image, rng),
                    _ if rng.bool() => event.apply(&mut image),
                    _ => (),
                }
            }
        }
    }
    Recorder::with(image)
}
