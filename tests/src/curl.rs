//! Plain HTTP, as an administrator, by curl.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{Output, Target};

/// Plain HTTP, as an administrator.
#[derive(Debug, Clone)]
pub struct Curl<'a> {
    target: &'a Target,
    headers: Vec<String>,
    certificate: bool,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub code: u16,
    /// The body.
    pub body: String,
}

// === impl Curl ===

impl<'a> Curl<'a> {
    /// Against the gateway.
    pub fn new(target: &'a Target) -> Self {
        Self { target, headers: Vec::new(), certificate: true }
    }

    /// As somebody who shows no certificate.
    #[must_use]
    pub fn without_certificate(mut self) -> Self {
        self.certificate = false;
        self
    }

    /// With a further header, as `Name: value`.
    #[must_use]
    pub fn header(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    /// Reads a path.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", &[])
    }

    /// Sends a body of this media type.
    ///
    /// # Panics
    /// If no answer comes.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, media: &str, body: &[u8]) -> Answer {
        self.try_send(method, path, media, body).unwrap_or_else(|output| panic!("{output}"))
    }

    /// The same, where no answer may come.
    ///
    /// # Errors
    /// What curl said, if there was no whole answer.
    pub fn try_send(&self, method: &str, path: &str, media: &str, body: &[u8]) -> Result<Answer, Output> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), body).expect("a file can be written");
        let output =
            Output::of(&mut self.command(method, path, media, (!body.is_empty()).then_some(file.path())), "");
        let answer = output.stdout.rsplit_once('\n').filter(|_| output.success);
        let answer =
            answer.and_then(|(body, code)| Some(Answer { code: code.parse().ok()?, body: body.to_owned() }));
        answer.ok_or(output)
    }

    fn command(&self, method: &str, path: &str, media: &str, body: Option<&Path>) -> Command {
        let mut command = Command::new("curl");
        // Over HTTP/2 this curl (7.88) loses an answer that comes before the body is sent; kubectl shows that side.
        command.arg("--http1.1");
        command.args(["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"]);
        command.arg("--cacert").arg(self.target.ca());
        if self.certificate {
            command.arg("--cert").arg(self.target.certificate()).arg("--key").arg(self.target.key());
        }
        command.args(["--request", method]);
        if !media.is_empty() {
            command.args(["--header", &format!("Content-Type: {media}")]);
        }
        for header in &self.headers {
            command.args(["--header", header]);
        }
        if let Some(file) = body {
            // No "Expect: 100-continue": a server that refuses a large body early should be heard all the same.
            command.args(["--header", "Expect:"]).arg("--data-binary").arg(format!("@{}", file.display()));
        }
        command.arg(format!("{}{path}", self.target.server()));
        command
    }
}

// === impl Answer ===

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The `Status` of a failure: it must be one, with the HTTP status as its code.
    #[track_caller]
    pub fn failure(&self) -> Value {
        let status = self.json();
        assert_eq!(status["kind"], "Status", "{status}");
        assert_eq!(status["apiVersion"], "v1", "{status}");
        assert_eq!(status["status"], "Failure", "{status}");
        assert_eq!(status["code"], self.code, "{status}");
        status
    }
}
