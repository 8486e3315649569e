//! What a caller sends to a program.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use keelson_base_client::ApiError;
use keelson_proto::v1::ContainerInput;
use keelson_proto::v1::container_input::Input;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tonic::Status;

use crate::runtime::Control;

/// A program's standard input, and what else can be told to it.
pub(super) struct Program {
    /// Absent if it was not wanted, or has ended.
    pub(super) stdin: Option<Pin<Box<dyn AsyncWrite + Send>>>,
    pub(super) control: Arc<dyn Control>,
    /// What its input ends with.
    pub(super) end: End,
}

/// How a program learns that there is no more input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its input is closed.
    Close,
    /// Its terminal says so (Ctrl-D): a terminal's input has no half that could be closed without the other.
    Type,
    /// Not at all: who leaves a container's own terminal leaves the container as it is.
    Leave,
}

/// What a terminal takes for the end of input.
const END_OF_TRANSMISSION: &[u8] = b"\x04";

// === impl Program ===

impl Program {
    /// Passes on what comes until it ends, and then the end. A program that no longer reads is no fault.
    ///
    /// # Errors
    /// If the caller breaks the rules of the call.
    pub(super) async fn feed(
        mut self,
        mut input: impl Stream<Item = Result<ContainerInput, Status>> + Unpin,
    ) -> Result<(), ApiError> {
        while let Some(piece) = input.next().await {
            // The caller is gone; his call ends by itself, and with it this.
            let Ok(piece) = piece else { return Ok(()) };
            match piece.input {
                Some(Input::Stdin(bytes)) => self.write(&bytes).await,
                Some(Input::Resize(size)) => {
                    let side = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
                    if let Err(error) = self.control.resize(side(size.width), side(size.height)).await {
                        tracing::debug!(%error, "cannot resize a terminal");
                    }
                }
                Some(Input::CloseStdin(true)) => self.close().await,
                Some(Input::CloseStdin(false)) | None => {}
                Some(Input::Exec(_) | Input::Attach(_)) => {
                    return Err(ApiError::bad_request("only the first message may be exec or attach"));
                }
            }
        }
        self.close().await;
        // What is dropped is closed: not before the program has ended, and with it the call.
        match self.end {
            End::Close => Ok(()),
            End::Type | End::Leave => std::future::pending().await,
        }
    }

    async fn write(&mut self, bytes: &[u8]) {
        let Some(stdin) = &mut self.stdin else { return };
        let written = async {
            stdin.write_all(bytes).await?;
            stdin.flush().await
        };
        if written.await.is_err() {
            self.stdin = None;
        }
    }

    async fn close(&mut self) {
        match self.end {
            End::Close => {
                if let Some(mut stdin) = self.stdin.take() {
                    // Closed already is as good.
                    let _ = stdin.shutdown().await;
                }
            }
            End::Type => {
                self.write(END_OF_TRANSMISSION).await;
                // Said once.
                self.end = End::Leave;
            }
            End::Leave => {}
        }
    }
}
