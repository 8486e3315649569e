//! Generates this crate's types: prost structs and tonic services from the `.proto` files, and from their
//! custom options the Kubernetes JSON form and the table of kinds.
//!
//! The objects' descriptors are rewritten for prost only (`rewrite.rs`); what is published for reflection
//! and OpenAPI is the set as written.

mod json;
mod kinds;
mod names;
mod rewrite;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let files = proto_files(Path::new("."))?;
    for dir in ["build", "google", "k8s.io", "keelson"] {
        println!("cargo:rerun-if-changed={dir}");
    }

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(&files)?;
    let pool = compiler.descriptor_pool();
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    let mut prost = prost_build::Config::new();
    prost.btree_map(["."]).bytes([".keelson.v1"]).out_dir(&out).include_file("modules.rs");
    // What a secret holds is shown to nobody (`src/secret.rs`).
    prost.skip_debug([
        ".k8s.io.api.core.v1.Secret",
        ".k8s.io.api.authentication.v1.TokenRequestStatus",
        ".k8s.io.api.authentication.v1.TokenReviewSpec",
    ]);
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds_with_config(rewrite::for_codegen(compiler.file_descriptor_set(), &pool), prost)?;

    fs::write(out.join("json.rs"), json::generate(&pool))?;
    fs::write(out.join("kinds.rs"), kinds::generate(&pool))?;
    Ok(())
}

/// Every `.proto` file below `dir`, by path relative to it.
fn proto_files(dir: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|ext| ext == "proto") {
                found.push(path.strip_prefix(dir)?.to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}
