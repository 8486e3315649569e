//! Compiles the program of Keelson's own images (`program/`) with the compiler that compiles everything else:
//! it has no libc and is linked to nothing, so it runs in an empty image.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=program");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    if let Err(message) = compile_program() {
        println!("cargo::error={message}");
    }
}

fn compile_program() -> Result<(), String> {
    let target = variable("TARGET")?;
    let machine = (variable("CARGO_CFG_TARGET_ARCH")?, variable("CARGO_CFG_TARGET_OS")?);
    let ("x86_64" | "aarch64", "linux") = (machine.0.as_str(), machine.1.as_str()) else {
        return Err(format!(
            "the infra container's program speaks to the Linux kernel of x86_64 and aarch64 only, not to \
             {target}: teach program/sys.rs and program/memory.rs its system calls"
        ));
    };
    let rustc = variable("RUSTC")?;
    let program = Path::new(&variable("OUT_DIR")?).join("pod");
    let mut command = Command::new(&rustc);
    command.args([
        "program/pod.rs",
        "--crate-name=pod",
        "--crate-type=bin",
        "--edition=2024",
        "--target",
        &target,
    ]);
    command.args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols", "-Crelocation-model=static"]);
    for argument in ["-nostartfiles", "-nostdlib", "-static", "-Wl,--build-id=none", "-Wl,-z,norelro"] {
        command.arg(format!("-Clink-arg={argument}"));
    }
    if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl") {
        command.arg("-Clink-self-contained=no"); // its own startup files would be a second _start
    }
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        command.arg(format!("-Clinker={linker}"));
    }
    let status = command.arg("-o").arg(&program).status();
    let status = status.map_err(|error| format!("cannot run {rustc}: {error}"))?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| "program/pod.rs does not compile: see the messages above".to_owned())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: build this crate with cargo"))
}
