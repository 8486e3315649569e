//! The kernel, asked directly. Everything `unsafe` of Keelson is in this file; what leaves it is safe to
//! call.
use core::arch::{asm, global_asm};

/// A host name with its terminator, in bytes (`__NEW_UTS_LEN + 1`).
pub const HOST_NAME: usize = 65;

pub const SIGINT: i32 = 2;
pub const SIGTERM: i32 = 15;
pub const SIGCHLD: i32 = 17;
pub const ALL_SIGNALS: Signals = Signals(u64::MAX);

pub const EINTR: i32 = 4;
pub const EAGAIN: i32 = 11;
pub const ENFILE: i32 = 23;
pub const EMFILE: i32 = 24;

const NONBLOCK: usize = 0o4000;
const CLOEXEC: usize = 0o2000000;
/// The kernel's signal sets are 64 bits wide on both machines.
const SIGNAL_SET: usize = size_of::<u64>();

#[cfg(target_arch = "x86_64")]
mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const SOCKET: usize = 41;
    pub const SENDTO: usize = 44;
    pub const SHUTDOWN: usize = 48;
    pub const BIND: usize = 49;
    pub const LISTEN: usize = 50;
    pub const SETSOCKOPT: usize = 54;
    pub const WAIT4: usize = 61;
    pub const UNAME: usize = 63;
    pub const RT_SIGTIMEDWAIT: usize = 128;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
    pub const PPOLL: usize = 271;
    pub const ACCEPT4: usize = 288;
    pub const SIGNALFD4: usize = 289;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const CLOSE: usize = 57;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const PPOLL: usize = 73;
    pub const SIGNALFD4: usize = 74;
    pub const EXIT_GROUP: usize = 94;
    pub const CLOCK_GETTIME: usize = 113;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const RT_SIGTIMEDWAIT: usize = 137;
    pub const UNAME: usize = 160;
    pub const SOCKET: usize = 198;
    pub const BIND: usize = 200;
    pub const LISTEN: usize = 201;
    pub const SENDTO: usize = 206;
    pub const SETSOCKOPT: usize = 208;
    pub const SHUTDOWN: usize = 210;
    pub const ACCEPT4: usize = 242;
    pub const WAIT4: usize = 260;
}

// The kernel enters here with the argument count and the arguments on the stack.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {enter}",
    "ud2",
    enter = sym enter,
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "bl {enter}",
    "brk #1",
    enter = sym enter,
);

/// An open descriptor; dropping it closes it.
pub struct Fd(i32);

/// A set of signals.
#[derive(Clone, Copy)]
pub struct Signals(u64);

/// The command line, the program's own name first.
pub struct Arguments {
    next: *const *const u8,
    left: usize,
}

/// One descriptor poll waits for (`struct pollfd`).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// `struct sockaddr_in`.
#[repr(C)]
struct Address {
    family: u16,
    port: [u8; 2],
    address: [u8; 4],
    zero: [u8; 8],
}

/// Adds the set to what this process does not get delivered.
pub fn block(Signals(set): Signals) {
    const SIG_BLOCK: usize = 0;
    call(
        number::RT_SIGPROCMASK,
        [SIG_BLOCK, &raw const set as usize, 0, SIGNAL_SET, 0, 0],
    );
}

/// Waits for one of these blocked signals; a negative number if something else interrupted the wait.
pub fn wait_signal(Signals(set): Signals) -> i32 {
    call(
        number::RT_SIGTIMEDWAIT,
        [&raw const set as usize, 0, 0, SIGNAL_SET, 0, 0],
    ) as i32
}

/// Buries every child that has ended.
pub fn reap() {
    const ANY_CHILD: usize = usize::MAX;
    const WNOHANG: usize = 1;
    while call(number::WAIT4, [ANY_CHILD, 0, WNOHANG, 0, 0, 0]) > 0 {}
}

/// A descriptor on which these blocked signals arrive.
pub fn signal_fd(Signals(set): Signals) -> Option<Fd> {
    const NEW: usize = usize::MAX;
    Fd::from(call(
        number::SIGNALFD4,
        [NEW, &raw const set as usize, SIGNAL_SET, NONBLOCK | CLOEXEC, 0, 0],
    ))
    .ok()
}

/// The next signal that arrived, if any.
pub fn next_signal(fd: &Fd) -> Option<i32> {
    // `struct signalfd_siginfo` has 128 bytes and begins with the signal's number.
    let mut arrived = [0u32; 32];
    let size = size_of_val(&arrived);
    let read = call(
        number::READ,
        [fd.raw(), arrived.as_mut_ptr() as usize, size, 0, 0, 0],
    );
    let [signal, ..] = arrived;
    (read == size as isize).then_some(signal as i32)
}

/// Listens on every IPv4 address at the port.
pub fn listen(port: u16) -> Option<Fd> {
    const AF_INET: usize = 2;
    const SOCK_STREAM: usize = 1;
    const SOL_SOCKET: usize = 1;
    const SO_REUSEADDR: usize = 2;
    const BACKLOG: usize = 512;
    let fd = Fd::from(call(
        number::SOCKET,
        [AF_INET, SOCK_STREAM | NONBLOCK | CLOEXEC, 0, 0, 0, 0],
    ))
    .ok()?;
    let on: i32 = 1;
    call(
        number::SETSOCKOPT,
        [
            fd.raw(),
            SOL_SOCKET,
            SO_REUSEADDR,
            &raw const on as usize,
            size_of_val(&on),
            0,
        ],
    );
    let address = Address {
        family: AF_INET as u16,
        port: port.to_be_bytes(),
        address: [0; 4],
        zero: [0; 8],
    };
    let bound = call(
        number::BIND,
        [
            fd.raw(),
            &raw const address as usize,
            size_of::<Address>(),
            0,
            0,
            0,
        ],
    );
    let listening = call(number::LISTEN, [fd.raw(), BACKLOG, 0, 0, 0, 0]);
    (bound == 0 && listening == 0).then_some(fd)
}

/// The next client in line, without waiting.
pub fn accept(listener: &Fd) -> Result<Fd, i32> {
    Fd::from(call(
        number::ACCEPT4,
        [listener.raw(), 0, 0, NONBLOCK | CLOEXEC, 0, 0],
    ))
}

/// What has arrived, without waiting; nothing when the other end hung up.
pub fn receive<'a>(fd: &Fd, buffer: &'a mut [u8]) -> Result<&'a [u8], i32> {
    let length = checked(call(
        number::READ,
        [fd.raw(), buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0],
    ))?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// Sends the bytes; false if they did not all fit into the socket's buffer.
pub fn send(fd: &Fd, bytes: &[u8]) -> bool {
    const MSG_NOSIGNAL: usize = 0x4000;
    let sent = call(
        number::SENDTO,
        [fd.raw(), bytes.as_ptr() as usize, bytes.len(), MSG_NOSIGNAL, 0, 0],
    );
    sent == bytes.len() as isize
}

/// Tells the other end that nothing more will come.
pub fn finish_sending(fd: &Fd) {
    const SHUT_WR: usize = 1;
    call(number::SHUTDOWN, [fd.raw(), SHUT_WR, 0, 0, 0, 0]);
}

/// Waits until one of the descriptors is ready, or for so many milliseconds.
pub fn poll(polls: &mut [PollFd], patience: Option<u64>) {
    let time = patience.map(|milliseconds| Timespec {
        seconds: (milliseconds / 1_000) as i64,
        nanoseconds: (milliseconds % 1_000 * 1_000_000) as i64,
    });
    let time = time.as_ref().map_or(0, |time| core::ptr::from_ref(time) as usize);
    call(
        number::PPOLL,
        [polls.as_mut_ptr() as usize, polls.len(), time, 0, 0, 0],
    );
}

/// Milliseconds of the monotonic clock.
pub fn now() -> u64 {
    const CLOCK_MONOTONIC: usize = 1;
    let mut time = Timespec {
        seconds: 0,
        nanoseconds: 0,
    };
    call(
        number::CLOCK_GETTIME,
        [CLOCK_MONOTONIC, &raw mut time as usize, 0, 0, 0, 0],
    );
    time.seconds as u64 * 1_000 + time.nanoseconds as u64 / 1_000_000
}

/// The host's name, read into the buffer.
pub fn host_name(buffer: &mut [u8; HOST_NAME]) -> &[u8] {
    // `struct new_utsname`: six fields of the same width, the second is the node's name.
    let mut names = [[0; HOST_NAME]; 6];
    call(number::UNAME, [names.as_mut_ptr() as usize, 0, 0, 0, 0, 0]);
    [_, *buffer, ..] = names;
    buffer.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Writes to standard error.
pub fn complain(message: &[u8]) {
    const STDERR: usize = 2;
    call(
        number::WRITE,
        [STDERR, message.as_ptr() as usize, message.len(), 0, 0, 0],
    );
}

fn exit(code: i32) -> ! {
    loop {
        call(number::EXIT_GROUP, [code as usize, 0, 0, 0, 0, 0]);
    }
}

/// The first Rust function: `stack` is what the kernel left, the argument count and then the arguments.
extern "C" fn enter(stack: *const usize) -> ! {
    // SAFETY: the kernel's entry contract: a count, then that many pointers to terminated strings, which live
    // as long as the process.
    let arguments = unsafe {
        Arguments {
            left: *stack,
            next: stack.add(1).cast(),
        }
    };
    exit(crate::main(arguments))
}

fn checked(result: isize) -> Result<usize, i32> {
    usize::try_from(result).map_err(|_| -result as i32)
}

#[cfg(target_arch = "x86_64")]
fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: every caller is in this file and passes pointers to live values of the size the kernel expects;
    // memory is not assumed unchanged.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

#[cfg(target_arch = "aarch64")]
fn call(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: every caller is in this file and passes pointers to live values of the size the kernel expects;
    // memory is not assumed unchanged.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack)
        );
    }
    result
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(101)
}

// === impl Fd ===

impl Fd {
    fn from(result: isize) -> Result<Self, i32> {
        checked(result).map(|fd| Fd(fd as i32))
    }

    fn raw(&self) -> usize {
        self.0 as usize
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        call(number::CLOSE, [self.raw(), 0, 0, 0, 0, 0]);
    }
}

// === impl Signals ===

impl Signals {
    pub fn of(signals: &[i32]) -> Self {
        Signals(signals.iter().fold(0, |set, signal| set | 1 << (signal - 1)))
    }
}

// === impl PollFd ===

impl PollFd {
    const POLLIN: i16 = 1;

    /// Waits for nothing: poll passes over negative descriptors.
    pub fn none() -> Self {
        PollFd {
            fd: -1,
            events: 0,
            revents: 0,
        }
    }

    pub fn readable(fd: &Fd) -> Self {
        PollFd {
            fd: fd.0,
            events: Self::POLLIN,
            revents: 0,
        }
    }

    /// Something arrived, or the other end is gone.
    pub fn ready(&self) -> bool {
        self.revents != 0
    }
}

// === impl Arguments ===

impl Arguments {
    /// The argument `next` will give.
    pub fn peek(&self) -> Option<&'static [u8]> {
        if self.left == 0 {
            return None;
        }
        // SAFETY: `left` pointers to terminated strings follow `next`, and live as long as the process (see
        // `enter`).
        let argument = unsafe { core::ffi::CStr::from_ptr((*self.next).cast()) };
        Some(argument.to_bytes())
    }
}

impl Iterator for Arguments {
    type Item = &'static [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let argument = self.peek()?;
        self.left -= 1;
        // SAFETY: at most one past the last argument, where the kernel puts a null pointer.
        self.next = unsafe { self.next.add(1) };
        Some(argument)
    }
}
