//! Running a container's lifecycle hooks.

use std::time::Duration;

use keelson_proto::core::LifecycleHandler;

use crate::probe::{self, HttpError, HttpTarget, Subject, TargetError};
use crate::runtime::RunError;

/// How we introduce ourselves.
const AGENT: &str = "kube-lifecycle/1.33";

/// The longest that a hook without a time limit may take: no container waits for ever on a hook that hangs.
pub(crate) const NO_LIMIT: Duration = Duration::from_secs(3600);

/// A hook failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    /// The command says so.
    #[error("command {command:?} exited with {code}: {words}")]
    Exit {
        /// The program and its arguments.
        command: Vec<String>,
        /// Its exit code.
        code: i32,
        /// What it wrote.
        words: String,
    },
    /// The command could not be run to its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Nobody answered.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It is not known whom to ask.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// There is nothing that can be done: a TCP socket has no meaning here.
    #[error("invalid handler: neither exec nor httpGet nor sleep")]
    Handler,
}

/// Runs `hook` to its end, within `limit`. Of an HTTP answer only that there is one counts, as in Kubernetes.
pub(crate) async fn run(
    hook: &LifecycleHandler,
    subject: &Subject,
    limit: Duration,
) -> Result<(), HookError> {
    if let Some(action) = &hook.exec {
        match probe::exec(subject, &action.command, limit).await? {
            (0, _) => Ok(()),
            (code, words) => Err(HookError::Exit { command: action.command.clone(), code, words }),
        }
    } else if let Some(action) = &hook.http_get {
        let target = HttpTarget::new(action, subject, AGENT)?;
        probe::get(&target, limit).await?;
        Ok(())
    } else if let Some(action) = &hook.sleep {
        let wanted = Duration::from_secs(u64::try_from(action.seconds).unwrap_or(0));
        tokio::time::sleep(wanted.min(limit)).await;
        Ok(())
    } else {
        Err(HookError::Handler)
    }
}
