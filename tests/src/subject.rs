//! What a suite runs against: the target that was named, or a hollow cluster of its own.

use std::ops::Deref;

use crate::{InProcess, Target};

/// What a suite runs against: the target that was named, or a hollow cluster of its own.
#[derive(Debug)]
pub enum Subject {
    /// A cluster of one's own.
    Own(Box<InProcess>),
    /// Somebody else's.
    Named(Box<Target>),
}

// === impl Subject ===

impl Subject {
    /// The named target, or else a new cluster.
    ///
    /// # Panics
    /// If there is no cluster to be had.
    #[track_caller]
    pub fn start() -> Self {
        match Target::from_env() {
            Some(target) => Self::Named(Box::new(target)),
            None => Self::Own(Box::new(InProcess::start())),
        }
    }
}

impl Deref for Subject {
    type Target = Target;

    fn deref(&self) -> &Target {
        match self {
            Self::Own(cluster) => cluster.target(),
            Self::Named(target) => target,
        }
    }
}
