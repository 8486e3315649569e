//! Network interfaces, as /proc/net/dev tells of them. Pure.

use crate::runtime::Interface;

/// The interfaces of /proc/pid/net/dev, the loopback left out.
pub(super) fn interfaces(text: &str) -> Vec<Interface> {
    text.lines().filter_map(interface).filter(|interface| interface.name != "lo").collect()
}

/// `eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs …`.
fn interface(line: &str) -> Option<Interface> {
    let (name, counters) = line.split_once(':')?;
    let counters: Vec<u64> = counters.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [received, _, receive_errors, _, _, _, _, _, sent, _, send_errors, ..] = counters[..] else {
        return None;
    };
    Some(Interface { name: name.trim().to_owned(), received, receive_errors, sent, send_errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_read_without_the_loopback() {
        let text = "Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop\n    \
            lo:  100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n  \
            eth0: 2048 9 1 0 0 0 0 0 4096 8 2 0 0 0 0 0\n \
            broken: 1 2\n";
        let eth0 = Interface {
            name: "eth0".to_owned(),
            received: 2048,
            receive_errors: 1,
            sent: 4096,
            send_errors: 2,
        };
        assert_eq!(interfaces(text), [eth0]);
        assert_eq!(interfaces(""), []);
    }
}
