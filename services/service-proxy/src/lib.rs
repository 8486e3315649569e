//! Makes services answer on this host.
//!
//! Services and endpoints come in through informers; [`table`] turns them, purely, into the table of service ports; one
//! applier brings each change of the table into force: kernel rules (nftables, else iptables) where this process may
//! write them, a userspace forwarder elsewhere.
//!
//! | module | noun |
//! |---|---|
//! | [`config`] | what the proxy is told |
//! | [`table`] | the table of service ports and the difference of two tables; pure |
//! | `kernel` | the table as rules of the kernel |
//! | `userspace` | the table as a TCP forwarder |
//! | `bridge` | the link that keeps packets to service addresses on this host |
//! | `hairpin`, `localnet` | the kernel's switches that rules need |
//! | [`dns`] | the names of services and endpoints |
//! | `driver` | informers → table → applier |
//! | `grpc` | the table as others see it |
//!
//! Rules stay in force while no proxy runs: connections through them never pass through this process. The next proxy of
//! the same instance replaces them in one transaction. [`ServiceProxy::cleanup`] takes everything away.

mod bridge;
pub mod config;
pub mod dns;
mod driver;
mod engine;
mod grpc;
mod hairpin;
mod host;
mod instance;
mod kernel;
mod localnet;
mod meter;
mod proxy;
pub mod table;
mod userspace;

#[cfg(test)]
mod testing;

pub use self::bridge::LinkError;
pub use self::config::{Cidr, Config, Mode};
pub use self::dns::DnsConfig;
pub use self::engine::ChooseError;
pub use self::grpc::TableService;
pub use self::host::CommandError;
pub use self::proxy::{ProxyError, ServiceProxy, remove_instance};
