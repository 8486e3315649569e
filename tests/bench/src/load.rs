//! Clients that do the same thing again and again, side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::latencies::Latencies;

/// One of several clients.
pub(crate) trait Client: Send + 'static {
    /// Does it once; no two steps of a load have the same number.
    fn step(&mut self, number: u64) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// When a load ends: whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// How long.
    pub(crate) time: Duration,
    /// How many steps of all clients together.
    pub(crate) count: u64,
}

/// What a load did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the first step to the end of the last.
    pub(crate) took: Duration,
    /// Of each step.
    pub(crate) latencies: Latencies,
}

// === impl Outcome ===

impl Outcome {
    /// Steps per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }
}

/// Runs all clients until the bound.
pub(crate) async fn run<C: Client>(clients: Vec<C>, bound: Bound) -> anyhow::Result<Outcome> {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn(repeat(client, Arc::clone(&next), began, bound));
    }
    let mut times = Vec::new();
    while let Some(ended) = running.join_next().await {
        times.extend(ended??);
    }
    Ok(Outcome { took: began.elapsed(), latencies: Latencies::new(times) })
}

async fn repeat<C: Client>(
    mut client: C,
    next: Arc<AtomicU64>,
    began: Instant,
    bound: Bound,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    while began.elapsed() < bound.time {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= bound.count {
            break;
        }
        let step = Instant::now();
        client.step(number).await?;
        times.push(step.elapsed());
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counts;

    impl Client for Counts {
        async fn step(&mut self, _: u64) -> anyhow::Result<()> {
            tokio::task::yield_now().await;
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_load_ends_at_its_count() {
        let bound = Bound { time: Duration::from_secs(3600), count: 100 };
        let outcome = run(vec![Counts, Counts, Counts], bound).await.unwrap();
        assert_eq!(outcome.latencies.len(), 100);
    }

    #[tokio::test]
    async fn a_load_ends_at_its_time() {
        let outcome = run(vec![Counts], Bound { time: Duration::ZERO, count: 100 }).await.unwrap();
        assert_eq!(outcome.latencies.len(), 0);
    }
}
