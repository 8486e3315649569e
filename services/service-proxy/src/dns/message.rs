//! A question's bytes → an answer's bytes. Pure: whatever the bytes are, there is an answer, or silence.

use domain::base::iana::{Class, Opcode, Rcode};
use domain::base::message_builder::{AnswerBuilder, PushError};
use domain::base::{Message, MessageBuilder, Name, Rtype, Serial, StaticCompressor, Ttl};
use domain::rdata::{A, Cname, Ns, Ptr, Soa, Srv, Txt};

use super::zone::{Data, Found, Record, Wanted, Zone};

/// How long an answer may be kept, in seconds: as long as one may talk to an endpoint that is gone.
const TTL: u32 = 5;

/// The longest answer by UDP to a client that does not say more, and to one that does, in bytes.
const PLAIN_UDP: usize = 512;
const MOST_UDP: usize = 1232;

/// The longest message by TCP, in bytes.
pub(super) const MOST_TCP: usize = u16::MAX as usize;

/// By what a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// What to do about a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Ask the host's name servers.
    Forward,
    /// Nothing: it is no question.
    Silence,
}

/// The kind of buffer that answers are built in.
type Answers = AnswerBuilder<StaticCompressor<Vec<u8>>>;

/// Answers a question.
pub(super) fn reply(bytes: &[u8], transport: Transport, zone: &Zone) -> Reply {
    let Ok(query) = Message::from_slice(bytes) else { return Reply::Silence };
    if query.header().qr() {
        return Reply::Silence;
    }
    if query.header().opcode() != Opcode::QUERY {
        return refuse(query, Rcode::NOTIMP);
    }
    let Ok(question) = query.sole_question() else { return refuse(query, Rcode::FORMERR) };
    if question.qclass() != Class::IN {
        return refuse(query, Rcode::REFUSED);
    }
    let labels: Vec<String> = question
        .qname()
        .iter()
        .filter(|label| !label.is_root())
        .map(|label| String::from_utf8_lossy(label.as_slice()).to_ascii_lowercase())
        .collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    match zone.find(&labels, wanted(question.qtype())) {
        Found::Elsewhere => Reply::Forward,
        found => answer(query, transport, &found, zone),
    }
}

/// An answer that says just what is wrong.
pub(super) fn refuse(query: &Message<[u8]>, rcode: Rcode) -> Reply {
    let builder = MessageBuilder::new_vec().start_error(query, rcode);
    Reply::Send(builder.finish())
}

/// The same for a question that is known to be one.
pub(super) fn failure(bytes: &[u8]) -> Option<Vec<u8>> {
    match refuse(Message::from_slice(bytes).ok()?, Rcode::SERVFAIL) {
        Reply::Send(bytes) => Some(bytes),
        Reply::Forward | Reply::Silence => None,
    }
}

fn wanted(kind: Rtype) -> Wanted {
    match kind {
        Rtype::A => Wanted::A,
        Rtype::SRV => Wanted::Srv,
        Rtype::PTR => Wanted::Ptr,
        Rtype::TXT => Wanted::Txt,
        Rtype::CNAME => Wanted::Cname,
        Rtype::SOA => Wanted::Soa,
        Rtype::NS => Wanted::Ns,
        Rtype::ANY => Wanted::Any,
        _ => Wanted::Other,
    }
}

fn answer(query: &Message<[u8]>, transport: Transport, found: &Found, zone: &Zone) -> Reply {
    let extended = query.opt().map(|opt| usize::from(opt.udp_payload_size()));
    let most = match (transport, extended) {
        (Transport::Tcp, _) => MOST_TCP,
        (Transport::Udp, None) => PLAIN_UDP,
        (Transport::Udp, Some(size)) => size.clamp(PLAIN_UDP, MOST_UDP),
    };
    let Ok(mut builder) = MessageBuilder::from_target(StaticCompressor::new(Vec::with_capacity(PLAIN_UDP)));
    builder.set_push_limit(most);
    let (rcode, records, further) = match found {
        Found::Name { answers, further } => (Rcode::NOERROR, answers.as_slice(), further.as_slice()),
        Found::NoName | Found::Elsewhere => (Rcode::NXDOMAIN, [].as_slice(), [].as_slice()),
    };
    let Ok(mut builder) = builder.try_start_answer(query, rcode) else {
        return refuse(query, Rcode::FORMERR);
    };
    builder.header_mut().set_aa(true);
    builder.header_mut().set_ra(true);
    for record in records {
        match push(&mut builder, record, zone) {
            Ok(()) => {}
            // What does not fit is asked for again by TCP.
            Err(Failure::Full) => {
                builder.header_mut().set_tc(true);
                break;
            }
            Err(Failure::Name) => return refuse(query, Rcode::SERVFAIL),
        }
    }
    let authority = if records.is_empty() {
        let mut authority = builder.authority();
        // Says how long it may be kept that there is nothing (RFC 2308).
        if let (Ok(name), Ok(soa)) = (name(&zone.domain()), soa(zone)) {
            let _ = authority.push((name, Class::IN, Ttl::from_secs(TTL), soa));
        }
        authority
    } else {
        builder.authority()
    };
    let mut additional = authority.additional();
    for Record { name: owner, data } in further {
        if let (Data::A(ip), Ok(owner)) = (data, name(owner)) {
            let _ = additional.push((owner, Class::IN, Ttl::from_secs(TTL), A::new(*ip)));
        }
    }
    if extended.is_some() {
        let _ = additional.opt(|opt| {
            opt.set_udp_payload_size(MOST_UDP as u16);
            Ok(())
        });
    }
    Reply::Send(additional.finish().into_target())
}

enum Failure {
    /// The message has no room.
    Full,
    /// A name that DNS cannot carry, such as the target of a service that somebody wrote.
    Name,
}

fn push(builder: &mut Answers, record: &Record, zone: &Zone) -> Result<(), Failure> {
    let (owner, ttl) = (name(&record.name)?, Ttl::from_secs(TTL));
    let pushed = match &record.data {
        Data::A(ip) => builder.push((owner, Class::IN, ttl, A::new(*ip))),
        Data::Srv { port, target } => {
            builder.push((owner, Class::IN, ttl, Srv::new(0, 100, *port, name(target)?)))
        }
        Data::Ptr(target) => builder.push((owner, Class::IN, ttl, Ptr::new(name(target)?))),
        Data::Cname(target) => builder.push((owner, Class::IN, ttl, Cname::new(name(target)?))),
        Data::Ns(target) => builder.push((owner, Class::IN, ttl, Ns::new(name(target)?))),
        Data::Txt(text) => {
            let text = Txt::<Vec<u8>>::build_from_slice(text.as_bytes()).map_err(|_| Failure::Name)?;
            builder.push((owner, Class::IN, ttl, text))
        }
        Data::Soa => builder.push((owner, Class::IN, ttl, soa(zone)?)),
    };
    pushed.map_err(|_: PushError| Failure::Full)
}

fn name(text: &str) -> Result<Name<Vec<u8>>, Failure> {
    Name::vec_from_str(text).map_err(|_| Failure::Name)
}

/// The serial never changes: nobody transfers this zone.
fn soa(zone: &Zone) -> Result<Soa<Name<Vec<u8>>>, Failure> {
    let domain = zone.domain();
    let (server, person) = (name(&format!("ns.dns.{domain}"))?, name(&format!("hostmaster.{domain}"))?);
    let (refresh, retry, expire) = (Ttl::from_secs(7200), Ttl::from_secs(1800), Ttl::from_secs(86400));
    Ok(Soa::new(server, person, Serial(1), refresh, retry, expire, Ttl::from_secs(TTL)))
}

#[cfg(test)]
pub(super) mod tests;
