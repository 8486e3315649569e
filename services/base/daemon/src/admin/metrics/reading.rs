//! Metrics that nobody counts: what they tell is read where it is kept, when they are scraped.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::Labels;

/// Reads a number; quick, and without waiting.
type Read = Box<dyn Fn() -> f64 + Send + Sync>;

/// Numbers told apart by labels, each read when scraped. Clones are the same numbers.
#[derive(Clone)]
pub struct Readings {
    reads: Arc<Mutex<BTreeMap<Labels, Read>>>,
    /// Whether they only grow.
    grow: bool,
}

// === impl Readings ===

impl Readings {
    pub(super) fn new(grow: bool) -> Self {
        Self { reads: Arc::default(), grow }
    }

    /// From now on `read` tells the number with these labels; a reading from before is dropped.
    pub fn set(&self, labels: Labels, read: impl Fn() -> f64 + Send + Sync + 'static) {
        let old = self.lock().insert(labels, Box::new(read));
        // Dropped here, and not under the lock: it may own what reads the metrics when it goes.
        drop(old);
    }

    fn write(&self, encoder: &mut MetricEncoder<'_>, value: f64) -> Result<(), fmt::Error> {
        match self.grow {
            true => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
            false => encoder.encode_gauge(&value),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Labels, Read>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EncodeMetric for Readings {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (labels, read) in &*self.lock() {
            let value = read();
            // A family without labels would be written with empty braces.
            if labels.is_empty() {
                self.write(&mut encoder, value)?;
            } else {
                self.write(&mut encoder.encode_family(labels)?, value)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        if self.grow { MetricType::Counter } else { MetricType::Gauge }
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readings").finish_non_exhaustive()
    }
}
