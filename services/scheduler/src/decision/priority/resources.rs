//! The priorities that look at cpu and memory, with 1.0's formulas on today's `allocatable`.

use super::BEST;
use crate::pod::PodInfo;
use crate::snapshot::NodeInfo;

/// What would be requested, and what there is.
struct Share {
    requested: i128,
    capacity: i128,
}

/// The free tenths of cpu and of memory, halved. A resource that the node lacks, or that would be overdrawn, has none.
pub(super) fn least_requested(pod: &PodInfo, node: &NodeInfo) -> i64 {
    let (cpu, memory) = shares(pod, node);
    (cpu.free_tenths() + memory.free_tenths()) / 2
}

/// The best score less the tenths between the used parts of cpu and memory; 0 if either would be used up.
pub(super) fn balanced(pod: &PodInfo, node: &NodeInfo) -> i64 {
    let (cpu, memory) = shares(pod, node);
    let (cpu, memory) = (cpu.used_part(), memory.used_part());
    if cpu >= 1.0 || memory >= 1.0 {
        return 0;
    }
    // Within 0 to 10, so that nothing is cut off but the fraction.
    (10.0 - (cpu - memory).abs() * 10.0) as i64
}

fn shares(pod: &PodInfo, node: &NodeInfo) -> (Share, Share) {
    let share = |used: i64, asked: i64, capacity: i64| Share {
        requested: i128::from(used) + i128::from(asked),
        capacity: i128::from(capacity),
    };
    let (load, has) = (&node.load, &node.allocatable);
    let cpu = share(load.weighed_cpu(), pod.weighed_cpu, has.milli_cpu);
    (cpu, share(load.weighed_memory(), pod.weighed_memory, has.memory))
}

// === impl Share ===

impl Share {
    fn free_tenths(&self) -> i64 {
        if self.capacity <= 0 || self.requested > self.capacity {
            return 0;
        }
        let tenths = (self.capacity - self.requested) * i128::from(BEST) / self.capacity;
        i64::try_from(tenths).unwrap_or(BEST).min(BEST)
    }

    fn used_part(&self) -> f64 {
        if self.capacity <= 0 { 1.0 } else { (self.requested as f64 / self.capacity as f64).max(0.0) }
    }
}
