//! The program of our images, run without Docker.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The program at work under one of its names; killed when dropped.
struct Program {
    child: Child,
    _directory: tempfile::TempDir,
}

// === impl Program ===

impl Program {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = super::program_file(directory.path(), name);
        // Another test's fork may hold the file open for writing for a moment.
        for _ in 0..100 {
            match Command::new(&path).args(arguments).spawn() {
                Ok(child) => {
                    return Program { child, _directory: directory };
                }
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the program stays busy");
    }

    /// A server, and where it listens.
    fn serve() -> (Self, SocketAddr) {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let program = Program::start("serve-hostname", &[&format!("--port={}", address.port())]);
        let asked = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(asked.elapsed() < Duration::from_secs(10), "does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        (program, address)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// The exit code, which must come within a second.
    fn exit_code(&mut self) -> Option<i32> {
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(1) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("still runs");
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn pause_ends_when_told_and_not_before() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut pause = Program::start("pause", &[]);
        std::thread::sleep(Duration::from_millis(50)); // until it listens to signals
        pause.signal(Signal::SIGCHLD);
        pause.signal(Signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(pause.child.try_wait().unwrap(), None, "it ends for nothing else");
        pause.signal(signal);
        assert_eq!(pause.exit_code(), Some(0));
    }
}

#[test]
fn serve_answers_with_the_hosts_name() {
    let (mut server, address) = Program::serve();
    let name = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let answer = ask(address, "GET /any/path?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    let length = format!("Content-Length: {}\r\n", name.len() + 1);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(&length), "{answer}");
    assert!(answer.ends_with(&format!("\r\n\r\n{name}\n")), "{answer}");
    assert!(ask(address, "HEAD / HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
    assert!(ask(address, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").starts_with("HTTP/1.1 405 "));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn silent_clients_hold_nobody_up() {
    let (server, address) = Program::serve();
    let silent: Vec<_> = (0..600)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET / HT").unwrap();
            stream
        })
        .collect();
    let asked = Instant::now();
    assert!(ask(address, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(server.descriptors() < 300, "{}", server.descriptors());
    drop(silent);
}

#[test]
fn connections_leave_nothing_behind() {
    let (server, address) = Program::serve();
    let before = server.descriptors();
    for _ in 0..2_000 {
        assert!(ask(address, "GET / HTTP/1.0\n\n").starts_with("HTTP/1.1 200"));
    }
    let finished = Instant::now();
    while server.descriptors() > before {
        assert!(finished.elapsed() < Duration::from_secs(5), "{} rather than {before}", server.descriptors());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_slow_request_is_put_together() {
    let (_server, address) = Program::serve();
    let mut stream = TcpStream::connect(address).unwrap();
    for byte in b"GET / HTTP/1.1\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn bad_command_lines_are_refused() {
    for arguments in [&["--port=0"], &["--port=70000"], &["--port=x"], &["--help"]] {
        assert_eq!(Program::start("serve-hostname", arguments).exit_code(), Some(2), "{arguments:?}");
    }
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_eq!(Program::start("pod", &["serve", &port]).exit_code(), Some(1));
}
