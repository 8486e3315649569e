//! The audit log: one line of JSON for each request that was answered, in the form of `audit.k8s.io/v1` at level Metadata:
//! who did what to which object, and how it ended; never what was sent.
//!
//! Lines wait in a bounded queue for the file. What does not fit is dropped, and said: a slow disk holds up no request.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::response::Response;
use keelson_base_client::status::from_grpc;
use keelson_base_daemon::serve::hold;
use keelson_base_daemon::tasks::Drain;
use keelson_base_model::status::ApiError;
use keelson_proto::Kind;
use keelson_proto::meta::MicroTime;
use serde_json::{Map, Value, json};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tokio::sync::mpsc;

use crate::auth::{self, Caller};

/// Lines that may wait for the file.
const WAITING: usize = 4096;

/// Where requests are written down; nowhere unless there is a file.
#[derive(Clone, Default)]
pub(crate) struct Audit(Option<Arc<Log>>);

struct Log {
    lines: mpsc::Sender<String>,
    dropped: AtomicU64,
}

/// What is written about one request, as it becomes known.
#[derive(Debug, Clone)]
pub(crate) struct Entry(Arc<Mutex<Map<String, Value>>>);

/// Writes a line when the answer has been sent.
struct Finish {
    audit: Audit,
    entry: Entry,
    code: u16,
    refusal: Option<ApiError>,
}

// === impl Audit ===

impl Audit {
    /// Opens the file, to be written at its end; also answers with what writes it.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(crate) async fn open(
        path: &Path,
    ) -> std::io::Result<(Self, impl Future<Output = ()> + Send + use<>)> {
        let mut options = File::options();
        options.create(true).append(true).mode(0o600);
        let file = options.open(path).await?;
        let (lines, queue) = mpsc::channel(WAITING);
        Ok((Self(Some(Arc::new(Log { lines, dropped: AtomicU64::new(0) }))), write(file, queue)))
    }

    /// Begins the line of a request; None without a log.
    pub(crate) fn begin(&self, request: &Request) -> Option<Entry> {
        self.0.as_ref()?;
        let agent = request.headers().get("user-agent").and_then(|agent| agent.to_str().ok());
        let mut line = Map::new();
        for (name, value) in [
            ("kind", json!("Event")),
            ("apiVersion", json!("audit.k8s.io/v1")),
            ("level", json!("Metadata")),
            ("auditID", json!(uuid::Uuid::new_v4().to_string())),
            ("stage", json!("ResponseComplete")),
            ("requestURI", json!(request.uri().path())),
            ("verb", json!("")),
            ("user", json!({})),
            ("userAgent", json!(agent.unwrap_or_default())),
            ("requestReceivedTimestamp", json!(MicroTime::now())),
        ] {
            line.insert(name.to_owned(), value);
        }
        Some(Entry(Arc::new(Mutex::new(line))))
    }

    /// Writes the line, of a stream when that has ended.
    pub(crate) fn end(&self, entry: Option<Entry>, stream: bool, response: Response) -> Response {
        let Some(entry) = entry else { return response };
        let failure = tonic::Status::from_header_map(response.headers());
        let refusal = failure.filter(|status| status.code() != tonic::Code::Ok).map(from_grpc);
        let code = match &refusal {
            Some(refusal) => refusal.code(),
            None => entry.success(),
        };
        let finish = Finish { audit: self.clone(), entry, code, refusal };
        if stream { response.map(|body| hold(body, finish)) } else { response }
    }

    fn write(&self, line: String) {
        let Some(log) = &self.0 else { return };
        if log.lines.try_send(line).is_err() {
            let dropped = log.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "the audit log cannot be written as fast as requests come");
            }
        }
    }
}

// === impl Entry ===

impl Entry {
    /// Who asks, and on whose behalf.
    pub(crate) fn callers(&self, user: &Caller, impersonated: Option<&Caller>) {
        let spelled = |caller: &Caller| json!(auth::user_info(caller));
        self.set("user", spelled(user));
        if let Some(other) = impersonated {
            self.set("impersonatedUser", spelled(other));
        }
    }

    /// What was asked for, and whether it was allowed.
    pub(crate) fn asked(&self, kind: &Kind, asked: &auth::Request<'_>, allowed: &Result<(), ApiError>) {
        self.set("verb", json!(asked.verb));
        self.set("requestURI", json!(uri(kind, asked)));
        let mut object = Map::new();
        for (name, value) in [
            ("resource", asked.resource),
            ("namespace", asked.namespace),
            ("name", asked.name),
            ("apiGroup", asked.group),
            ("apiVersion", kind.version),
            ("subresource", asked.subresource),
        ] {
            if !value.is_empty() {
                object.insert(name.to_owned(), value.into());
            }
        }
        self.set("objectRef", object.into());
        let decision = if allowed.is_ok() { "allow" } else { "forbid" };
        self.set("annotations", json!({ "authorization.k8s.io/decision": decision }));
    }

    fn set(&self, name: &str, value: Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value);
    }

    /// The code of success: something new has one of its own.
    fn success(&self) -> u16 {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if line.get("verb").and_then(Value::as_str) == Some("create") { 201 } else { 200 }
    }

    fn line(&self) -> String {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = Value::Object(line.clone()).to_string();
        text.push('\n');
        text
    }
}

// === impl Finish ===

impl Drop for Finish {
    fn drop(&mut self) {
        let mut status = json!({ "metadata": {}, "code": self.code });
        if let Some(refusal) = &self.refusal {
            status["status"] = "Failure".into();
            status["reason"] = refusal.reason().as_str().into();
            status["message"] = refusal.message().into();
        }
        self.entry.set("responseStatus", status);
        self.entry.set("stageTimestamp", json!(MicroTime::now()));
        self.audit.write(self.entry.line());
    }
}

/// The path by which REST clients ask for the same.
fn uri(kind: &Kind, asked: &auth::Request<'_>) -> String {
    let mut uri = match kind.group {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    let namespace = if asked.namespace.is_empty() { ["", ""] } else { ["namespaces", asked.namespace] };
    for part in namespace.into_iter().chain([asked.resource, asked.name, asked.subresource]) {
        if !part.is_empty() {
            uri.push('/');
            uri.push_str(part);
        }
    }
    uri
}

/// Writes lines as they come, and to the end when nobody can send any more or the process stops.
async fn write(file: File, mut queue: mpsc::Receiver<String>) {
    let mut file = BufWriter::new(file);
    while let Some(line) = queue.recv().await {
        let mut written = file.write_all(line.as_bytes()).await;
        while let (Ok(()), Ok(line)) = (&written, queue.try_recv()) {
            written = file.write_all(line.as_bytes()).await;
        }
        let flushed = match written {
            Ok(()) => file.flush().await,
            failed => failed,
        };
        if let Err(error) = flushed {
            tracing::error!(%error, "the audit log cannot be written");
        }
    }
}

/// Writes until the process stops, and then what still waits.
pub(crate) async fn run(writer: impl Future<Output = ()> + Send, drain: Drain) {
    tokio::pin!(writer);
    tokio::select! {
        () = &mut writer => {}
        () = drain.signaled() => {
            // What is answered while the process drains is written as well.
            let _ = tokio::time::timeout(std::time::Duration::from_millis(200), writer).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_what_rest_clients_ask_for() {
        use keelson_proto::Object as _;
        let pod = keelson_proto::core::Pod::KIND;
        let lease = keelson_proto::coordination::Lease::KIND;
        let asked = |resource, subresource, namespace, name| auth::Request {
            verb: "get",
            resource,
            group: "",
            subresource,
            namespace,
            name,
        };
        assert_eq!(uri(pod, &asked("pods", "log", "default", "a")), "/api/v1/namespaces/default/pods/a/log");
        assert_eq!(uri(pod, &asked("pods", "", "", "")), "/api/v1/pods");
        assert_eq!(
            uri(lease, &asked("leases", "", "a", "")),
            "/apis/coordination.k8s.io/v1/namespaces/a/leases"
        );
    }
}
