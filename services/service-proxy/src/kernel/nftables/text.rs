//! What `nft` is told. Pure.
//!
//! A frontend is an element of a verdict map that leads to its port's chain, so a packet finds its service in constant
//! time. A port's chain translates to its backends in turn. With affinity each backend has a chain and a set of the
//! clients it served of late; the port's chain looks there first.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddrV4;

use super::Settings;
use crate::config::Cidr;
use crate::table::{Answer, Diff, Frontend, FrontendChange, PortChange, ServicePort, Table, diff};

/// How many clients a backend remembers.
const CLIENTS: u32 = 65_536;

/// Statements about one table.
struct Script {
    table: String,
    text: String,
}

/// Replaces whatever `table`, one of the instance's, holds.
pub(super) fn all(settings: &Settings, table: String, new: &Table) -> String {
    let frame = format!("{}{}", remove(&table), frame(settings, &table));
    format!("{frame}{}", changes_to(table, &diff(&Table::default(), new)))
}

/// Changes just what differs; empty if nothing does.
pub(super) fn changes(settings: &Settings, diff: &Diff) -> String {
    changes_to(settings.instance.table(), diff)
}

fn changes_to(table: String, diff: &Diff) -> String {
    let mut script = Script { table, text: String::new() };
    diff.frontends.iter().for_each(|change| script.withdraw(change));
    diff.ports.iter().for_each(|change| script.declare(change));
    diff.ports.iter().for_each(|change| script.fill(change));
    diff.ports.iter().for_each(|change| script.discard(change));
    diff.frontends.iter().for_each(|change| script.announce(change));
    script.text
}

/// Removes a table, whether it exists or not.
pub(super) fn remove(table: &str) -> String {
    format!("add table ip {table}\ndelete table ip {table}\n")
}

/// Makes and unmakes, in one transaction, what real tables consist of.
pub(super) fn probe(settings: &Settings) -> String {
    let table = format!("{}_probe", settings.instance.table());
    format!("{}delete table ip {table}\n", frame(settings, &table))
}

/// What does not depend on services. Chains run a little before others at the same hook: the first translation counts.
fn frame(settings: &Settings, table: &str) -> String {
    let range = settings.service_cidr;
    let pods = elements(&settings.pod_cidrs);
    format!(
        "\
table ip {table} {{
	map services {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
	map node_ports {{ type inet_proto . inet_service : verdict; }}
	set tcp_node_ports {{ type inet_service; }}
	set udp_node_ports {{ type inet_service; }}
	set dead_node_ports {{ type inet_proto . inet_service; }}
	set pods {{ type ipv4_addr; flags interval; auto-merge; {pods}}}
	chain translate {{
		ip daddr . meta l4proto . th dport vmap @services
		fib daddr type local meta l4proto . th dport vmap @node_ports
	}}
	chain refuse {{
		meta l4proto tcp reject with tcp reset
		reject
	}}
	chain prerouting {{
		type nat hook prerouting priority dstnat - 5; policy accept;
		jump translate
	}}
	chain output {{
		type nat hook output priority -105; policy accept;
		jump translate
	}}
	chain postrouting {{
		type nat hook postrouting priority srcnat - 5; policy accept;
		ct status & dnat == 0 return
		ct original ip daddr {range} ip saddr @pods ip daddr @pods masquerade
		ct original ip daddr {range} return
		meta l4proto tcp ct original proto-dst @tcp_node_ports masquerade
		meta l4proto udp ct original proto-dst @udp_node_ports masquerade
	}}
	chain filter_input {{
		type filter hook input priority filter - 5; policy accept;
		iifname != \"lo\" ip daddr 127.0.0.0/8 ct state != {{ established, related }} drop
		fib daddr type local meta l4proto . th dport @dead_node_ports jump refuse
	}}
	chain filter_forward {{
		type filter hook forward priority filter - 5; policy accept;
		ip daddr {range} jump refuse
	}}
	chain filter_output {{
		type filter hook output priority filter - 5; policy accept;
		ip daddr {range} fib daddr type != local jump refuse
	}}
}}
"
    )
}

fn elements(cidrs: &[Cidr]) -> String {
    if cidrs.is_empty() {
        return String::new();
    }
    let cidrs: Vec<_> = cidrs.iter().map(ToString::to_string).collect();
    format!("elements = {{ {} }}; ", cidrs.join(", "))
}

// === impl Script ===

impl Script {
    fn say(&mut self, verb: &str, object: &str, rest: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{verb} {object} ip {} {rest}", self.table);
    }

    fn rule(&mut self, chain: &str, rule: std::fmt::Arguments<'_>) {
        self.say("add", "rule", format_args!("{chain} {rule}"));
    }

    /// Takes a frontend's old elements out.
    fn withdraw(&mut self, change: &FrontendChange) {
        if let Some(old) = &change.old {
            self.elements("delete", change.frontend, old, false);
        }
    }

    /// Puts a frontend's new elements in.
    fn announce(&mut self, change: &FrontendChange) {
        if let Some(new) = &change.new {
            self.elements("add", change.frontend, new, true);
        }
    }

    fn elements(&mut self, verb: &str, frontend: Frontend, answer: &Answer, with_verdict: bool) {
        let (protocol, port) = (frontend.protocol.lowercase(), frontend.port);
        let verdict = match answer {
            Answer::Served(owner) if with_verdict => format!(" : goto service/{owner}"),
            _ => String::new(),
        };
        match (frontend.address, answer) {
            (Some(address), Answer::Served(_)) => {
                self.say(
                    verb,
                    "element",
                    format_args!("services {{ {address} . {protocol} . {port}{verdict} }}"),
                );
            }
            // Whatever in the range of services is not translated is refused anyway.
            (Some(_), Answer::Refused(_)) => {}
            (None, Answer::Served(_)) => {
                self.say(verb, "element", format_args!("node_ports {{ {protocol} . {port}{verdict} }}"));
                self.say(verb, "element", format_args!("{protocol}_node_ports {{ {port} }}"));
            }
            (None, Answer::Refused(_)) => {
                self.say(verb, "element", format_args!("dead_node_ports {{ {protocol} . {port} }}"));
            }
        }
    }

    /// Adds the chains and sets that rules will name, and empties those that get other rules.
    fn declare(&mut self, change: &PortChange) {
        let Some(new) = served(change.new.as_deref()) else {
            return;
        };
        for backend in change.written() {
            let name = name(new, backend);
            self.say(
                "add",
                "set",
                format_args!("clients/{name} {{ type ipv4_addr; size {CLIENTS}; flags dynamic,timeout; }}"),
            );
            self.say("add", "chain", format_args!("backend/{name}"));
            self.say("flush", "chain", format_args!("backend/{name}"));
        }
        self.say("add", "chain", format_args!("service/{}", new.id));
        self.say("flush", "chain", format_args!("service/{}", new.id));
    }

    /// Adds the rules.
    fn fill(&mut self, change: &PortChange) {
        let Some(new) = served(change.new.as_deref()) else {
            return;
        };
        let (chain, protocol) = (format!("service/{}", new.id), new.id.protocol.lowercase());
        let Some(seconds) = new.affinity else {
            let target = target(&new.backends);
            return self.rule(&chain, format_args!("meta l4proto {protocol} dnat to {target}"));
        };
        for backend in change.written() {
            let name = name(new, backend);
            self.rule(
                &format!("backend/{name}"),
                format_args!("update @clients/{name} {{ ip saddr timeout {seconds}s }}"),
            );
            self.rule(&format!("backend/{name}"), format_args!("meta l4proto {protocol} dnat to {backend}"));
        }
        for backend in &new.backends {
            let name = name(new, *backend);
            self.rule(&chain, format_args!("ip saddr @clients/{name} goto backend/{name}"));
        }
        let verdicts = new.backends.iter().enumerate();
        let verdicts: Vec<_> = verdicts
            .map(|(turn, backend)| format!("{turn} : goto backend/{}", name(new, *backend)))
            .collect();
        self.rule(
            &chain,
            format_args!("numgen inc mod {} vmap {{ {} }}", verdicts.len(), verdicts.join(", ")),
        );
    }

    /// Deletes what no rule names any more.
    fn discard(&mut self, change: &PortChange) {
        let Some(old) = served(change.old.as_deref()) else {
            return;
        };
        if served(change.new.as_deref()).is_none() {
            self.say("delete", "chain", format_args!("service/{}", old.id));
        }
        let kept = chained(change.new.as_deref());
        for backend in chained(change.old.as_deref()).difference(&kept) {
            let name = name(old, *backend);
            self.say("delete", "chain", format_args!("backend/{name}"));
            self.say("delete", "set", format_args!("clients/{name}"));
        }
    }
}

// === impl PortChange ===

impl PortChange {
    /// The backends whose chains have to be written.
    fn written(&self) -> Vec<SocketAddrV4> {
        let same = self.old.as_ref().map(|old| old.affinity) == self.new.as_ref().map(|new| new.affinity);
        let there = if same { chained(self.old.as_deref()) } else { BTreeSet::new() };
        chained(self.new.as_deref()).difference(&there).copied().collect()
    }
}

/// A port that has a chain.
fn served(port: Option<&ServicePort>) -> Option<&ServicePort> {
    port.filter(|port| !port.backends.is_empty())
}

/// The backends that have a chain.
fn chained(port: Option<&ServicePort>) -> BTreeSet<SocketAddrV4> {
    let port = port.filter(|port| port.affinity.is_some());
    port.into_iter().flat_map(|port| port.backends.iter().copied()).collect()
}

/// What a backend's chain and set are called.
fn name(port: &ServicePort, backend: SocketAddrV4) -> String {
    format!("{}/{}/{}", port.id, backend.ip(), backend.port())
}

/// One backend after the other.
fn target(backends: &[SocketAddrV4]) -> String {
    if let [only] = backends {
        return only.to_string();
    }
    let turns = backends.iter().enumerate();
    let turns: Vec<_> =
        turns.map(|(turn, backend)| format!("{turn} : {} . {}", backend.ip(), backend.port())).collect();
    format!("numgen inc mod {} map {{ {} }}", turns.len(), turns.join(", "))
}

#[cfg(test)]
mod tests;
