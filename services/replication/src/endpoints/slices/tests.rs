use keelson_proto::core::ObjectReference;
use keelson_proto::discovery::EndpointConditions;

use super::*;

fn head() -> Head {
    Head {
        namespace: "default".to_owned(),
        service: "web".to_owned(),
        labels: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
        owner: OwnerReference { name: "web".to_owned(), uid: "u1".to_owned(), ..OwnerReference::default() },
        manager: "test",
    }
}

fn mk_endpoint(number: usize, ready: bool) -> Endpoint {
    Endpoint {
        // Such that their order is that of the numbers.
        addresses: vec![format!("10.0.{}.{}", 100 + number / 100, 100 + number % 100)],
        conditions: EndpointConditions { ready: Some(ready), ..EndpointConditions::default() },
        target_ref: Some(ObjectReference { uid: format!("uid-{number}"), ..ObjectReference::default() }),
        ..Endpoint::default()
    }
}

fn mk_ports(number: i32) -> Vec<EndpointPort> {
    let port = |name: &str, port| EndpointPort {
        name: Some(name.to_owned()),
        port: Some(port),
        protocol: Some("TCP".to_owned()),
        ..EndpointPort::default()
    };
    vec![port("http", number), port("admin", 9000)]
}

fn mk_wanted(numbers: impl IntoIterator<Item = usize>) -> Wanted {
    let mut wanted = Wanted::of_types(vec!["IPv4".to_owned()]);
    numbers.into_iter().for_each(|number| wanted.add("IPv4", &mk_ports(80), mk_endpoint(number, true)));
    wanted
}

/// A server that does what the plans say.
#[derive(Default)]
struct Slices {
    stored: Vec<Arc<EndpointSlice>>,
    named: usize,
}

impl Slices {
    /// Does what is needed and answers with how much that was: created, updated, deleted.
    fn apply(&mut self, wanted: Wanted) -> (usize, usize, usize) {
        let plan = reconcile(&head(), wanted.clone(), &self.stored);
        let written = (plan.create.len(), plan.update.len(), plan.delete.len());
        self.stored.retain(|slice| !plan.delete.contains(slice));
        for slice in plan.update {
            let old = self.stored.iter_mut().find(|old| old.metadata.name == slice.metadata.name).unwrap();
            *old = Arc::new(slice);
        }
        for mut slice in plan.create {
            assert_eq!(slice.metadata.generate_name, "web-");
            slice.metadata.name = format!("web-{:05}", self.named);
            self.named += 1;
            self.stored.push(Arc::new(slice));
        }
        assert!(reconcile(&head(), wanted, &self.stored).is_empty(), "once is enough");
        written
    }

    fn sizes(&self) -> Vec<usize> {
        self.stored.iter().map(|slice| slice.endpoints.len()).collect()
    }

    /// Which slice each address is in.
    fn places(&self) -> BTreeMap<String, String> {
        let of = |slice: &Arc<EndpointSlice>| {
            let name = slice.metadata.name.clone();
            slice
                .endpoints
                .iter()
                .map(move |one| (one.addresses[0].clone(), name.clone()))
                .collect::<Vec<_>>()
        };
        self.stored.iter().flat_map(of).collect()
    }
}

#[test]
fn slices_say_whose_they_are() {
    let mut slices = Slices::default();
    assert_eq!(slices.apply(mk_wanted(0..2)), (1, 0, 0));
    let slice = &slices.stored[0];
    let labels = &slice.metadata.labels;
    assert_eq!((labels[SERVICE_NAME].as_str(), labels[MANAGED_BY].as_str()), ("web", "test"));
    assert_eq!(labels["team"], "a");
    assert_eq!(slice.metadata.owner_references, vec![head().owner]);
    assert_eq!((slice.address_type.as_str(), &slice.ports), ("IPv4", &mk_ports(80)));
}

#[test]
fn as_little_is_written_as_can_be() {
    // What there is, what is wanted then: what is written, and how full the slices are.
    type Numbers = std::ops::Range<usize>;
    const NONE: Numbers = 0..0;
    type Row = (Numbers, [Numbers; 2], (usize, usize, usize), &'static [usize]);
    let table: [Row; 12] = [
        (0..0, [0..1, NONE], (1, 0, 1), &[1]),
        (0..1, [0..1, NONE], (0, 0, 0), &[1]),
        (0..1, [0..2, NONE], (0, 1, 0), &[2]),
        (0..100, [0..101, NONE], (1, 0, 0), &[100, 1]),
        (0..101, [0..102, NONE], (0, 1, 0), &[100, 2]),
        (0..250, [0..250, NONE], (0, 0, 0), &[100, 100, 50]),
        (0..250, [0..300, NONE], (0, 1, 0), &[100, 100, 100]),
        (0..250, [0..310, NONE], (1, 0, 0), &[100, 100, 50, 60]),
        (0..250, [1..250, 300..301], (0, 1, 0), &[100, 100, 50]),
        (0..250, [0..249, NONE], (0, 1, 0), &[100, 100, 49]),
        (0..200, [0..100, NONE], (0, 0, 1), &[100]),
        (0..3, [NONE, NONE], (0, 1, 0), &[0]),
    ];
    for (before, after, written, sizes) in table {
        let mut slices = Slices::default();
        slices.apply(mk_wanted(before.clone()));
        let found = slices.apply(mk_wanted(after.clone().into_iter().flatten()));
        let mut filled = slices.sizes();
        let mut expected = sizes.to_vec();
        filled.sort_unstable();
        expected.sort_unstable();
        assert_eq!((found, filled), (written, expected), "{before:?} to {after:?}");
    }
}

#[test]
fn an_endpoint_that_stays_never_moves() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut slices = Slices::default();
    let mut alive: std::collections::BTreeSet<usize> = (0..320).collect();
    slices.apply(mk_wanted(alive.iter().copied()));
    for _ in 0..60 {
        let before = slices.places();
        for _ in 0..random.usize(0..60) {
            alive.remove(&random.usize(0..600));
        }
        for _ in 0..random.usize(0..60) {
            alive.insert(random.usize(0..600));
        }
        slices.apply(mk_wanted(alive.iter().copied()));
        let after = slices.places();
        assert_eq!(after.len(), alive.len());
        assert!(slices.sizes().iter().all(|size| *size <= MOST));
        for (address, slice) in before {
            assert!(after.get(&address).is_none_or(|now| *now == slice), "{address} has moved");
        }
    }
}

#[test]
fn a_change_of_one_endpoint_writes_its_slice_alone() {
    let mut slices = Slices::default();
    slices.apply(mk_wanted(0..250));
    let mut wanted = mk_wanted(0..250);
    wanted.add("IPv4", &mk_ports(80), mk_endpoint(3, false));
    assert_eq!(slices.apply(wanted), (0, 1, 0));
}

#[test]
fn endpoints_with_other_ports_are_in_other_slices() {
    let mut wanted = mk_wanted(0..2);
    wanted.add("IPv4", &mk_ports(81), mk_endpoint(2, true));
    let mut slices = Slices::default();
    assert_eq!(slices.apply(wanted), (2, 0, 0));
    assert_eq!(slices.apply(mk_wanted(0..2)), (0, 0, 1));
    let mut turned = Wanted::of_types(vec!["IPv4".to_owned()]);
    let ports: Vec<_> = mk_ports(80).into_iter().rev().collect();
    (0..2).for_each(|number| turned.add("IPv4", &ports, mk_endpoint(number, true)));
    assert_eq!(slices.apply(turned), (0, 1, 0), "the order of ports makes no other slice");
}

#[test]
fn there_is_a_slice_for_each_type_of_address_or_none_at_all() {
    let mut slices = Slices::default();
    let types = vec!["IPv4".to_owned(), "IPv6".to_owned()];
    assert_eq!(slices.apply(Wanted::of_types(types)), (2, 0, 0));
    assert_eq!(slices.apply(Wanted::default()), (0, 0, 2));
}

#[test]
fn what_others_change_is_put_right() {
    let mut slices = Slices::default();
    slices.apply(mk_wanted(0..2));
    let mut theirs = (*slices.stored[0]).clone();
    theirs.metadata.labels.remove("team");
    theirs.metadata.owner_references.clear();
    theirs.endpoints.clear();
    slices.stored = vec![Arc::new(theirs)];
    assert_eq!(slices.apply(mk_wanted(0..2)), (0, 1, 0));
    let twice = Arc::new(EndpointSlice {
        metadata: ObjectMeta { name: "web-zzzzz".to_owned(), ..slices.stored[0].metadata.clone() },
        ..(*slices.stored[0]).clone()
    });
    slices.stored.push(twice);
    assert_eq!(slices.apply(mk_wanted(0..2)), (0, 0, 1), "an endpoint is in one slice only");
}
