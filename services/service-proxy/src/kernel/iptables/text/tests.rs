use std::num::NonZeroU32;

use super::*;
use crate::instance::Instance;
use crate::table::tests::{mk_port, mk_table};

fn mk_settings() -> Settings {
    Settings {
        instance: Instance::new("dev"),
        service_cidr: "10.0.0.0/24".parse().unwrap(),
        pod_cidrs: vec!["172.17.0.0/16".parse().unwrap()],
    }
}

/// Chains of one service by readable names.
fn readable(text: String) -> String {
    let instance = Instance::new("dev");
    ["web", "gone"].iter().fold(text, |text, name| {
        let text =
            text.replace(&instance.chain_of('S', &format!("default/{name}/tcp/80")), &format!("S-{name}"));
        (1..=3).fold(text, |text, pod| {
            let backend = format!("default/{name}/tcp/80/10.1.0.{pod}:80");
            text.replace(&instance.chain_of('B', &backend), &format!("B-{name}-{pod}"))
        })
    })
}

fn between(old: &[ServicePort], new: &[ServicePort]) -> String {
    let (old, new) = (mk_table(old), mk_table(new));
    readable(changes(&mk_settings(), &diff(&old, &new), &new))
}

#[test]
fn a_service_is_made_and_unmade() {
    let web = mk_port("web", "10.0.0.9", 30080, &["10.1.0.1:80", "10.1.0.2:80"]);
    let made = "\
*nat
:S-web - [0:0]
-A S-web -m statistic --mode nth --every 2 --packet 0 -p tcp -j DNAT --to-destination 10.1.0.1:80
-A S-web -p tcp -j DNAT --to-destination 10.1.0.2:80
-I KEELSON-dev-NODEPORTS -p tcp -m tcp --dport 30080 -m comment --comment \"default/web/tcp/80\" -j S-web
-A KEELSON-dev-MASQ -p tcp -m conntrack --ctorigdstport 30080 -m comment --comment \"default/web/tcp/80\" -j MASQUERADE
-I KEELSON-dev-SERVICES -d 10.0.0.9/32 -p tcp -m tcp --dport 80 -m comment --comment \"default/web/tcp/80\" -j S-web
COMMIT
*filter
:KEELSON-dev-FORWARD - [0:0]
-A KEELSON-dev-FORWARD -j KEELSON-dev-REFUSE
-A KEELSON-dev-FORWARD -m conntrack --ctstate DNAT --ctorigdst 10.0.0.0/24 -j ACCEPT
-A KEELSON-dev-FORWARD -p tcp -m conntrack --ctstate DNAT --ctorigdstport 30080 -j ACCEPT
COMMIT
";
    let unmade = "\
*nat
-D KEELSON-dev-NODEPORTS -p tcp -m tcp --dport 30080 -m comment --comment \"default/web/tcp/80\" -j S-web
-D KEELSON-dev-MASQ -p tcp -m conntrack --ctorigdstport 30080 -m comment --comment \"default/web/tcp/80\" -j MASQUERADE
-D KEELSON-dev-SERVICES -d 10.0.0.9/32 -p tcp -m tcp --dport 80 -m comment --comment \"default/web/tcp/80\" -j S-web
-F S-web
-X S-web
COMMIT
*filter
:KEELSON-dev-FORWARD - [0:0]
-A KEELSON-dev-FORWARD -j KEELSON-dev-REFUSE
-A KEELSON-dev-FORWARD -m conntrack --ctstate DNAT --ctorigdst 10.0.0.0/24 -j ACCEPT
COMMIT
";
    assert_eq!(between(&[], std::slice::from_ref(&web)), made);
    assert_eq!(between(std::slice::from_ref(&web), &[]), unmade);
    assert_eq!(between(std::slice::from_ref(&web), std::slice::from_ref(&web)), "");
}

#[test]
fn a_change_of_backends_touches_one_chain() {
    let web = |backends: &[&str]| mk_port("web", "10.0.0.9", 30080, backends);
    let expected = "\
*nat
:S-web - [0:0]
-A S-web -p tcp -j DNAT --to-destination 10.1.0.2:80
COMMIT
";
    assert_eq!(between(&[web(&["10.1.0.1:80"])], &[web(&["10.1.0.2:80"])]), expected);
}

#[test]
fn with_affinity_each_backend_has_a_chain_that_remembers_its_clients() {
    let web = |backends: &[&str]| ServicePort {
        affinity: NonZeroU32::new(60),
        ..mk_port("web", "10.0.0.9", 0, backends)
    };
    let found = between(&[web(&["10.1.0.1:80", "10.1.0.2:80"])], &[web(&["10.1.0.2:80", "10.1.0.3:80"])]);
    let (lines, expected) = (
        found.lines().collect::<Vec<_>>(),
        [
            "-A S-web -m recent --name B-web-2 --rcheck --seconds 60 --reap --rsource -j B-web-2",
            "-A S-web -m recent --name B-web-3 --rcheck --seconds 60 --reap --rsource -j B-web-3",
            "-A S-web -m statistic --mode nth --every 2 --packet 0 -j B-web-2",
            "-A S-web -j B-web-3",
        ],
    );
    let service: Vec<_> = lines.iter().filter(|line| line.starts_with("-A S-web")).copied().collect();
    assert_eq!(service, expected);
    let remembers =
        "-A B-web-3 -m recent --name B-web-3 --set --rsource -p tcp -j DNAT --to-destination 10.1.0.3:80";
    assert!(lines.contains(&remembers), "{found}");
    assert!(found.ends_with("-F B-web-1\n-X B-web-1\nCOMMIT\n"), "{found}");
}

#[test]
fn a_new_proxy_empties_fixed_chains_and_deletes_what_a_killed_one_left() {
    let web = mk_port("web", "10.0.0.9", 0, &["10.1.0.1:80"]);
    let gone = Instance::new("dev").chain_of('S', "default/gone/tcp/80");
    let nat = format!(
        ":PREROUTING ACCEPT [0:0]\n:KEELSON-dev-SERVICES - [0:0]\n:{gone} - [0:0]\n:KEELSON-dev2-SERVICES - [0:0]\n\
         -A PREROUTING -m comment --comment \"keelson dev\" -j KEELSON-dev-SERVICES\n"
    );
    let filter = ":FORWARD DROP [0:0]\n:DOCKER-USER - [0:0]\n";
    let text = readable(all(&mk_settings(), &mk_table(&[web]), &nat, filter));
    assert!(text.contains("\n:KEELSON-dev-SERVICES - [0:0]\n"), "{text}");
    assert!(text.contains("\n-F S-gone\n-X S-gone\nCOMMIT\n"), "{text}");
    assert!(
        !text.contains("-X S-web") && !text.contains("dev2") && !text.contains("-I PREROUTING"),
        "{text}"
    );
    assert!(
        text.contains("\n-I OUTPUT 1 -m comment --comment \"keelson dev\" -j KEELSON-dev-SERVICES\n"),
        "{text}"
    );
    assert!(text.contains("\n-I DOCKER-USER 1 "), "{text}");
    assert!(!text.contains("-I FORWARD"), "{text}");
}
