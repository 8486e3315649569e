//! A manifest behind a URL, asked for now and then: there is no event for its change.

use std::sync::Arc;
use std::time::Duration;

use keelson_proto::core::Pod;
use tokio::time::{MissedTickBehavior, interval};

use super::Put;
use super::decode::{Place, decode};
use crate::probe;

/// How often (Kubernetes' value).
pub(super) const PERIOD: Duration = Duration::from_secs(20);

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The largest manifest.
const MAX_MANIFEST: usize = 10 << 20;

/// How we introduce ourselves.
const AGENT: &str = "keelson-kubelet";

/// Hands over the pods of the manifest at `url` now and whenever it says something else.
pub(super) async fn follow(url: String, period: Duration, place: Place, put: Put) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut told) = (None, String::new());
    loop {
        ticks.tick().await;
        let error = match fetch(&url).await {
            Ok(text) if last.as_ref() == Some(&text) => continue,
            Ok(text) => match decode(&text, &place) {
                Ok(pods) => {
                    put(pods.into_iter().map(Arc::<Pod>::new).collect());
                    last = Some(text);
                    told.clear();
                    continue;
                }
                Err(error) => error.to_string(),
            },
            Err(error) => error,
        };
        if last.is_none() && told.is_empty() {
            // What cannot be had describes nothing; the kubelet waits for nobody.
            put(Vec::new());
        }
        if error != told {
            tracing::error!(%url, %error, "cannot use the manifest of static pods");
            told = error;
        }
    }
}

async fn fetch(url: &str) -> Result<Vec<u8>, String> {
    let answer = probe::fetch(url, AGENT, LIMIT, MAX_MANIFEST).await.map_err(|error| error.to_string())?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(format!("status code {status}")),
    }
}
