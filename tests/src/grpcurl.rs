//! grpcurl, as an administrator or somebody else.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Output, Stream, Target};

/// grpcurl against one server, as an administrator unless told otherwise.
#[derive(Debug)]
pub struct Grpcurl<'a> {
    target: &'a Target,
    address: String,
    certificate: PathBuf,
    key: PathBuf,
}

// === impl Grpcurl ===

impl<'a> Grpcurl<'a> {
    /// Against the gRPC services.
    ///
    /// # Panics
    /// If the target has none.
    #[track_caller]
    pub fn new(target: &'a Target) -> Self {
        Self::at(target, target.grpc())
    }

    /// Against another server of the same cluster, as `host:port`.
    pub fn at(target: &'a Target, address: &str) -> Self {
        let address = address.to_owned();
        Self { target, address, certificate: target.certificate(), key: target.key() }
    }

    /// As somebody else than the administrator.
    #[must_use]
    pub fn with_identity(mut self, certificate: PathBuf, key: PathBuf) -> Self {
        (self.certificate, self.key) = (certificate, key);
        self
    }

    /// Every answer to a call, which must succeed.
    #[track_caller]
    pub fn call(&self, method: &str, request: &Value) -> Vec<Value> {
        self.send(method, std::slice::from_ref(request))
    }

    /// Every answer to a call of several messages, which must succeed; the input ends after the last of them.
    #[track_caller]
    pub fn send(&self, method: &str, requests: &[Value]) -> Vec<Value> {
        let requests: String = requests.iter().map(|request| format!("{request}\n")).collect();
        let text = Output::of(&mut self.command(&["-d", "@"], &[method]), &requests).ok();
        let answers = serde_json::Deserializer::from_str(&text).into_iter();
        answers.map(|answer| answer.unwrap_or_else(|error| panic!("{method}: {error} in {text}"))).collect()
    }

    /// The one answer to a call, which must succeed.
    #[track_caller]
    pub fn ask(&self, method: &str, request: &Value) -> Value {
        let mut answers = self.call(method, request);
        assert_eq!(answers.len(), 1, "{method} answers once");
        answers.remove(0)
    }

    /// What is said of a call that must fail.
    #[track_caller]
    pub fn refused(&self, method: &str, request: &Value) -> String {
        Output::of(&mut self.command(&["-d", "@"], &[method]), &request.to_string()).fails()
    }

    /// A call that goes on answering; the request is JSON.
    #[track_caller]
    pub fn stream(&self, method: &str, request: &Value) -> Stream {
        Stream::of(&mut self.command(&["-d", &request.to_string()], &[method]))
    }

    /// The names of all services.
    #[track_caller]
    pub fn list(&self) -> Vec<String> {
        let text = Output::of(&mut self.command(&[], &["list"]), "").ok();
        text.lines().map(str::to_owned).collect()
    }

    /// How a service, method or message is declared.
    #[track_caller]
    pub fn describe(&self, what: &str) -> String {
        Output::of(&mut self.command(&[], &["describe", what]), "").ok()
    }

    /// A call without a certificate.
    #[track_caller]
    pub fn anonymous(&self, words: &[&str]) -> Output {
        let mut command = program();
        command.arg("-cacert").arg(self.target.ca()).arg(&self.address).args(words);
        Output::of(&mut command, "")
    }

    /// A call of the pods' service without a certificate, but with these headers. Reflection is for those who show one.
    #[track_caller]
    pub fn with_headers(&self, headers: &[String], method: &str) -> Output {
        let mut command = program();
        command.arg("-cacert").arg(self.target.ca());
        command.arg("-import-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto"));
        command.args(["-proto", "keelson/v1/pod.proto"]);
        headers.iter().for_each(|header| {
            command.args(["-H", header]);
        });
        command.arg(&self.address).arg(format!("keelson.v1.Pods/{method}"));
        Output::of(&mut command, "")
    }

    fn command(&self, flags: &[&str], words: &[&str]) -> Command {
        let mut command = program();
        command.arg("-cacert").arg(self.target.ca());
        command.arg("-cert").arg(&self.certificate).arg("-key").arg(&self.key);
        command.args(["-max-time", "30"]).args(flags).arg(&self.address).args(words);
        command
    }
}

/// `GRPCURL`, what `tests/run` has unpacked, or that of the search path.
fn program() -> Command {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/grpcurl");
    match std::env::var_os("GRPCURL") {
        Some(path) => Command::new(path),
        None if unpacked.exists() => Command::new(unpacked),
        None => Command::new("grpcurl"),
    }
}
