//! The host's name servers, for names that are not the cluster's.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::message::{MOST_TCP, Transport};
use crate::host::Host;

/// How long a name server may take before the next is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// The port of name servers.
const PORT: u16 = 53;

/// The host's name servers.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    pub(super) host: Host,
    pub(super) resolv_conf: PathBuf,
    /// Our own address, which must not ask itself.
    pub(super) own: IpAddr,
}

// === impl Upstream ===

impl Upstream {
    /// Passes a question on and brings the answer back; `None` if no name server gave one.
    ///
    /// The file is read each time: a host that moves to another network writes it anew.
    pub(super) async fn ask(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let text = tokio::fs::read_to_string(&self.resolv_conf).await.ok()?;
        for server in servers(&text).into_iter().filter(|server| *server != self.own) {
            let server = SocketAddr::new(server, PORT);
            let asked = async {
                match transport {
                    Transport::Udp => self.by_udp(server, query).await,
                    Transport::Tcp => self.by_tcp(server, query).await,
                }
            };
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) => tracing::debug!(%server, %error, "a name server does not answer"),
                Err(_) => tracing::debug!(%server, "a name server does not answer in time"),
            }
        }
        None
    }

    /// By a socket, and thereby a port, of its own: whoever wants to forge an answer has to guess that too.
    async fn by_udp(&self, server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
        let (sent, original) = with_id(query, fastrand::u16(..))?;
        let socket = self.host.udp_to(server)?;
        socket.send(&sent).await?;
        let mut buffer = vec![0; MOST_TCP];
        loop {
            let read = socket.recv(&mut buffer).await?;
            if let Some(answer) = answer_to(&sent, &buffer[..read], original) {
                return Ok(answer);
            }
        }
    }

    async fn by_tcp(&self, server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
        let (sent, original) = with_id(query, fastrand::u16(..))?;
        let mut stream = self.host.socket_to(server)?.connect(server).await?;
        let length = u16::try_from(sent.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &sent].concat()).await?;
        let mut answer = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut answer).await?;
        answer_to(&sent, &answer, original).ok_or_else(|| io::Error::other("an answer to another question"))
    }
}

/// The name servers that a resolv.conf lists.
fn servers(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().map(|line| line.split(['#', ';']).next().unwrap_or_default());
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter_map(|words| match words.as_slice() {
            ["nameserver", address, ..] => address.parse().ok(),
            _ => None,
        })
        .collect()
}

/// The question under another id, and the id it had.
fn with_id(query: &[u8], id: u16) -> io::Result<(Vec<u8>, [u8; 2])> {
    let (original, rest) =
        query.split_first_chunk::<2>().ok_or_else(|| io::Error::other("a question without an id"))?;
    Ok(([&id.to_be_bytes()[..], rest].concat(), *original))
}

/// The answer under the question's own id; `None` if it answers something else.
fn answer_to(sent: &[u8], answer: &[u8], original: [u8; 2]) -> Option<Vec<u8>> {
    use domain::base::Message;

    let (asked, got) = (Message::from_slice(sent).ok()?, Message::from_slice(answer).ok()?);
    if !got.is_answer(asked) {
        return None;
    }
    Some([&original[..], answer.get(2..)?].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_resolvers_read_them() {
        let text = "# none\nsearch example.org\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 # second\n;nameserver 9.9.9.9\nnameserver nonsense\n";
        assert_eq!(servers(text), ["192.0.2.1".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
    }

    #[test]
    fn only_an_answer_to_the_question_counts() {
        // A question for ".", type A, class IN.
        let query = [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
        let (sent, original) = with_id(&query, 0x1234).unwrap();
        assert_eq!((&sent[..2], original), (&[0x12, 0x34][..], [0xab, 0xcd]));
        let mut answer = sent.clone();
        answer[2] |= 0x80;
        assert_eq!(&answer_to(&sent, &answer, original).unwrap()[..2], &[0xab, 0xcd]);
        assert_eq!(answer_to(&sent, &sent, original), None, "a question");
        answer[0] = 0x13;
        assert_eq!(answer_to(&sent, &answer, original), None, "another id");
        assert!(with_id(&[1], 0).is_err());
    }
}
