//! Logs, as Docker keeps them.
//!
//! Following has a hole in older engines (seen in 20.10): what a container writes just before its end may be
//! in its log and yet missing from the stream. So whoever follows to the end reads the log once more from
//! where the stream ended.

mod editor;

use bollard::Docker as Client;
use bollard::container::LogOutput;
use bollard::errors::Error as Cause;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use keelson_kubelet::runtime::{LogOptions, LogStream, RuntimeError};

use self::editor::Editor;
use crate::error::{failed_on, status};

/// Standard output and standard error, interleaved as they were written.
pub(super) fn read(
    client: &Client,
    id: &str,
    options: LogOptions,
) -> BoxStream<'static, Result<Bytes, RuntimeError>> {
    let editor = Editor::new(&options);
    let phase = if options.follow { Phase::Following } else { Phase::Reading };
    let mut reader = Reader {
        client: client.clone(),
        id: id.to_owned(),
        options,
        editor,
        phase,
        pieces: stream::empty().boxed(),
    };
    reader.pieces = reader.request(reader.options.since, reader.options.tail);
    stream::unfold(reader, Reader::next).boxed()
}

/// A log being read.
struct Reader {
    client: Client,
    id: String,
    options: LogOptions,
    editor: Editor,
    phase: Phase,
    pieces: BoxStream<'static, Result<LogOutput, Cause>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Until the end of the log.
    Reading,
    /// Until the end of the container.
    Following,
    /// What following missed.
    CatchingUp,
    /// After an error.
    Over,
}

// === impl Reader ===

impl Reader {
    async fn next(mut self) -> Option<(Result<Bytes, RuntimeError>, Self)> {
        loop {
            match self.pieces.next().await {
                _ if self.phase == Phase::Over => return None,
                Some(Ok(piece)) => {
                    if let Some(bytes) = self.editor.edit(piece) {
                        return Some((Ok(bytes), self));
                    }
                }
                // The container ended, and was removed before its log could be read again.
                Some(Err(cause)) if self.phase == Phase::CatchingUp && status(&cause) == Some(404) => {
                    return None;
                }
                Some(Err(cause)) => {
                    self.phase = Phase::Over;
                    let error = failed_on("read logs", &self.id)(cause);
                    return Some((Err(error), self));
                }
                None if self.phase == Phase::Following => self.catch_up(),
                None => return None,
            }
        }
    }

    fn catch_up(&mut self) {
        self.phase = Phase::CatchingUp;
        self.pieces = match self.editor.resume() {
            Some(begin) => self.request(Some(begin), None),
            None => self.request(self.options.since, self.options.tail),
        };
    }

    fn request(
        &self,
        since: Option<Timestamp>,
        tail: Option<u64>,
    ) -> BoxStream<'static, Result<LogOutput, Cause>> {
        let options = LogsOptionsBuilder::default()
            .stdout(self.options.only != Some(LogStream::Stderr))
            .stderr(self.options.only != Some(LogStream::Stdout))
            .follow(self.phase == Phase::Following)
            .timestamps(self.editor.reads_times())
            .since(since.map_or(0, |since| i32::try_from(since.as_second()).unwrap_or(i32::MAX)))
            .tail(&tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()))
            .build();
        self.client.logs(&self.id, Some(options)).boxed()
    }
}
