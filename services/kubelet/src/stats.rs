//! Statistics of the node, its pods and their containers: cAdvisor's part. Read when somebody asks, never by itself.

mod cadvisor;
mod cgroup;
mod machine;
mod measure;
mod network;
mod rate;
mod sampler;
mod summary;

pub(crate) use self::cadvisor::exposition;
pub use self::measure::measure;
pub(crate) use self::sampler::Sampler;
pub(crate) use self::summary::summary;
