//! Asking a sink for its traces.

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::span::{PodName, Summary, Trace};

/// The largest answer read, in bytes.
const MAX_ANSWER: usize = 256 << 20;

/// A way to a sink's page port.
#[derive(Clone, Debug)]
pub struct SinkClient {
    authority: String,
}

/// A sink that does not tell.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("{0:?} is not the address of a trace sink, such as http://127.0.0.1:4318")]
    Address(String),
    /// Nobody answers.
    #[error(
        "no trace sink answers on {authority}; start one with `keelson trace-sink`, or name it with --sink"
    )]
    Unreachable {
        /// Where it was expected.
        authority: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It answers something else.
    #[error("what answers on {authority} is no trace sink: {why}")]
    Unknown {
        /// Where it was expected.
        authority: String,
        /// What is wrong with the answer.
        why: String,
    },
}

// === impl SinkClient ===

impl SinkClient {
    /// The sink at `http://host:port`.
    ///
    /// # Errors
    /// If that is no such address.
    pub fn new(address: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|authority| authority.port().is_some()).ok_or_else(wrong)?;
        match uri.scheme_str() {
            Some("http") => Ok(Self { authority: authority.to_string() }),
            _ => Err(wrong()),
        }
    }

    /// All traces, or those of a pod; the latest first.
    ///
    /// # Errors
    /// If the sink does not answer.
    pub async fn list(&self, pod: Option<&PodName>) -> Result<Vec<Summary>, ClientError> {
        let path = match pod {
            Some(pod) => format!("/api/traces?pod={pod}"),
            None => "/api/traces".to_owned(),
        };
        Ok(self.get(&path).await?.unwrap_or_default())
    }

    /// One trace, if the sink has it.
    ///
    /// # Errors
    /// If the sink does not answer.
    pub async fn trace(&self, id: &str) -> Result<Option<Trace>, ClientError> {
        self.get(&format!("/api/traces/{id}")).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ClientError> {
        let unknown = |why: String| ClientError::Unknown { authority: self.authority.clone(), why };
        let request =
            Request::get(path).header(http::header::HOST, &self.authority).body(Empty::<Bytes>::new());
        let request = request.map_err(|error| unknown(error.to_string()))?;
        let response = self
            .send(request)
            .await
            .map_err(|source| ClientError::Unreachable { authority: self.authority.clone(), source })?;
        match response.status() {
            http::StatusCode::OK => {}
            http::StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(unknown(format!("it says {status}"))),
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| unknown(error.to_string()))?.to_bytes();
        serde_json::from_slice(&body).map(Some).map_err(|error| unknown(error.to_string()))
    }

    async fn send(
        &self,
        request: Request<Empty<Bytes>>,
    ) -> Result<http::Response<hyper::body::Incoming>, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the answer's last byte; what goes wrong is told there.
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }
}
