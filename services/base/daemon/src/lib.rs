//! Being a process: flags, telemetry, health and metrics, TLS, tasks, drain. Knows no Kubernetes.
//!
//! Everything here is a value that the program's `main` makes and passes on, because several services may share one
//! process (`keelson up`); the only global is the `tracing` subscriber.
//!
//! | module | noun |
//! |---|---|
//! | [`flags`] | clap groups that every service flattens, and the old spelling of flags |
//! | [`telemetry`] | where log lines go |
//! | [`tasks`] | named, supervised tasks; drain; join under a grace period |
//! | [`signals`] | when to stop |
//! | [`serve`] | a bound listener, TLS, HTTP/1.1 and HTTP/2 on one port |
//! | [`tls`] | the certificate authority on disk, identities, the peer of a connection |
//! | [`admin`] | health, readiness, metrics |
//! | [`reflection`] | gRPC server reflection |
//! | [`trace`] | W3C trace context and spans; the one crate that names OpenTelemetry |
//! | [`on_read`] | a stream with somebody who looks at its reads |
//! | [`directories`] | directories whose changes the kernel tells |
//! | [`backoff`] | delays between attempts |

pub mod admin;
pub mod backoff;
pub mod directories;
pub mod flags;
pub mod on_read;
pub mod reflection;
pub mod serve;
pub mod signals;
pub mod tasks;
pub mod telemetry;
pub mod tls;
pub mod trace;
