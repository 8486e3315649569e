//! Exec, attach and port-forward: what begins them.

use keelson_base_model::status::ApiError;
use keelson_proto::core::{PodAttachOptions, PodExecOptions};
use keelson_proto::v1::container_input::Input;
use keelson_proto::v1::{AttachStart, ExecStart};

use crate::query::Query;
use crate::route::Call;
use crate::stream::container::Wanted;

/// Most ports of one request: each takes two of the channels, which have a byte for their number.
const MOST_PORTS: usize = 64;

/// Asks to run a command; also says which streams are wanted.
pub(crate) fn exec(call: &Call, query: &Query) -> Result<(Input, Wanted), ApiError> {
    let wanted = wanted(query)?;
    let command = query.all("command");
    if command.is_empty() {
        return Err(ApiError::bad_request(
            "the query must name the command to run: command=<word>, repeated",
        ));
    }
    let options = PodExecOptions {
        stdin: wanted.stdin,
        stdout: wanted.stdout,
        stderr: wanted.stderr,
        tty: wanted.tty,
        container: query.text("container"),
        command,
    };
    let start =
        ExecStart { namespace: call.namespace.clone(), name: call.name.clone(), options: Some(options) };
    Ok((Input::Exec(start), wanted))
}

/// Asks to attach to a container; also says which streams are wanted.
pub(crate) fn attach(call: &Call, query: &Query) -> Result<(Input, Wanted), ApiError> {
    let wanted = wanted(query)?;
    let options = PodAttachOptions {
        stdin: wanted.stdin,
        stdout: wanted.stdout,
        stderr: wanted.stderr,
        tty: wanted.tty,
        container: query.text("container"),
    };
    let start =
        AttachStart { namespace: call.namespace.clone(), name: call.name.clone(), options: Some(options) };
    Ok((Input::Attach(start), wanted))
}

/// The ports that a request for channels names.
pub(crate) fn ports(query: &Query) -> Result<Vec<u16>, ApiError> {
    let named = query.all("ports");
    let words = named.iter().flat_map(|ports| ports.split(',')).filter(|word| !word.is_empty());
    let ports = words.map(|word| match word.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(ApiError::bad_request(format!("invalid query parameter ports: {word:?} is no port"))),
    });
    let ports: Vec<u16> = ports.collect::<Result<_, _>>()?;
    match ports.len() {
        0 => Err(ApiError::bad_request("query parameter \"ports\" is required")),
        1..=MOST_PORTS => Ok(ports),
        more => Err(ApiError::bad_request(format!("{more} ports are too many: at most {MOST_PORTS}"))),
    }
}

fn wanted(query: &Query) -> Result<Wanted, ApiError> {
    let tty = query.flag("tty");
    // A terminal has one output.
    let stderr = query.flag("stderr") && !tty;
    let wanted = Wanted { stdin: query.flag("stdin"), stdout: query.flag("stdout"), stderr, tty };
    if !(wanted.stdin || wanted.stdout || wanted.stderr) {
        return Err(ApiError::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use keelson_proto::Object as _;
    use keelson_proto::core::Pod;

    use super::*;
    use crate::route::Verb;

    fn call() -> Call {
        Call { verb: Verb::Exec, kind: Pod::KIND, namespace: "a".into(), name: "web".into() }
    }

    #[test]
    fn a_command_is_read_word_by_word() {
        let query = Query::parse(Some("command=sh&command=-c&command=ls+/&stdin=true&stdout=1&container=c"));
        let Ok((Input::Exec(start), wanted)) = exec(&call(), &query) else { panic!("no exec") };
        assert_eq!(wanted, Wanted { stdin: true, stdout: true, ..Wanted::default() });
        let options = start.options.unwrap();
        assert_eq!(options.command, ["sh", "-c", "ls /"]);
        assert_eq!((start.name.as_str(), options.container.as_str()), ("web", "c"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (query, ok) in [
            ("command=ls&stdout=true", true),
            ("command=ls", false),
            ("stdout=true", false),
            ("command=ls&stderr=true&tty=true", false),
            ("command=ls&stdout=false&stdin=0&stderr=1", true),
        ] {
            assert_eq!(exec(&call(), &Query::parse(Some(query))).is_ok(), ok, "{query}");
        }
        let query = Query::parse(Some("stdout=true&stderr=true&tty=true"));
        let (_, wanted) = attach(&call(), &query).unwrap();
        assert_eq!(wanted, Wanted { stdout: true, tty: true, ..Wanted::default() });
    }

    #[test]
    fn ports_are_named_one_by_one_or_together() {
        let many = vec!["ports=1"; MOST_PORTS + 1].join("&");
        for (query, expected) in [
            ("ports=80&ports=443", Some(vec![80, 443])),
            ("ports=80,443", Some(vec![80, 443])),
            ("", None),
            ("ports=0", None),
            ("ports=65536", None),
            ("ports=http", None),
            (many.as_str(), None),
        ] {
            assert_eq!(ports(&Query::parse(Some(query))).ok(), expected, "{query}");
        }
    }
}
