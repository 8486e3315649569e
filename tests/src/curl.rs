//! Plain HTTP, as an administrator, by curl.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{Output, Target};

/// Plain HTTP, as an administrator.
#[derive(Debug)]
pub struct Curl<'a> {
    target: &'a Target,
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
        Self { target }
    }

    /// Reads a path.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", &[])
    }

    /// Sends a body of this media type.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, media: &str, body: &[u8]) -> Answer {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), body).expect("a file can be written");
        self.send_file(method, path, media, file.path(), body.is_empty())
    }

    fn send_file(&self, method: &str, path: &str, media: &str, file: &Path, empty: bool) -> Answer {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"]);
        command.arg("--cacert").arg(self.target.ca());
        command.arg("--cert").arg(self.target.certificate()).arg("--key").arg(self.target.key());
        command.args(["--request", method]);
        if !media.is_empty() {
            command.args(["--header", &format!("Content-Type: {media}")]);
        }
        if !empty {
            // No "Expect: 100-continue": a server that refuses a large body early should be heard all the same.
            command.args(["--header", "Expect:"]).arg("--data-binary").arg(format!("@{}", file.display()));
        }
        command.arg(format!("{}{path}", self.target.server()));
        let output = Output::of(&mut command, "");
        let (body, code) = output.stdout.rsplit_once('\n').unwrap_or_else(|| panic!("{output}"));
        let code = code.parse().unwrap_or_else(|_| panic!("{output}"));
        assert_ne!(code, 0, "{output}");
        Answer { code, body: body.to_owned() }
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
