//! The streams of a connection: a pure function of the frames that come.

use std::collections::HashMap;

use bytes::Bytes;

use super::Fault;
use super::frame::Frame;
use super::headers::Headers;

/// Most streams at a time: a `port-forward` has two for each connection that is under way.
const MOST_STREAMS: usize = 1024;

/// The status of a stream that is refused.
pub(super) const REFUSED: u32 = 3;

/// The status of a stream that was given up.
pub(super) const CANCEL: u32 = 5;

/// Which directions of the streams are open.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: HashMap<u32, Open>,
    /// The last stream that the client has begun.
    last: u32,
    /// No streams begin any more.
    going: bool,
}

/// The directions of a stream that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    theirs: bool,
    ours: bool,
}

/// What is to be done about a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing.
    Nothing,
    /// A stream begins: tell whoever takes streams, after it is accepted.
    Begin { id: u32, headers: Headers, ended: bool },
    /// Bytes for a stream, and whether they are the last.
    Deliver { id: u32, data: Bytes, last: bool },
    /// A stream is over in both directions.
    Abandon { id: u32 },
    /// A frame is to be sent.
    Send(Frame),
}

// === impl Streams ===

impl Streams {
    /// What a frame means.
    pub(super) fn receive(&mut self, frame: Frame) -> Result<Act, Fault> {
        Ok(match frame {
            Frame::SynStream { id, fin, headers } => self.begin(id, fin, headers)?,
            Frame::Data { id, fin, data } => self.data(id, fin, data),
            Frame::Headers { id, fin } => self.data(id, fin, Bytes::new()),
            Frame::Reset { id, .. } => match self.open.remove(&id) {
                Some(_) => Act::Abandon { id },
                None => Act::Nothing,
            },
            // Ours would be even.
            Frame::Ping { id } if id % 2 == 1 => Act::Send(Frame::Ping { id }),
            Frame::GoAway { .. } => {
                self.going = true;
                Act::Nothing
            }
            Frame::Ping { .. } | Frame::SynReply { .. } | Frame::WindowUpdate { .. } | Frame::Other => {
                Act::Nothing
            }
        })
    }

    /// Our direction of a stream has ended.
    pub(super) fn ended(&mut self, id: u32) {
        if let Some(open) = self.open.get_mut(&id) {
            open.ours = false;
            self.forget_if_closed(id);
        }
    }

    /// A stream was reset by us.
    pub(super) fn reset(&mut self, id: u32) {
        self.open.remove(&id);
    }

    /// The last stream that the client has begun.
    pub(super) fn last(&self) -> u32 {
        self.last
    }

    fn begin(&mut self, id: u32, fin: bool, headers: Headers) -> Result<Act, Fault> {
        if id.is_multiple_of(2) || id <= self.last {
            return Err(Fault::Stream(id));
        }
        self.last = id;
        if self.going || self.open.len() >= MOST_STREAMS {
            return Ok(Act::Send(Frame::Reset { id, status: REFUSED }));
        }
        self.open.insert(id, Open { theirs: !fin, ours: true });
        Ok(Act::Begin { id, headers, ended: fin })
    }

    fn data(&mut self, id: u32, fin: bool, data: Bytes) -> Act {
        // What comes for a stream that is over was sent before its sender knew.
        let Some(open) = self.open.get_mut(&id).filter(|open| open.theirs) else {
            return Act::Nothing;
        };
        if fin {
            open.theirs = false;
            self.forget_if_closed(id);
        }
        if data.is_empty() && !fin { Act::Nothing } else { Act::Deliver { id, data, last: fin } }
    }

    fn forget_if_closed(&mut self, id: u32) {
        if self.open.get(&id) == Some(&Open { theirs: false, ours: false }) {
            self.open.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syn(id: u32) -> Frame {
        Frame::SynStream { id, fin: false, headers: Headers::default() }
    }

    fn data(id: u32, fin: bool) -> Frame {
        Frame::Data { id, fin, data: Bytes::from_static(b"x") }
    }

    fn begun(id: u32) -> Act {
        Act::Begin { id, headers: Headers::default(), ended: false }
    }

    fn delivered(id: u32, last: bool) -> Act {
        Act::Deliver { id, data: Bytes::from_static(b"x"), last }
    }

    #[test]
    fn a_stream_lives_until_both_directions_have_ended() {
        let mut streams = Streams::default();
        for (frame, act) in [
            (data(1, false), Act::Nothing),
            (syn(1), begun(1)),
            (syn(3), begun(3)),
            (data(1, false), delivered(1, false)),
            (data(1, true), delivered(1, true)),
            (data(1, false), Act::Nothing),
            (Frame::Reset { id: 3, status: 5 }, Act::Abandon { id: 3 }),
            (Frame::Reset { id: 3, status: 5 }, Act::Nothing),
            (data(3, false), Act::Nothing),
            (Frame::Ping { id: 1 }, Act::Send(Frame::Ping { id: 1 })),
            (Frame::Ping { id: 2 }, Act::Nothing),
            (Frame::WindowUpdate { id: 1, delta: 1 }, Act::Nothing),
            (Frame::Other, Act::Nothing),
        ] {
            assert_eq!(streams.receive(frame.clone()), Ok(act), "{frame:?}");
        }
        assert_eq!(streams.open.len(), 1);
        streams.ended(1);
        streams.ended(9);
        assert!(streams.open.is_empty());
        assert_eq!(streams.last(), 3);
    }

    #[test]
    fn streams_are_odd_and_grow() {
        for (before, id) in [(None, 2), (None, 0), (Some(3), 3), (Some(3), 1)] {
            let mut streams = Streams::default();
            if let Some(before) = before {
                streams.receive(syn(before)).unwrap();
            }
            assert_eq!(streams.receive(syn(id)), Err(Fault::Stream(id)));
        }
    }

    #[test]
    fn there_is_an_end_to_streams() {
        let mut streams = Streams::default();
        for index in 0..MOST_STREAMS as u32 {
            assert_eq!(streams.receive(syn(2 * index + 1)), Ok(begun(2 * index + 1)));
        }
        let refused = Act::Send(Frame::Reset { id: 9999, status: REFUSED });
        assert_eq!(streams.receive(syn(9999)), Ok(refused));
        streams.reset(1);
        assert_eq!(streams.receive(syn(10_001)), Ok(begun(10_001)));
        streams.reset(3);
        streams.receive(Frame::GoAway { last: 0 }).unwrap();
        let refused = Act::Send(Frame::Reset { id: 10_003, status: REFUSED });
        assert_eq!(streams.receive(syn(10_003)), Ok(refused));
    }
}
