//! What `iptables-restore` is told. Pure.
//!
//! A frontend is a rule that jumps to its port's chain, which takes every n-th connection for each backend. With affinity
//! each backend has a chain that remembers its clients, and the port's chain looks there first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddrV4;

use super::{Settings, saved};
use crate::kernel::forward::{self, Anchor};
use crate::table::{Answer, Diff, Frontend, FrontendChange, PortChange, ServicePort, Table, diff};

/// Chains of `nat`: translation of service addresses, of node ports, and of the way back.
const SERVICES: &str = "SERVICES";
const NODE_PORTS: &str = "NODEPORTS";
const MASQUERADE: &str = "MASQ";
/// Chains of `filter`: refusals by service address, refusals by node port, and the way past Docker.
const REFUSE: &str = "REFUSE";
const INPUT: &str = "INPUT";
const FORWARD: &str = forward::CHAIN;

/// Lines for the two tables.
struct Script<'a> {
    settings: &'a Settings,
    nat: String,
    filter: String,
}

/// Replaces all chains of the instance, given what `iptables-save` tells of the two tables.
pub(super) fn all(settings: &Settings, new: &Table, nat: &str, filter: &str) -> String {
    let mut script = Script { settings, nat: String::new(), filter: String::new() };
    script.frame();
    script.jumps(nat, filter);
    let diff = diff(&Table::default(), new);
    script.apply(&diff);
    script.forward(new);
    let fixed = [SERVICES, NODE_PORTS, MASQUERADE].map(|noun| settings.instance.chain(noun));
    let wanted: BTreeSet<_> =
        new.ports().flat_map(|port| script.chains(Some(port)).into_keys()).chain(fixed).collect();
    let stale: Vec<_> =
        saved::chains(&settings.instance, nat).filter(|chain| !wanted.contains(*chain)).collect();
    script.nat += &saved::deletion(&stale);
    script.finish()
}

/// Changes just what differs; empty if nothing does.
pub(super) fn changes(settings: &Settings, diff: &Diff, new: &Table) -> String {
    let mut script = Script { settings, nat: String::new(), filter: String::new() };
    script.apply(diff);
    if diff.frontends.iter().any(|change| change.frontend.address.is_none()) {
        script.filter += &format!(":{} - [0:0]\n", settings.instance.chain(FORWARD));
        script.forward(new);
    }
    script.finish()
}

/// Makes, and unmakes, a chain with the rules that real ones consist of.
pub(super) fn probe(settings: &Settings) -> (String, String) {
    let chain = settings.instance.chain("PROBE");
    let make = format!(
        "*nat\n:{chain} - [0:0]\n\
         -A {chain} -m addrtype --dst-type LOCAL -m comment --comment probe -j RETURN\n\
         -A {chain} -m recent --name {chain} --rcheck --seconds 1 --reap --rsource -j RETURN\n\
         -A {chain} -p tcp -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 192.0.2.1:80\n\
         -A {chain} -m conntrack --ctstate DNAT -j RETURN\nCOMMIT\n"
    );
    (make, format!("*nat\n-F {chain}\n-X {chain}\nCOMMIT\n"))
}

// === impl Script ===

impl Script<'_> {
    fn chain(&self, noun: &str) -> String {
        self.settings.instance.chain(noun)
    }

    /// The fixed chains and their fixed rules. Naming a chain empties it.
    fn frame(&mut self) {
        let [services, nodes, back] = [SERVICES, NODE_PORTS, MASQUERADE].map(|noun| self.chain(noun));
        let [refuse, input, forward] = [REFUSE, INPUT, FORWARD].map(|noun| self.chain(noun));
        let range = self.settings.service_cidr;
        let pods = &self.settings.pod_cidrs;
        let nat = &mut self.nat;
        let _ = writeln!(nat, ":{services} - [0:0]\n:{nodes} - [0:0]\n:{back} - [0:0]");
        let _ = writeln!(nat, "-A {services} -m addrtype --dst-type LOCAL -j {nodes}");
        let _ = writeln!(nat, "-A {back} -m conntrack ! --ctstate DNAT -j RETURN");
        for (from, to) in pods.iter().flat_map(|from| pods.iter().map(move |to| (from, to))) {
            let _ =
                writeln!(nat, "-A {back} -s {from} -d {to} -m conntrack --ctorigdst {range} -j MASQUERADE");
        }
        let _ = writeln!(nat, "-A {back} -m conntrack --ctorigdst {range} -j RETURN");
        let filter = &mut self.filter;
        let _ = writeln!(filter, ":{refuse} - [0:0]\n:{input} - [0:0]\n:{forward} - [0:0]");
        // Cluster DNS answers at an address of this host.
        let _ = writeln!(filter, "-A {refuse} -d {range} -m addrtype --dst-type LOCAL -j RETURN");
        let _ = writeln!(filter, "-A {refuse} -d {range} -p tcp -j REJECT --reject-with tcp-reset");
        let _ = writeln!(filter, "-A {refuse} -d {range} -j REJECT --reject-with icmp-port-unreachable");
        let outside = "! -i lo -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED";
        let _ = writeln!(filter, "-A {input} {outside} -j DROP");
    }

    /// The jumps from the kernel's chains.
    fn jumps(&mut self, nat: &str, filter: &str) {
        let jump = |saved, from, noun| saved::jump(self.settings, saved, from, noun);
        let from_nat = [("PREROUTING", SERVICES), ("OUTPUT", SERVICES), ("POSTROUTING", MASQUERADE)];
        let from_nat: String = from_nat.iter().map(|(from, noun)| jump(nat, from, noun)).collect();
        let anchor = Anchor::find(filter).unwrap_or(Anchor::Forward).chain();
        let from_filter = [("INPUT", INPUT), ("OUTPUT", REFUSE), (anchor, FORWARD)];
        let from_filter: String = from_filter.iter().map(|(from, noun)| jump(filter, from, noun)).collect();
        self.nat += &from_nat;
        self.filter += &from_filter;
    }

    /// Fills the chain that was emptied before.
    fn forward(&mut self, new: &Table) {
        let (forward, refuse) = (self.chain(FORWARD), self.chain(REFUSE));
        let _ = writeln!(self.filter, "-A {forward} -j {refuse}");
        self.filter += &forward::accepts(self.settings, new);
    }

    fn apply(&mut self, diff: &Diff) {
        diff.frontends.iter().for_each(|change| self.withdraw(change));
        diff.ports.iter().for_each(|change| self.write(change));
        diff.frontends.iter().for_each(|change| self.announce(change));
        diff.ports.iter().for_each(|change| self.discard(change));
    }

    fn withdraw(&mut self, change: &FrontendChange) {
        if let Some(old) = &change.old {
            self.frontend("-D", change.frontend, old);
        }
    }

    fn announce(&mut self, change: &FrontendChange) {
        if let Some(new) = &change.new {
            self.frontend("-I", change.frontend, new);
        }
    }

    /// The same text deletes a rule that once inserted it.
    fn frontend(&mut self, verb: &str, frontend: Frontend, answer: &Answer) {
        let (protocol, port, owner) = (frontend.protocol.lowercase(), frontend.port, answer.owner());
        let to = format!("-p {protocol} -m {protocol} --dport {port}");
        let comment = format!("-m comment --comment \"{owner}\"");
        let target = self.settings.instance.chain_of('S', &owner.to_string());
        match (frontend.address, answer) {
            (Some(address), Answer::Served(_)) => {
                let services = self.chain(SERVICES);
                let _ = writeln!(self.nat, "{verb} {services} -d {address}/32 {to} {comment} -j {target}");
            }
            // Whatever in the range of services is not translated is refused anyway.
            (Some(_), Answer::Refused(_)) => {}
            (None, Answer::Served(_)) => {
                let (nodes, back) = (self.chain(NODE_PORTS), self.chain(MASQUERADE));
                let _ = writeln!(self.nat, "{verb} {nodes} {to} {comment} -j {target}");
                // After the rules for service addresses.
                let verb = if verb == "-I" { "-A" } else { verb };
                let original = format!("-m conntrack --ctorigdstport {port}");
                let _ = writeln!(self.nat, "{verb} {back} -p {protocol} {original} {comment} -j MASQUERADE");
            }
            (None, Answer::Refused(_)) => {
                let input = self.chain(INPUT);
                let reject = match frontend.protocol {
                    crate::table::Protocol::Tcp => "tcp-reset",
                    crate::table::Protocol::Udp => "icmp-port-unreachable",
                };
                let local = "-m addrtype --dst-type LOCAL";
                let _ = writeln!(
                    self.filter,
                    "{verb} {input} {to} {local} {comment} -j REJECT --reject-with {reject}"
                );
            }
        }
    }

    /// Replaces the chains of a port.
    fn write(&mut self, change: &PortChange) {
        let Some(new) = &change.new else { return };
        let chains = self.chains(Some(new));
        let declared = chains.keys().map(|chain| format!(":{chain} - [0:0]\n"));
        let filled = chains
            .iter()
            .flat_map(|(chain, rules)| rules.iter().map(move |rule| format!("-A {chain} {rule}\n")));
        self.nat.extend(declared.chain(filled));
    }

    /// Deletes the chains that a port no longer has.
    fn discard(&mut self, change: &PortChange) {
        let (old, new) = (self.chains(change.old.as_deref()), self.chains(change.new.as_deref()));
        let gone: Vec<_> = old.into_keys().filter(|chain| !new.contains_key(chain)).collect();
        self.nat += &saved::deletion(&gone);
    }

    /// The chains of a port and their rules.
    fn chains(&self, port: Option<&ServicePort>) -> BTreeMap<String, Vec<String>> {
        let Some(port) = port.filter(|port| !port.backends.is_empty()) else {
            return BTreeMap::new();
        };
        let service = self.settings.instance.chain_of('S', &port.id.to_string());
        let Some(seconds) = port.affinity else {
            return BTreeMap::from([(service, in_turn(port, |backend| translate(port, backend)))]);
        };
        let name = |backend| self.settings.instance.chain_of('B', &format!("{}/{backend}", port.id));
        let remembered = port.backends.iter().map(|backend| {
            let chain = name(*backend);
            format!("-m recent --name {chain} --rcheck --seconds {seconds} --reap --rsource -j {chain}")
        });
        let rules = remembered.chain(in_turn(port, |backend| format!("-j {}", name(backend)))).collect();
        let backends = port.backends.iter().map(|backend| {
            let chain = name(*backend);
            let rule = format!("-m recent --name {chain} --set --rsource {}", translate(port, *backend));
            (chain, vec![rule])
        });
        backends.chain([(service, rules)]).collect()
    }

    fn finish(self) -> String {
        let table = |name: &str, lines: &str| match lines {
            "" => String::new(),
            lines => format!("*{name}\n{lines}COMMIT\n"),
        };
        // Nothing is let in before it is translated.
        table("nat", &self.nat) + &table("filter", &self.filter)
    }
}

/// One rule per backend: of what gets to the first of n, every n-th; of the rest, every (n-1)-th; at last all.
fn in_turn(port: &ServicePort, target: impl Fn(SocketAddrV4) -> String) -> Vec<String> {
    let count = port.backends.len();
    let rule = |(index, backend): (usize, &SocketAddrV4)| match count - index {
        1 => target(*backend),
        left => format!("-m statistic --mode nth --every {left} --packet 0 {}", target(*backend)),
    };
    port.backends.iter().enumerate().map(rule).collect()
}

fn translate(port: &ServicePort, backend: SocketAddrV4) -> String {
    format!("-p {} -j DNAT --to-destination {backend}", port.id.protocol.lowercase())
}

#[cfg(test)]
mod tests;
