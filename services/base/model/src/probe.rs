//! Probes and lifecycle hooks: their defaults and rules.

use keelson_proto::core::{
    ExecAction, GrpcAction, HttpGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction, TcpSocketAction,
};

use crate::field::{ErrorList, FieldError, Path};
use crate::{checks, names};

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The container is restarted when it fails.
    Liveness,
    /// The pod gets no traffic while it fails.
    Readiness,
    /// The other probes wait until it succeeds.
    Startup,
}

/// The actions of a probe or hook; exactly one is given.
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HttpGetAction>,
    tcp_socket: Option<&'a TcpSocketAction>,
    grpc: Option<&'a GrpcAction>,
    sleep: Option<&'a SleepAction>,
}

/// Fills in what a client may leave out: a timeout of 1 s, a period of 10 s, 1 success, 3 failures.
pub fn set_defaults(probe: &mut Probe) {
    let defaults = [
        (&mut probe.timeout_seconds, 1),
        (&mut probe.period_seconds, 10),
        (&mut probe.success_threshold, 1),
        (&mut probe.failure_threshold, 3),
    ];
    for (field, default) in defaults {
        if *field == 0 {
            *field = default;
        }
    }
    if let Some(get) = &mut probe.handler.http_get {
        set_http_defaults(get);
    }
    if let Some(grpc) = &mut probe.handler.grpc {
        grpc.service.get_or_insert_default();
    }
}

/// Fills in what hooks may leave out.
pub fn set_lifecycle_defaults(lifecycle: &mut Lifecycle) {
    for hook in [&mut lifecycle.post_start, &mut lifecycle.pre_stop].into_iter().flatten() {
        if let Some(get) = &mut hook.http_get {
            set_http_defaults(get);
        }
    }
}

fn set_http_defaults(get: &mut HttpGetAction) {
    if get.path.is_empty() {
        get.path.push('/');
    }
    if get.scheme.is_empty() {
        get.scheme.push_str("HTTP");
    }
}

/// Checks a probe.
pub fn validate(probe: &Probe, purpose: Purpose, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    Handler::of_probe(probe).validate(path, &mut errors);
    let numbers = [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (name, value) in numbers {
        checks::not_negative(value, &path.child(name), &mut errors);
    }
    if purpose != Purpose::Readiness && probe.success_threshold != 1 {
        let path = path.child("successThreshold");
        errors.push(FieldError::invalid(&path, probe.success_threshold, "must be 1"));
    }
    let grace = path.child("terminationGracePeriodSeconds");
    match probe.termination_grace_period_seconds {
        Some(seconds) if purpose == Purpose::Readiness => {
            errors.push(FieldError::invalid(&grace, seconds, "must not be set for readinessProbes"));
        }
        Some(seconds) if seconds <= 0 => {
            errors.push(FieldError::invalid(&grace, seconds, "must be greater than 0"))
        }
        _ => {}
    }
    errors
}

/// Checks the hooks of a container.
pub fn validate_lifecycle(lifecycle: &Lifecycle, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (name, hook) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(hook) = hook {
            Handler::of_hook(hook).validate(&path.child(name), &mut errors);
        }
    }
    errors
}

// === impl Handler ===

impl<'a> Handler<'a> {
    fn of_probe(probe: &'a Probe) -> Self {
        let handler = &probe.handler;
        Self {
            exec: handler.exec.as_ref(),
            http_get: handler.http_get.as_ref(),
            tcp_socket: handler.tcp_socket.as_ref(),
            grpc: handler.grpc.as_ref(),
            sleep: None,
        }
    }

    fn of_hook(hook: &'a LifecycleHandler) -> Self {
        Self {
            exec: hook.exec.as_ref(),
            http_get: hook.http_get.as_ref(),
            tcp_socket: hook.tcp_socket.as_ref(),
            grpc: None,
            sleep: hook.sleep.as_ref(),
        }
    }

    /// Checks that there is one action, and that action; each further one is forbidden.
    fn validate(&self, path: &Path, errors: &mut ErrorList) {
        let given = [
            ("exec", self.exec.is_some()),
            ("httpGet", self.http_get.is_some()),
            ("tcpSocket", self.tcp_socket.is_some()),
            ("grpc", self.grpc.is_some()),
            ("sleep", self.sleep.is_some()),
        ];
        let mut given = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
        let Some(first) = given.next() else {
            errors.push(FieldError::required(path, "must specify a handler type"));
            return;
        };
        self.validate_action(&path.child(first), errors);
        for other in given {
            errors
                .push(FieldError::forbidden(&path.child(other), "may not specify more than 1 handler type"));
        }
    }

    /// Checks the first action.
    fn validate_action(&self, path: &Path, errors: &mut ErrorList) {
        if let Some(exec) = self.exec {
            if exec.command.is_empty() {
                errors.push(FieldError::required(&path.child("command"), ""));
            }
        } else if let Some(get) = self.http_get {
            validate_http(get, path, errors);
        } else if let Some(socket) = self.tcp_socket {
            checks::port_or_name(&socket.port, &path.child("port"), errors);
        } else if let Some(grpc) = self.grpc {
            checks::port(grpc.port, &path.child("port"), errors);
        } else if let Some(sleep) = self.sleep {
            checks::not_negative(sleep.seconds, &path.child("seconds"), errors);
        }
    }
}

fn validate_http(get: &HttpGetAction, path: &Path, errors: &mut ErrorList) {
    checks::given(&get.path, &path.child("path"), errors);
    checks::port_or_name(&get.port, &path.child("port"), errors);
    checks::one_of(&get.scheme, &["HTTP", "HTTPS"], &path.child("scheme"), errors);
    for (index, header) in get.http_headers.iter().enumerate() {
        let path = path.child("httpHeaders").index(index).child("name");
        errors.push_invalid(&path, &header.name, names::http_header_name(&header.name));
    }
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::{HttpHeader, ProbeHandler};

    use super::*;

    fn mk_get() -> HttpGetAction {
        HttpGetAction { port: 80.into(), ..HttpGetAction::default() }
    }

    fn mk_probe(handler: ProbeHandler) -> Probe {
        let mut probe = Probe { handler, ..Probe::default() };
        set_defaults(&mut probe);
        probe
    }

    fn http() -> ProbeHandler {
        ProbeHandler { http_get: Some(mk_get()), ..ProbeHandler::default() }
    }

    #[test]
    fn a_bare_probe_gets_times_and_path() {
        let probe = mk_probe(http());
        let numbers =
            [probe.timeout_seconds, probe.period_seconds, probe.success_threshold, probe.failure_threshold];
        assert_eq!(numbers, [1, 10, 1, 3]);
        let get = probe.handler.http_get.unwrap();
        assert_eq!((get.path.as_str(), get.scheme.as_str()), ("/", "HTTP"));
    }

    #[test]
    fn given_values_stay() {
        let mut probe = Probe { timeout_seconds: 5, failure_threshold: 1, ..Probe::default() };
        set_defaults(&mut probe);
        assert_eq!((probe.timeout_seconds, probe.failure_threshold), (5, 1));
    }

    #[test]
    fn a_probe_has_exactly_one_valid_action() {
        let exec =
            |command: &[&str]| ExecAction { command: command.iter().map(|&word| word.to_owned()).collect() };
        let table = [
            (http(), ""),
            (ProbeHandler::default(), "p: Required value: must specify a handler type"),
            (
                ProbeHandler { exec: Some(exec(&[])), ..ProbeHandler::default() },
                "p.exec.command: Required value",
            ),
            (ProbeHandler { exec: Some(exec(&["ls"])), ..ProbeHandler::default() }, ""),
            (
                ProbeHandler { exec: Some(exec(&["ls"])), ..http() },
                "p.httpGet: Forbidden: may not specify more than 1 handler type",
            ),
            (
                ProbeHandler { grpc: Some(GrpcAction { port: 0, service: None }), ..ProbeHandler::default() },
                "p.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            ),
            (
                ProbeHandler {
                    http_get: Some(HttpGetAction { scheme: "FTP".to_owned(), ..mk_get() }),
                    ..ProbeHandler::default()
                },
                "p.httpGet.scheme: Unsupported value: \"FTP\": supported values: \"HTTP\", \"HTTPS\"",
            ),
            (
                ProbeHandler {
                    http_get: Some(HttpGetAction {
                        http_headers: vec![HttpHeader { name: "a b".to_owned(), value: String::new() }],
                        ..mk_get()
                    }),
                    ..ProbeHandler::default()
                },
                "p.httpGet.httpHeaders[0].name: Invalid value: \"a b\": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
            ),
        ];
        for (handler, expected) in table {
            let errors = validate(&mk_probe(handler), Purpose::Liveness, &Path::new("p"));
            let text = if errors.is_empty() { String::new() } else { errors.to_string() };
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn thresholds_depend_on_the_purpose() {
        let twice = Probe { success_threshold: 2, ..mk_probe(http()) };
        assert!(validate(&twice, Purpose::Readiness, &Path::new("p")).is_empty());
        for purpose in [Purpose::Liveness, Purpose::Startup] {
            let errors = validate(&twice, purpose, &Path::new("p"));
            assert_eq!(errors.to_string(), "p.successThreshold: Invalid value: 2: must be 1");
        }
        let graceful = Probe { termination_grace_period_seconds: Some(5), ..mk_probe(http()) };
        assert!(validate(&graceful, Purpose::Liveness, &Path::new("p")).is_empty());
        assert_eq!(validate(&graceful, Purpose::Readiness, &Path::new("p")).len(), 1);
        let negative = Probe { period_seconds: -1, ..mk_probe(http()) };
        assert_eq!(validate(&negative, Purpose::Readiness, &Path::new("p")).len(), 1);
    }

    #[test]
    fn hooks_follow_the_same_rules() {
        let hook = LifecycleHandler { http_get: Some(mk_get()), ..LifecycleHandler::default() };
        let mut lifecycle = Lifecycle {
            post_start: Some(LifecycleHandler::default()),
            pre_stop: Some(hook),
            ..Lifecycle::default()
        };
        set_lifecycle_defaults(&mut lifecycle);
        let errors = validate_lifecycle(&lifecycle, &Path::new("l"));
        assert_eq!(errors.to_string(), "l.postStart: Required value: must specify a handler type");
    }
}
