//! The program inside Keelson's own images: one static ELF of a few kilobytes, without libc and without an
//! allocator, that does what its first argument is called.
//!
//! - `/pause` (and anything unknown): the infra container's process. It holds the pod's namespaces, reaps
//!   orphans and ends when told to.
//! - `/serve-hostname [--port=9376]`, or `serve [PORT]`: answers every HTTP request with the host's name. The
//!   demo of Kubernetes 1.0.
//!
//! `build.rs` compiles it by itself; it is no part of the crate. `sys` is the only file of the project with
//! `unsafe` in it.
#![no_std]
#![no_main]

mod memory;
mod pause;
mod serve;
mod sys;

/// Kubernetes' `serve_hostname` has always listened here.
const DEFAULT_PORT: u16 = 9376;

/// What an unusable command line exits with.
const USAGE: i32 = 2;

fn main(mut arguments: sys::Arguments) -> i32 {
    let called = arguments.next().map_or(b"pause".as_slice(), base_name);
    let serve = match called {
        b"serve-hostname" => true,
        _ => arguments.peek() == Some(b"serve") && arguments.next().is_some(),
    };
    if !serve {
        return pause::run();
    }
    match port(arguments) {
        Some(port) => serve::run(port),
        None => {
            sys::complain(b"usage: serve-hostname [--port=PORT]\n");
            USAGE
        }
    }
}

/// The port of `--port=N`, `--port N` or `N`; the default without any; `None` if it is no port number.
fn port(arguments: sys::Arguments) -> Option<u16> {
    let mut port = DEFAULT_PORT;
    for argument in arguments {
        let digits = match argument {
            b"--port" | b"-port" => continue,
            _ => argument
                .strip_prefix(b"--port=")
                .or_else(|| argument.strip_prefix(b"-port="))
                .unwrap_or(argument),
        };
        port = number(digits)?;
    }
    Some(port)
}

fn number(digits: &[u8]) -> Option<u16> {
    let mut value: u16 = 0;
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value = value.checked_mul(10)?.checked_add(u16::from(digit))?;
    }
    (value != 0).then_some(value)
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
