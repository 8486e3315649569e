//! Ports that stay free while the process that had them is away.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below those that the kernel gives to outgoing connections, one of which would hold a port that is wanted again, and
/// below node ports.
const FIRST: u16 = 20_000;
const LAST: u16 = 29_999;

static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port on which nobody listens, and which this process has not handed out before.
///
/// # Panics
/// If there is none.
#[track_caller]
pub(crate) fn free() -> u16 {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut tries = std::iter::repeat_with(|| fastrand::u16(FIRST..=LAST)).take(1000);
    let port = tries.find(|port| !taken.contains(port) && free(port)).expect("a free port");
    taken.insert(port);
    port
}
