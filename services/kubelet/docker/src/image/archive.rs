//! An image as one file, in the format of `docker save`: a manifest, a configuration and one layer.
//!
//! The same input gives the same bytes: no clock, no owner, a fixed order.

use std::collections::BTreeSet;
use std::env::consts::ARCH;
use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::{ImageConfig, ImageFile};

/// The label that holds the hash of an image's content, so that a look tells whether it has to be loaded
/// again.
pub(crate) const CONTENT_LABEL: &str = "io.keelson.content";
/// When every image was created.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// An image, ready to be loaded.
pub(crate) struct Archive {
    /// What Docker loads.
    pub(crate) bytes: Vec<u8>,
    /// Hash of layer and configuration: the value of [`CONTENT_LABEL`].
    pub(crate) content: String,
}

// === impl Archive ===

impl Archive {
    pub(crate) fn build(name: &str, files: &[ImageFile<'_>], config: &ImageConfig) -> io::Result<Self> {
        let layer = layer(files)?;
        let layer_hash = hash(&layer);
        let mut config = container_config(config);
        let content = hash(format!("{layer_hash} {}", Value::Object(config.clone())).as_bytes());
        config.insert("Labels".to_owned(), json!({ CONTENT_LABEL: content }));
        let image = image_json(config, &layer_hash).to_string();
        let (image_path, layer_path) =
            (format!("{}.json", hash(image.as_bytes())), format!("{layer_hash}/layer.tar"));
        let manifest =
            json!([{ "Config": image_path, "RepoTags": [name], "Layers": [layer_path] }]).to_string();
        let mut archive = Builder::new(Vec::new());
        for (path, content) in [
            (image_path.as_str(), image.as_bytes()),
            (&layer_path, &layer),
            ("manifest.json", manifest.as_bytes()),
        ] {
            archive.append_data(&mut header(EntryType::Regular, 0o644, content.len()), path, content)?;
        }
        Ok(Archive { bytes: archive.into_inner()?, content })
    }
}

fn layer(files: &[ImageFile<'_>]) -> io::Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    for directory in parents(files) {
        layer.append_data(&mut header(EntryType::Directory, 0o755, 0), directory, io::empty())?;
    }
    for file in files {
        match file {
            ImageFile::Regular { path, mode, content } => {
                layer.append_data(
                    &mut header(EntryType::Regular, *mode, content.len()),
                    relative(path),
                    *content,
                )?;
            }
            ImageFile::Link { path, target } => {
                layer.append_link(&mut header(EntryType::Symlink, 0o777, 0), relative(path), target)?;
            }
            ImageFile::Directory { path, mode } => {
                layer.append_data(
                    &mut header(EntryType::Directory, *mode, 0),
                    relative(path),
                    io::empty(),
                )?;
            }
        }
    }
    layer.into_inner()
}

/// The directories that must be there before the files, outer ones first.
fn parents<'a>(files: &[ImageFile<'a>]) -> BTreeSet<&'a Path> {
    let mut parents = BTreeSet::new();
    let mut listed = BTreeSet::new();
    for file in files {
        let (ImageFile::Regular { path, .. }
        | ImageFile::Link { path, .. }
        | ImageFile::Directory { path, .. }) = file;
        let path = Path::new(relative(path));
        parents.extend(path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()));
        if matches!(file, ImageFile::Directory { .. }) {
            listed.insert(path);
        }
    }
    &parents - &listed
}

fn relative(path: &str) -> &str {
    path.trim_matches('/')
}

fn header(kind: EntryType, mode: u32, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn container_config(config: &ImageConfig) -> Map<String, Value> {
    let env: Vec<String> = config.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let ports: Map<String, Value> =
        config.exposed_ports.iter().map(|port| (port.clone(), json!({}))).collect();
    let mut object = Map::new();
    object.insert("Entrypoint".to_owned(), json!(config.entrypoint));
    object.insert("Cmd".to_owned(), json!(config.cmd));
    object.insert("Env".to_owned(), json!(env));
    object.insert("WorkingDir".to_owned(), json!(config.working_dir));
    object.insert("User".to_owned(), json!(config.user));
    object.insert("ExposedPorts".to_owned(), Value::Object(ports));
    object
}

fn image_json(config: Map<String, Value>, layer_hash: &str) -> Value {
    json!({
        "architecture": architecture(),
        "os": "linux",
        "created": EPOCH,
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_hash}")] },
        "history": [{ "created": EPOCH, "created_by": "keelson" }],
    })
}

/// Images name machines as Go does.
fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn hash(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[ImageFile<'_>] = &[
        ImageFile::Regular { path: "/usr/bin/tool", mode: 0o755, content: b"tool" },
        ImageFile::Link { path: "bin", target: "usr/bin" },
        ImageFile::Directory { path: "/tmp", mode: 0o1777 },
        ImageFile::Regular { path: "/tmp/x", mode: 0o600, content: b"" },
    ];

    fn paths(layer: &[u8]) -> Vec<(String, u32)> {
        let mut archive = tar::Archive::new(layer);
        let entries = archive.entries().unwrap().map(Result::unwrap);
        entries
            .map(|entry| (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap()))
            .collect()
    }

    #[test]
    fn parents_come_before_their_files_and_once() {
        let layer = layer(FILES).unwrap();
        let expected = [
            ("usr", 0o755),
            ("usr/bin", 0o755),
            ("usr/bin/tool", 0o755),
            ("bin", 0o777),
            ("tmp", 0o1777),
            ("tmp/x", 0o600),
        ];
        assert_eq!(paths(&layer), expected.map(|(path, mode)| (path.to_owned(), mode)));
    }

    #[test]
    fn the_same_input_gives_the_same_bytes_and_any_change_another_hash() {
        let config = ImageConfig { entrypoint: vec!["/usr/bin/tool".into()], ..ImageConfig::default() };
        let one = Archive::build("a:1", FILES, &config).unwrap();
        assert_eq!(one.bytes, Archive::build("a:1", FILES, &config).unwrap().bytes);
        assert_eq!(one.content, Archive::build("b:1", FILES, &config).unwrap().content);
        assert_ne!(one.content, Archive::build("a:1", &FILES[1..], &config).unwrap().content);
        assert_ne!(one.content, Archive::build("a:1", FILES, &ImageConfig::default()).unwrap().content);
    }

    #[test]
    fn paths_cannot_leave_the_image() {
        let out = [ImageFile::Regular { path: "../etc/passwd", mode: 0o644, content: b"" }];
        assert!(Archive::build("a:1", &out, &ImageConfig::default()).is_err());
    }
}
