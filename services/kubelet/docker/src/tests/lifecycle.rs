//! Containers from create to remove.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use keelson_kubelet::runtime::{LogOptions, PortMapping};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::{DEMO_IMAGE, PAUSE_IMAGE};

const NO_GRACE: Duration = Duration::ZERO;
const GRACE: Duration = Duration::from_secs(30);

async fn get(address: SocketAddr) -> String {
    // The program may be a moment behind its container's start.
    for _ in 0..200 {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let mut answer = String::new();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: pod\r\n\r\n").await.unwrap();
            stream.read_to_string(&mut answer).await.unwrap();
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody listens at {address}");
}

fn ip(infra: &ObservedContainer) -> IpAddr {
    *infra.addresses.first().expect("a running infra container has an address")
}

#[tokio::test]
async fn a_pod_serves_on_its_own_address_and_ends_at_once() {
    on_node(async |node| {
        let mut events = node.events().await;
        let (infra, app) = node.start_pod("web", DEMO_IMAGE, &[]).await;
        assert_eq!((infra.image.as_str(), infra.identity.role), (PAUSE_IMAGE, Role::Infra));
        assert!(app.addresses.is_empty() && app.image_id.starts_with("sha256:"));
        assert!(get((ip(&infra), 9376).into()).await.ends_with("\r\n\r\nweb\n"));

        let mut listed = node.runtime.list(Some(&uid("web"))).await.unwrap();
        listed.sort_by_key(|container| container.identity.role);
        assert_eq!(listed, [infra.clone(), app.clone()]);
        assert_eq!(node.runtime.list(Some(&uid("other"))).await.unwrap(), []);

        for container in [&app, &infra] {
            let asked = Instant::now();
            node.runtime.stop(&container.id, GRACE).await.unwrap();
            assert!(
                asked.elapsed() < Duration::from_secs(5),
                "killed rather than asked: {:?}",
                asked.elapsed()
            );
            let exit = node.exit(&container.id).await;
            assert_eq!((exit.code, exit.oom_killed, exit.error.as_str()), (0, false, ""));
            assert!(exit.started_at.unwrap() <= exit.finished_at);
            node.runtime.remove(&container.id).await.unwrap();
        }
        assert_eq!(node.runtime.list(None).await.unwrap(), []);

        let pod_uid = || uid("web");
        let (started, died, removed) = (
            |id: &str| RuntimeEvent::Started { id: id.into(), pod_uid: pod_uid() },
            |id: &str| RuntimeEvent::Died { id: id.into(), pod_uid: pod_uid() },
            |id: &str| RuntimeEvent::Removed { id: id.into(), pod_uid: pod_uid() },
        );
        let expected = [
            started(&infra.id),
            started(&app.id),
            died(&app.id),
            removed(&app.id),
            died(&infra.id),
            removed(&infra.id),
        ];
        for event in expected {
            assert_eq!(events.next().await.unwrap().unwrap(), event);
        }
    })
    .await;
}

#[tokio::test]
async fn exit_codes_and_the_kernels_kills_are_told() {
    on_node(async |node| {
        let mut events = node.events().await;
        let app = node.run_script("seven", "exit 7").await;
        assert_eq!(node.wait(&mut events, &app.id).await.code, 7);

        let sleeper = node.run_script("sleeper", "sleep 1000").await;
        node.runtime.stop(&sleeper.id, NO_GRACE).await.unwrap();
        assert_eq!(node.wait(&mut events, &sleeper.id).await.code, 137);

        let infra = node.runtime.start(infra("eater")).await.unwrap();
        // The first process outlives the kill: Docker learns of it a little later than of a death.
        let script = "busybox dd if=/dev/zero of=/dev/null bs=200M count=1; code=$?; busybox usleep 300000; exit $code";
        let mut eater = super::app("eater", &infra.id, BUSYBOX, &[script]);
        eater.resources.memory = 16 << 20;
        let eater = node.runtime.start(eater).await.unwrap();
        let exit = node.wait(&mut events, &eater.id).await;
        assert!(exit.oom_killed && exit.code == 137, "{exit:?}");
    })
    .await;
}

#[tokio::test]
async fn a_container_that_cannot_start_is_left_to_be_seen() {
    on_node(async |node| {
        load_busybox(&node.docker).await;
        let infra = node.runtime.start(infra("broken")).await.unwrap();
        let mut spec = app("broken", &infra.id, BUSYBOX, &[]);
        spec.command = vec!["/no/such/program".into()];
        let error = node.runtime.start(spec).await.unwrap_err();
        assert!(matches!(&error, RuntimeError::Refused { operation: "start container", .. }), "{error}");
        let listed = node.runtime.list(None).await.unwrap();
        let broken = listed.iter().find(|container| container.identity.container == "app").unwrap();
        let exit = node.exit(&broken.id).await;
        assert_eq!((exit.started_at, exit.code), (None, 127));
        assert!(exit.error.contains("/no/such/program"), "{}", exit.error);
        node.runtime.remove(&broken.id).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_try_that_was_cut_short_is_taken_up() {
    on_node(async |node| {
        let infra = node.runtime.start(infra("crashed")).await.unwrap();
        let spec = app("crashed", &infra.id, DEMO_IMAGE, &[]);
        // A kubelet that dies between create and start leaves this behind.
        let owner = crate::labels::Owner { cluster: node.cluster.clone(), node: "node".into() };
        let body = crate::runtime::body(&owner, &spec).unwrap();
        let name = crate::labels::name(&spec.identity);
        let crate::runtime::Created::New(id) = node.runtime.create(&name, &body).await.unwrap() else {
            panic!("nothing was there")
        };
        assert_eq!(node.look(&id).await.unwrap().state, ContainerState::Created);

        let successor = Docker::connect(None).await.unwrap().runtime(&node.cluster, "node");
        let started = successor.start(spec.clone()).await.unwrap();
        assert_eq!(started.id, id);
        assert!(matches!(started.state, ContainerState::Running { .. }));
        assert_eq!(successor.start(spec.clone()).await.unwrap(), started, "starting twice is starting once");
        successor.stop(&id, GRACE).await.unwrap();
        let again = successor.start(spec).await.unwrap();
        assert!(matches!(again.state, ContainerState::Exited(_)), "an attempt runs once");
    })
    .await;
}

#[tokio::test]
async fn an_old_container_makes_room_and_a_foreign_one_does_not() {
    on_node(async |node| {
        let (infra, old) = node.start_pod("replaced", DEMO_IMAGE, &[]).await;
        let mut changed = app("replaced", &infra.id, DEMO_IMAGE, &["--port=80"]);
        changed.identity.hash = "changed".into();
        let new = node.runtime.start(changed).await.unwrap();
        assert_ne!(new.id, old.id);
        assert_eq!(node.look(&old.id).await, None);

        let neighbour = node.docker.runtime(&node.cluster, "neighbour");
        assert_eq!(neighbour.list(None).await.unwrap(), []);
        let error = neighbour.start(super::infra("replaced")).await.unwrap_err().to_string();
        assert!(error.contains("is taken by a container of another node or cluster"), "{error}");
        assert_eq!(node.look(&infra.id).await, Some(infra));
    })
    .await;
}

#[tokio::test]
async fn host_ports_lead_to_the_pod() {
    on_node(async |node| {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut spec = infra("ported");
        let Process::Infra(infra) = &mut spec.process else { panic!("infra") };
        infra.network = Some(PodNetwork {
            ports: vec![PortMapping {
                host_ip: Some(free.ip()),
                host_port: free.port(),
                container_port: 80,
                protocol: "TCP".into(),
            }],
            hosts: vec![("10.9.8.7".parse().unwrap(), vec!["friend".into()])],
        });
        infra.dns = Dns {
            servers: vec!["10.9.8.1".parse().unwrap()],
            searches: vec!["a.b".into()],
            options: vec!["ndots:5".into()],
        };
        let infra = node.runtime.start(spec).await.unwrap();
        node.runtime.start(app("ported", &infra.id, DEMO_IMAGE, &["--port=80"])).await.unwrap();
        assert!(get((ip(&infra), 80).into()).await.ends_with("ported\n"));
        assert!(get(free).await.ends_with("ported\n"));

        load_busybox(&node.docker).await;
        let mut reader =
            app("ported", &infra.id, BUSYBOX, &["busybox hostname; busybox cat /etc/hosts /etc/resolv.conf"]);
        reader.identity.container = "reader".into();
        let mut events = node.events().await;
        let reader = node.runtime.start(reader).await.unwrap();
        node.wait(&mut events, &reader.id).await;
        let seen = super::logs::read(&node.runtime, &reader.id, Default::default()).await;
        for line in
            ["ported\n", "10.9.8.7\tfriend\n", "nameserver 10.9.8.1\n", "search a.b\n", "options ndots:5\n"]
        {
            assert!(seen.contains(line), "no {line:?} in {seen}");
        }
    })
    .await;
}

#[tokio::test]
async fn pause_buries_the_orphans_of_a_shared_process_namespace() {
    on_node(async |node| {
        load_busybox(&node.docker).await;
        let infra = node.runtime.start(infra("orphans")).await.unwrap();
        let script = "for n in 1 2 3; do (busybox usleep 50000 &); done; busybox usleep 300000; busybox ps -o pid,stat,comm";
        let mut spec = app("orphans", &infra.id, BUSYBOX, &[script]);
        spec.process =
            Process::Join { infra: infra.id.clone(), host_pid: false, share_pid: true, host_ipc: false };
        let app = node.runtime.start(spec).await.unwrap();
        let seen = super::logs::read(&node.runtime, &app.id, LogOptions { follow: true, ..Default::default() }).await;
        let first = seen.lines().find(|line| line.trim_start().starts_with("1 "));
        assert!(first.is_some_and(|line| line.ends_with("pause")), "{seen}");
        assert!(!seen.contains(" Z"), "{seen}");
    })
    .await;
}

#[tokio::test]
async fn what_is_gone_or_ended_is_no_error() {
    on_node(async |node| {
        let infra = node.runtime.start(infra("gone")).await.unwrap();
        for _ in 0..2 {
            node.runtime.stop(&infra.id, GRACE).await.unwrap();
        }
        for _ in 0..2 {
            node.runtime.remove(&infra.id).await.unwrap();
        }
        node.runtime.stop(&infra.id, GRACE).await.unwrap();
        let error = node.runtime.start(app("gone", &infra.id, DEMO_IMAGE, &[])).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Refused { .. }), "{error}");
        let info = node.runtime.info().await.unwrap();
        assert!(info.name == "docker" && !info.version.is_empty(), "{info:?}");
    })
    .await;
}
