use domain::base::iana::Rcode;
use domain::rdata::AllRecordData;

use super::super::zone::tests::zone;
use super::*;

/// A question as a resolver sends it; with the size that it takes by UDP, if it says so.
pub(crate) fn query(name: &str, kind: Rtype, size: Option<u16>) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec().question();
    builder.header_mut().set_id(7);
    builder.header_mut().set_rd(true);
    builder.push((Name::<Vec<u8>>::vec_from_str(name).unwrap(), kind)).unwrap();
    let mut builder = builder.additional();
    if let Some(size) = size {
        builder
            .opt(|opt| {
                opt.set_udp_payload_size(size);
                Ok(())
            })
            .unwrap();
    }
    builder.finish()
}

fn answered(reply: Reply) -> Message<Vec<u8>> {
    let Reply::Send(bytes) = reply else { panic!("{reply:?}") };
    Message::from_octets(bytes).unwrap()
}

/// The data of an answer's records.
pub(crate) fn records(message: &Message<Vec<u8>>) -> Vec<String> {
    let records = message.answer().unwrap().limit_to::<AllRecordData<_, _>>();
    records.map(|record| record.unwrap().data().to_string()).collect()
}

#[test]
fn an_answer_repeats_the_question_and_is_authoritative() {
    let asked = query("WEB.default.svc.cluster.local", Rtype::A, None);
    let answer = answered(reply(&asked, Transport::Udp, &zone()));
    let head = answer.header();
    assert_eq!(
        (head.id(), head.qr(), head.aa(), head.rd(), head.rcode()),
        (7, true, true, true, Rcode::NOERROR)
    );
    assert!(answer.is_answer(Message::from_slice(asked.as_slice()).unwrap()));
    assert_eq!(records(&answer), ["10.96.0.7"]);
    assert!(answer.opt().is_none(), "whoever does not speak EDNS is not spoken to in it");
}

#[test]
fn what_is_not_there_may_be_remembered_for_a_while() {
    for (name, rcode) in [
        ("gone.default.svc.cluster.local", Rcode::NXDOMAIN),
        ("none.default.svc.cluster.local", Rcode::NOERROR),
    ] {
        let answer = answered(reply(&query(name, Rtype::A, Some(4096)), Transport::Udp, &zone()));
        assert_eq!((answer.header().rcode(), records(&answer).len()), (rcode, 0), "{name}");
        let authority = answer.authority().unwrap().limit_to::<Soa<_>>();
        assert_eq!(authority.map(|soa| soa.unwrap().ttl().as_secs()).collect::<Vec<_>>(), [TTL], "{name}");
        assert_eq!(answer.opt().unwrap().udp_payload_size(), 1232);
    }
}

#[test]
fn services_ports_bring_their_addresses() {
    let asked = query("_http._tcp.web.default.svc.cluster.local", Rtype::SRV, None);
    let answer = answered(reply(&asked, Transport::Udp, &zone()));
    assert_eq!(records(&answer), ["0 100 80 web.default.svc.cluster.local"]);
    let further = answer.additional().unwrap().limit_to::<A>();
    assert_eq!(further.map(|a| a.unwrap().data().to_string()).collect::<Vec<_>>(), ["10.96.0.7"]);
}

#[test]
fn what_does_not_fit_is_cut_and_said_to_be() {
    let many: Vec<Record> = (0..100u8)
        .map(|last| Record {
            name: "many.default.svc.cluster.local".into(),
            data: Data::A([10, 1, 0, last].into()),
        })
        .collect();
    let found = Found::Name { answers: many, further: Vec::new() };
    for (transport, size, truncated) in [
        (Transport::Udp, None, true),
        (Transport::Udp, Some(1232), true),
        (Transport::Udp, Some(u16::MAX), true),
        (Transport::Tcp, None, false),
    ] {
        let asked = query("many.default.svc.cluster.local", Rtype::A, size);
        let answer = answered(answer(Message::from_slice(&asked).unwrap(), transport, &found, &zone()));
        let most = match (transport, size) {
            (Transport::Tcp, _) => MOST_TCP,
            (Transport::Udp, None) => PLAIN_UDP,
            (Transport::Udp, Some(_)) => MOST_UDP + 11,
        };
        assert!(answer.as_slice().len() <= most, "{transport:?} {size:?}: {}", answer.as_slice().len());
        assert_eq!(answer.header().tc(), truncated, "{transport:?} {size:?}");
        assert!(!records(&answer).is_empty());
    }
}

#[test]
fn other_names_are_passed_on_and_other_things_refused() {
    let zone = zone();
    assert_eq!(reply(&query("example.org", Rtype::A, None), Transport::Udp, &zone), Reply::Forward);
    let mut update = query("web.default.svc.cluster.local", Rtype::A, None);
    update[2] |= 5 << 3;
    assert_eq!(answered(reply(&update, Transport::Udp, &zone)).header().rcode(), Rcode::NOTIMP);
    let mut answer = query("web.default.svc.cluster.local", Rtype::A, None);
    answer[2] |= 0x80;
    assert_eq!(reply(&answer, Transport::Udp, &zone), Reply::Silence, "an answer is not answered");
    let head = [0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(answered(reply(&head, Transport::Udp, &zone)).header().rcode(), Rcode::FORMERR);
    assert_eq!(reply(&head[..11], Transport::Udp, &zone), Reply::Silence);
}

#[test]
fn no_bytes_break_it() {
    let (zone, mut random) = (zone(), fastrand::Rng::with_seed(7));
    let asked = query("_http._tcp.web.default.svc.cluster.local", Rtype::SRV, Some(1232));
    for _ in 0..20_000 {
        let mut bytes = asked.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(..=bytes.len()));
        if let Reply::Send(answer) = reply(&bytes, Transport::Udp, &zone) {
            assert!(answer.len() <= MOST_UDP + 11);
        }
    }
}
