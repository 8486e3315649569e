//! Generates the messages and the service of OTLP from the `.proto` files.

use std::error::Error;

const SERVICE: &str = "opentelemetry/proto/collector/trace/v1/trace_service.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile([SERVICE], ["proto"])?;
    tonic_prost_build::configure().build_transport(false).include_file("otlp.rs").compile_fds(files)?;
    Ok(())
}
