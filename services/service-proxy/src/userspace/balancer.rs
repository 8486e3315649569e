//! Which backend is next. No I/O.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddrV4};
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// How many clients are remembered before those whose time is over are looked for.
const CLIENTS: usize = 1024;

/// Chooses among the backends of one service port.
#[derive(Debug, Default)]
pub(super) struct Balancer {
    backends: Vec<SocketAddrV4>,
    next: usize,
    affinity: Option<Duration>,
    clients: HashMap<IpAddr, Client>,
    /// Remembered clients are tidied when there are as many as this.
    tidy_at: usize,
}

/// The backend of one client.
#[derive(Debug)]
struct Client {
    backend: SocketAddrV4,
    until: Instant,
}

// === impl Balancer ===

impl Balancer {
    /// Replaces the backends. Clients of a backend that stays are remembered.
    pub(super) fn set(&mut self, backends: &[SocketAddrV4], affinity: Option<NonZeroU32>) {
        let affinity = affinity.map(|seconds| Duration::from_secs(seconds.get().into()));
        if affinity != self.affinity {
            self.clients.clear();
            self.affinity = affinity;
        }
        if backends != self.backends {
            self.backends = backends.to_vec();
            self.next = 0;
            self.clients.retain(|_, client| backends.contains(&client.backend));
        }
    }

    /// The backends for a new connection of `client`, in the order in which to try them.
    pub(super) fn order(&mut self, client: IpAddr, now: Instant) -> Vec<SocketAddrV4> {
        if self.backends.is_empty() {
            return Vec::new();
        }
        let mut order = self.backends.clone();
        let remembered = self.clients.get(&client).filter(|client| now < client.until);
        let own = remembered.and_then(|client| order.iter().position(|backend| *backend == client.backend));
        let first = own.unwrap_or_else(|| {
            let turn = self.next % order.len();
            self.next = turn + 1;
            turn
        });
        order.rotate_left(first);
        order
    }

    /// `client` was connected to `backend`.
    pub(super) fn connected(&mut self, client: IpAddr, backend: SocketAddrV4, now: Instant) {
        let Some(affinity) = self.affinity else { return };
        if !self.backends.contains(&backend) {
            return;
        }
        self.clients.insert(client, Client { backend, until: now + affinity });
        if self.clients.len() >= self.tidy_at.max(CLIENTS) {
            self.clients.retain(|_, client| now < client.until);
            // Twice what is left, so that tidying costs little per connection.
            self.tidy_at = self.clients.len() * 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ALL: [&str; 3] = ["10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80"];

    fn mk_balancer(affinity: u32) -> Balancer {
        let mut balancer = Balancer::default();
        balancer.set(&addresses(&ALL), NonZeroU32::new(affinity));
        balancer
    }

    fn addresses(backends: &[&str]) -> Vec<SocketAddrV4> {
        backends.iter().map(|backend| backend.parse().unwrap()).collect()
    }

    fn client(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    /// One connection, which succeeds at the first backend.
    fn connect(balancer: &mut Balancer, client: IpAddr, now: Instant) -> String {
        let first = balancer.order(client, now)[0];
        balancer.connected(client, first, now);
        first.to_string()
    }

    #[test]
    fn without_affinity_backends_take_turns() {
        let (mut balancer, now) = (mk_balancer(0), Instant::now());
        let turns: Vec<_> = (0..6).map(|_| connect(&mut balancer, client(1), now)).collect();
        assert_eq!(turns, [ALL, ALL].concat());
        assert_eq!(balancer.order(client(1), now), addresses(&ALL));
        assert_eq!(balancer.order(client(1), now)[..2], addresses(&ALL)[1..], "the next is tried next");
        balancer.set(&[], None);
        assert_eq!(balancer.order(client(1), now), []);
    }

    #[test]
    fn affinity_lasts_from_the_last_connection() {
        let (mut balancer, start) = (mk_balancer(60), Instant::now());
        assert_eq!(connect(&mut balancer, client(1), start), ALL[0]);
        assert_eq!(connect(&mut balancer, client(2), start), ALL[1]);
        let later = start + Duration::from_secs(59);
        assert_eq!(connect(&mut balancer, client(1), later), ALL[0]);
        let end = start + Duration::from_secs(61);
        assert_eq!(connect(&mut balancer, client(1), end), ALL[0], "refreshed");
        assert_eq!(connect(&mut balancer, client(2), end), ALL[2], "its time is over");
    }

    #[test]
    fn affinity_ends_with_the_backend_and_follows_a_failure() {
        let (mut balancer, now) = (mk_balancer(60), Instant::now());
        connect(&mut balancer, client(1), now);
        connect(&mut balancer, client(2), now);
        balancer.set(&addresses(&ALL[1..]), NonZeroU32::new(60));
        assert_eq!(connect(&mut balancer, client(2), now), ALL[1], "stays");
        assert_eq!(connect(&mut balancer, client(1), now), ALL[1], "its backend is gone, the first in turn");
        let second = balancer.order(client(1), now)[1];
        balancer.connected(client(1), second, now);
        assert_eq!(connect(&mut balancer, client(1), now), ALL[2], "where it got to at last");
    }

    #[test]
    fn clients_whose_time_is_over_are_forgotten() {
        let (mut balancer, start) = (mk_balancer(1), Instant::now());
        for number in 0..10_000 {
            let now = start + Duration::from_millis(10 * u64::from(number));
            connect(&mut balancer, client(number), now);
        }
        assert!(balancer.clients.len() <= CLIENTS, "{}", balancer.clients.len());
    }
}
