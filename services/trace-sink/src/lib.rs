//! Takes spans by OTLP/gRPC, keeps the latest traces in memory, and draws them: as a waterfall in the terminal, on a
//! plain page, and as JSON. For development and tests; any other OTLP collector takes its place.
//!
//! | module | noun |
//! |---|---|
//! | [`span`] | a span and a trace, as they are kept and as JSON |
//! | [`store`] | the latest traces, bounded |
//! | [`waterfall`] | spans in the order in which they are drawn; pure |
//! | [`text`] | a waterfall for the terminal |
//! | `page` | the same as HTML |
//! | `otlp` | the gRPC service that takes spans |
//! | [`sink`] | the whole: two ports |
//! | [`client`] | asking a sink |

pub mod client;
mod otlp;
mod page;
pub mod sink;
pub mod span;
pub mod store;
pub mod text;
pub mod waterfall;

pub use self::client::SinkClient;
pub use self::sink::{Config, Sink};
pub use self::span::{Span, Trace};
pub use self::store::Store;
