//! Connections that Docker turns from HTTP into a program's streams.
//!
//! The engine answers a request with `101 Switching Protocols`, and from then on the connection is the program's: input
//! in one direction, output in the other. Ending the one leaves the other open. The client of the other calls can do
//! this too, but it guesses from the bytes whether output has frames, and takes a terminal's for some.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use keelson_kubelet::runtime::RuntimeError;
use tokio::net::UnixStream;

use crate::Docker;

/// A connection that is a program's.
pub(crate) type Hijacked = TokioIo<hyper::upgrade::Upgraded>;

impl Docker {
    /// Posts to `path` (after the API's version) and takes the connection over.
    pub(crate) async fn hijack(
        &self,
        operation: &'static str,
        path: &str,
        body: String,
    ) -> Result<Hijacked, RuntimeError> {
        let broken = |message: String| RuntimeError::Unreachable { operation, message };
        let request = self.upgrade(path, body).map_err(|error| broken(error.to_string()))?;
        let stream = UnixStream::connect(self.socket()).await.map_err(|error| broken(error.to_string()))?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| broken(error.to_string()))?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
            let response = accepted(operation, response).await?;
            hyper::upgrade::on(response).await.map_err(|error| broken(error.to_string()))
        };
        // The connection is driven here until it is handed over: no task is left behind if the caller goes.
        let upgraded = tokio::try_join!(exchange, async {
            connection.with_upgrades().await.map_err(|error| broken(error.to_string()))
        });
        upgraded.map(|(upgraded, ())| TokioIo::new(upgraded))
    }

    fn upgrade(&self, path: &str, body: String) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        Request::builder()
            .method(Method::POST)
            .uri(format!("/v{}{path}", self.client().client_version()))
            .header(HOST, "docker")
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "tcp")
            .body(Full::new(Bytes::from(body)))
    }
}

/// The answer, if it hands the connection over; else Docker's words.
async fn accepted(
    operation: &'static str,
    response: Response<Incoming>,
) -> Result<Response<Incoming>, RuntimeError> {
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    let body = response.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    let body = body.unwrap_or_default();
    let told = serde_json::from_slice::<serde_json::Value>(&body).ok();
    let told = told.and_then(|json| json.get("message")?.as_str().map(str::to_owned));
    let message = told.unwrap_or_else(|| format!("Docker answered {status}"));
    Err(RuntimeError::Refused { operation, message })
}
