//! SPDY/3.1, as far as Kubernetes' clients speak it: `kubectl exec`, `attach` and `cp` before 1.31, `port-forward` of every
//! age. The frames and the state of the streams are pure; [`Connection`] moves their bytes.
//!
//! Clients of this protocol know no windows: they send what the connection takes, and announce nothing. So the connection
//! itself holds both sides back: we stop reading when a stream's reader lags, and announce what was read to those that
//! would wait for it.

#[cfg(test)]
pub(crate) mod client;
mod connection;
mod frame;
mod headers;
mod streams;

pub(crate) use self::connection::{Abandoned, Connection, Incoming, Reader, Sender, Stream};
pub(crate) use self::frame::Fault;
