//! The switch by which 127.0.0.1 answers on node ports: `route_localnet` of the links to the pods.
//!
//! The kernel drops packets between 127.0.0.0/8 and any other link unless that link's `route_localnet` is on. Only the
//! links to the pods get it, and the rules keep everybody else away from loopback (see `kernel`). Whose doing it is
//! stands in the remark on the instance's bridge, so that a proxy that takes over from a killed one still knows, and the
//! last of several instances switches it off.

use crate::bridge::{Links, Remark};
use crate::host::Host;
use crate::instance::{BRIDGES, Instance};

/// What a remark says before the names of links.
const SIGN: &str = "route_localnet:";

/// Switches it on for `interfaces`: when the rules that keep others away are in force, not before. What fails is logged: 127.0.0.1 does not answer then, everything else does.
pub(crate) async fn switch_on(host: &Host, links: &Links, instance: &Instance, interfaces: &[String]) {
    let remarks = links.remarks().await.unwrap_or_default();
    let mut ours = Vec::new();
    for interface in interfaces {
        let already = match host.switch(&switch(interface)).await {
            Ok(value) => value == "1",
            Err(error) => {
                tracing::debug!(%interface, %error, "no such link yet, 127.0.0.1 will not answer on its node ports");
                continue;
            }
        };
        if already && !remarks.iter().any(|remark| claims(remark, interface)) {
            // Somebody who is not one of us wants it so, and keeps it.
            continue;
        }
        match host.set_switch(&switch(interface), "1").await {
            Ok(()) => ours.push(interface.as_str()),
            Err(error) => tracing::warn!(%interface, %error, "127.0.0.1 does not answer on node ports"),
        }
    }
    if let Err(error) = links.remark(&instance.bridge(), &format!("{SIGN}{}", ours.join(","))).await {
        tracing::warn!(%error, "route_localnet will not be switched off again");
    }
}

/// Switches off what this instance switched on, unless another still needs it. To be called before the rules go, and
/// the bridge.
pub(crate) async fn switch_off(host: &Host, links: &Links, instance: &Instance) {
    let remarks = links.remarks().await.unwrap_or_default();
    for interface in to_switch_off(&remarks, &instance.bridge()) {
        if let Err(error) = host.set_switch(&switch(&interface), "0").await {
            tracing::debug!(%interface, %error, "route_localnet stays on");
        }
    }
    // Fails if there is no bridge, and then there is nothing to forget.
    let _ = links.remark(&instance.bridge(), "").await;
}

/// The links that `bridge` claims and no other bridge of ours does.
fn to_switch_off(remarks: &[Remark], bridge: &str) -> Vec<String> {
    let (own, others): (Vec<_>, Vec<_>) = remarks.iter().partition(|remark| remark.link == bridge);
    let claimed = own.into_iter().flat_map(claimed);
    let wanted = |interface: &&str| others.iter().any(|remark| claims(remark, interface));
    claimed.filter(|interface| !wanted(interface)).map(str::to_owned).collect()
}

fn claims(remark: &Remark, interface: &str) -> bool {
    remark.link.starts_with(BRIDGES) && claimed(remark).any(|claimed| claimed == interface)
}

fn claimed(remark: &Remark) -> impl Iterator<Item = &str> {
    let names = remark.text.strip_prefix(SIGN).unwrap_or_default();
    names.split(',').filter(|name| !name.is_empty())
}

fn switch(interface: &str) -> String {
    format!("net/ipv4/conf/{interface}/route_localnet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_instance_switches_off_what_one_of_us_switched_on() {
        let remark = |link: &str, text: &str| Remark { link: link.to_owned(), text: text.to_owned() };
        let off = |remarks: &[Remark]| to_switch_off(remarks, "kl-a");
        assert_eq!(off(&[remark("kl-a", "route_localnet:docker0,br1")]), ["docker0", "br1"]);
        assert_eq!(off(&[remark("kl-a", "route_localnet:")]), [""; 0]);
        assert_eq!(off(&[remark("kl-a", "my bridge"), remark("eth0", "route_localnet:docker0")]), [""; 0]);
        let shared = [remark("kl-a", "route_localnet:docker0,br1"), remark("kl-b", "route_localnet:docker0")];
        assert_eq!(off(&shared), ["br1"]);
    }
}
