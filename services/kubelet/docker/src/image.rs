//! Images made here: Keelson's own, and any that a test or a demo needs where no registry is.

mod archive;

use bollard::Docker as Client;
use bollard::query_parameters::ImportImageOptionsBuilder;
use futures::TryStreamExt as _;

use self::archive::Archive;
use crate::DockerError;
use crate::error::{in_words, status};

/// The infra container's image: holds a pod's namespaces, does nothing else.
pub const PAUSE_IMAGE: &str = "keelson/pause:1";
/// The demo's image: answers every HTTP request on port 9376 (`--port=N`) with the name of its pod.
pub const DEMO_IMAGE: &str = "keelson/serve-hostname:1";

/// What both are made of (`program/`).
pub(crate) const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pod"));

/// A file of an image.
#[derive(Clone, Debug)]
pub enum ImageFile<'a> {
    /// A regular file.
    Regular {
        /// Where, from the image's root.
        path: &'a str,
        /// Permission bits.
        mode: u32,
        /// Its content.
        content: &'a [u8],
    },
    /// A symbolic link.
    Link {
        /// Where, from the image's root.
        path: &'a str,
        /// What it points to.
        target: &'a str,
    },
    /// A directory. Parents of files need no entry of their own: they are made, with mode 0755.
    Directory {
        /// Where, from the image's root.
        path: &'a str,
        /// Permission bits.
        mode: u32,
    },
}

/// How containers of an image run, unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments, or the whole command if there is no entrypoint.
    pub cmd: Vec<String>,
    /// Environment.
    pub env: Vec<(String, String)>,
    /// Working directory; empty is `/`.
    pub working_dir: String,
    /// User; empty is root.
    pub user: String,
    /// Documented ports, as `9376/tcp`.
    pub exposed_ports: Vec<String>,
}

/// An image that Keelson brings along.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) files: [ImageFile<'static>; 1],
    pub(crate) config: ImageConfig,
}

/// The images that Keelson brings along.
pub(crate) fn builtins() -> [Builtin; 2] {
    let builtin = |name, path, exposed_ports| Builtin {
        name,
        files: [ImageFile::Regular { path, mode: 0o755, content: PROGRAM }],
        config: ImageConfig { entrypoint: vec![path.to_owned()], exposed_ports, ..ImageConfig::default() },
    };
    [
        builtin(PAUSE_IMAGE, "/pause", vec![]),
        builtin(DEMO_IMAGE, "/serve-hostname", vec!["9376/tcp".to_owned()]),
    ]
}

/// Loads an image unless its name already stands for the same content; returns its id.
pub(crate) async fn load(
    client: &Client,
    name: &str,
    files: &[ImageFile<'_>],
    config: &ImageConfig,
) -> Result<String, DockerError> {
    let failed = |message| DockerError::Load { image: name.to_owned(), message };
    let archive = Archive::build(name, files, config).map_err(|error| failed(error.to_string()))?;
    if let Some(id) = find(client, name, &archive.content).await? {
        return Ok(id);
    }
    let options = ImportImageOptionsBuilder::default().quiet(true).build();
    let body = bollard::body_full(archive.bytes.into());
    let progress = client.import_image(options, body, None);
    progress.try_for_each(|_| async { Ok(()) }).await.map_err(|cause| failed(in_words(&cause)))?;
    let loaded = find(client, name, &archive.content).await?;
    loaded.ok_or_else(|| failed("it is not there afterwards".to_owned()))
}

/// The id of the image of this name, if it has this content.
async fn find(client: &Client, name: &str, content: &str) -> Result<Option<String>, DockerError> {
    let image = match client.inspect_image(name).await {
        Err(cause) if status(&cause) == Some(404) => return Ok(None),
        other => other.map_err(crate::error::failed("inspect image"))?,
    };
    let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
    let same = labels.get(archive::CONTENT_LABEL).is_some_and(|label| label == content);
    Ok(image.id.filter(|_| same))
}
