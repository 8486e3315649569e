//! Which container's log is meant, and how much of it.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use keelson_base_client::ApiError;
use keelson_proto::core::{Container, ContainerStatus, Pod, PodLogOptions};

use crate::runtime::{ContainerState, LogOptions, LogStream, ObservedContainer, RuntimeError};
use crate::worker::View;

/// A log to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogSource {
    /// Id of the container.
    pub(crate) id: String,
    /// What to read of it.
    pub(crate) options: LogOptions,
    /// Stop after so many bytes.
    pub(crate) limit: Option<u64>,
}

/// Finds the log that `options` mean among the containers of `view`.
pub(crate) fn find(view: &View, options: &PodLogOptions, now: Timestamp) -> Result<LogSource, ApiError> {
    let pod = view.pod.as_ref().ok_or_else(|| ApiError::internal("the pod is not known to this node yet"))?;
    let only = only(options)?;
    let container = container(pod, &options.container)?;
    let instance = instance(view, pod, &container.name, options.previous)?;
    let limit = positive("limitBytes", options.limit_bytes, 1)?;
    Ok(LogSource {
        id: instance.id.clone(),
        options: LogOptions {
            follow: options.follow,
            tail: positive("tailLines", options.tail_lines, 0)?,
            since: since(options, now)?,
            timestamps: options.timestamps,
            only,
        },
        limit,
    })
}

/// Cuts a log after `limit` bytes.
pub(crate) fn limited(
    log: BoxStream<'static, Result<Bytes, RuntimeError>>,
    limit: Option<u64>,
) -> BoxStream<'static, Result<Bytes, RuntimeError>> {
    let Some(limit) = limit else { return log };
    let cut = log.scan(limit, |left, chunk| {
        if *left == 0 {
            return std::future::ready(None);
        }
        let chunk = chunk.map(|mut bytes| {
            bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            bytes
        });
        std::future::ready(Some(chunk))
    });
    cut.boxed()
}

/// The container of this name, or the only one.
pub(crate) fn container<'a>(pod: &'a Pod, name: &str) -> Result<&'a Container, ApiError> {
    let (containers, init) = (&pod.spec.containers, &pod.spec.init_containers);
    let names = |list: &[Container]| list.iter().map(|c| c.name.clone()).collect::<Vec<_>>().join(" ");
    let pod_name = &pod.metadata.name;
    if !name.is_empty() {
        let found = containers.iter().chain(init).find(|container| container.name == name);
        let unknown = || ApiError::bad_request(format!("container {name} is not valid for pod {pod_name}"));
        return found.ok_or_else(unknown);
    }
    match containers.as_slice() {
        [only] => Ok(only),
        several => {
            let mut message = format!(
                "a container name must be specified for pod {pod_name}, choose one of: [{}]",
                names(several)
            );
            if !init.is_empty() {
                message.push_str(&format!(" or one of the init containers: [{}]", names(init)));
            }
            Err(ApiError::bad_request(message))
        }
    }
}

/// The present instance of a container, or the one before it.
fn instance<'a>(
    view: &'a View,
    pod: &Pod,
    name: &str,
    previous: bool,
) -> Result<&'a ObservedContainer, ApiError> {
    let started = |c: &&ObservedContainer| c.identity.container == name && c.state != ContainerState::Created;
    let mut instances: Vec<&ObservedContainer> = view.containers.iter().filter(started).collect();
    instances.sort_by_key(|container| container.identity.attempt);
    let waiting = waiting(pod, name);
    // Between two runs the last one is the previous one already: there is nothing else yet.
    let back = match (previous, &waiting) {
        (true, None) => 1,
        _ => 0,
    };
    if let Some(instance) = instances.iter().rev().nth(back) {
        return Ok(instance);
    }
    let pod_name = &pod.metadata.name;
    Err(ApiError::bad_request(match (previous, waiting) {
        (true, _) => format!("previous terminated container \"{name}\" in pod \"{pod_name}\" not found"),
        (false, Some(reason)) => {
            format!("container \"{name}\" in pod \"{pod_name}\" is waiting to start: {reason}")
        }
        (false, None) => format!("container \"{name}\" in pod \"{pod_name}\" is not available"),
    }))
}

fn waiting(pod: &Pod, name: &str) -> Option<String> {
    let statuses = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
    let status: Option<&ContainerStatus> = statuses.into_iter().find(|status| status.name == name);
    status?.state.waiting.as_ref().map(|waiting| waiting.reason.clone())
}

/// The one output that is meant, if it is not both.
fn only(options: &PodLogOptions) -> Result<Option<LogStream>, ApiError> {
    let only = match options.stream.as_deref() {
        None | Some("" | "All") => return Ok(None),
        Some("Stdout") => LogStream::Stdout,
        Some("Stderr") => LogStream::Stderr,
        Some(other) => {
            let message = format!("unsupported stream {other:?}: must be All, Stdout or Stderr");
            return Err(ApiError::bad_request(message));
        }
    };
    if options.tail_lines.is_some() {
        // The runtime counts lines of both outputs.
        return Err(ApiError::bad_request("tailLines and stream may not both be specified: use one of them"));
    }
    Ok(Some(only))
}

fn positive(field: &str, value: Option<i64>, least: u64) -> Result<Option<u64>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    match u64::try_from(value) {
        Ok(value) if value >= least => Ok(Some(value)),
        _ => Err(ApiError::bad_request(format!("{field} must be greater than or equal to {least}"))),
    }
}

fn since(options: &PodLogOptions, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    match (options.since_seconds, &options.since_time) {
        (Some(_), Some(_)) => {
            Err(ApiError::bad_request("at most one of sinceTime or sinceSeconds may be specified"))
        }
        (Some(seconds), None) => {
            let seconds = positive("sinceSeconds", Some(seconds), 1)?.unwrap_or(0);
            Ok(Some(now.checked_sub(Duration::from_secs(seconds)).unwrap_or(Timestamp::MIN)))
        }
        (None, Some(time)) => Timestamp::from_second(time.seconds)
            .map(Some)
            .map_err(|error| ApiError::bad_request(format!("sinceTime: {error}"))),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
