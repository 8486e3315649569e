//! `/logs/…`: files below /var/log, as they are on the machine.

use std::io;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::Path as UrlPath;
use axum::response::{Html, IntoResponse as _, Response};
use futures::stream;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use keelson_base_client::ApiError;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::refusal;

/// The directory of the machine's logs.
const LOGS: &str = "/var/log";

/// What is read of a file at once.
const BUFFER: usize = 32 << 10;

/// The directory itself.
pub(super) async fn root() -> Response {
    serve(Path::new(LOGS), "").await
}

/// A file or a directory in it.
pub(super) async fn below(UrlPath(path): UrlPath<String>) -> Response {
    serve(Path::new(LOGS), &path).await
}

pub(super) async fn serve(root: &Path, path: &str) -> Response {
    let answer = async {
        let found = inside(root, path).await?;
        if found.is_dir() { listing(&found).await } else { content(&found).await }
    };
    answer.await.unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => refusal(ApiError::not_found("logs", path)),
        io::ErrorKind::PermissionDenied => refusal(ApiError::forbidden(
            "logs",
            path,
            "it is not below the directory of logs, or not readable",
        )),
        _ => refusal(ApiError::internal(error)),
    })
}

/// The real path of what is meant, which must be below `root`, whatever dots and links say.
async fn inside(root: &Path, path: &str) -> io::Result<PathBuf> {
    let root = tokio::fs::canonicalize(root).await?;
    let found = tokio::fs::canonicalize(root.join(path.trim_start_matches('/'))).await?;
    if found.starts_with(&root) { Ok(found) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

async fn listing(directory: &Path) -> io::Result<Response> {
    let (mut entries, mut names) = (tokio::fs::read_dir(directory).await?, Vec::new());
    while let Some(entry) = entries.next_entry().await? {
        let slash = if entry.file_type().await?.is_dir() { "/" } else { "" };
        names.push(format!("{}{slash}", entry.file_name().to_string_lossy()));
    }
    names.sort();
    let links = names.iter().map(|name| format!("<a href=\"{0}\">{0}</a>\n", escaped(name)));
    Ok(Html(format!("<pre>\n{}</pre>\n", links.collect::<String>())).into_response())
}

async fn content(path: &Path) -> io::Result<Response> {
    let file = File::open(path).await?;
    if !file.metadata().await?.is_file() {
        // A pipe or a device would be read for ever.
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let pieces = stream::try_unfold(file, async |mut file| {
        let mut buffer = bytes::BytesMut::with_capacity(BUFFER);
        let read = file.read_buf(&mut buffer).await?;
        Ok::<_, io::Error>((read > 0).then(|| (buffer.freeze(), file)))
    });
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(CONTENT_TYPE, text)], Body::from_stream(pieces)).into_response())
}

fn escaped(name: &str) -> String {
    name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
