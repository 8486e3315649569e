//! The gateway: the REST/JSON face of the v1 API. It keeps no state; everything it serves comes from the typed
//! gRPC API of the other services.
//!
//! The road of a request: [`gateway`](Gateway) (who asks, is there room) → `route` (what is asked for) →
//! `negotiate` (in which form) → `call` (the one driver): `body` (what was sent) → `request` (the same as api's
//! request) → api → `response`, or `watch` (spelled for the client). `route`, `negotiate` and `request` are pure.
//!
//! | module | noun |
//! |---|---|
//! | `route` | method, path and query → what is asked for |
//! | `negotiate` | `Accept` → JSON, YAML or protobuf; object, table or metadata |
//! | `body` | what clients send, checked |
//! | `kinds` | reading and writing objects of each kind |
//! | `request` | HTTP → api's requests, one file per verb |
//! | `call` | one call, from request to response |
//! | `response` | api's answers → HTTP |
//! | `stream` | exec, attach, port-forward, proxies: requests that become conversations |
//! | `meter` | what is counted |
//! | `watch` | changes on their way to one client |
//! | `table` | what `kubectl get` shows of each kind |
//! | `discovery` | which groups, versions and resources there are |
//! | `openapi` | what the objects look like, from the descriptors |

mod body;
mod call;
mod caller;
mod discovery;
mod gateway;
mod kinds;
mod limits;
mod meter;
mod negotiate;
mod openapi;
mod query;
mod request;
mod response;
mod route;
mod stream;
mod table;
mod traced;
mod watch;

pub use self::gateway::{Config, Gateway};
