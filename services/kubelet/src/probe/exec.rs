//! Running a command in a container.

use std::time::Duration;

use super::{Finding, MAX_ANSWER, Subject};
use crate::runtime::{self, RunError, RuntimeError};

/// Exit code 0 is success.
pub(super) async fn check(subject: &Subject, command: &[String], limit: Duration) -> Finding {
    match exec(subject, command, limit).await {
        Ok((0, _)) => Finding::Success,
        Ok((_, words)) => Finding::Failure(words),
        Err(error @ (RunError::TimedOut { .. } | RunError::Runtime(RuntimeError::Refused { .. }))) => {
            Finding::Failure(error.to_string())
        }
        Err(error) => Finding::Unknown(error.to_string()),
    }
}

/// Runs `command` to its end; answers with its exit code and what it wrote.
pub(crate) async fn exec(
    subject: &Subject,
    command: &[String],
    limit: Duration,
) -> Result<(i32, String), RunError> {
    let ran = runtime::run(&*subject.runtime, &subject.id, command, limit, MAX_ANSWER).await?;
    let words = [ran.stdout, ran.stderr].concat();
    Ok((ran.code, String::from_utf8_lossy(&words).into_owned()))
}
