//! The container that a runtime is asked to make.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::Identity;

/// A container to create and start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Whose it is; the runtime's own container name is made of it.
    pub identity: Identity,
    /// The image's name; empty for an infra container that uses the runtime's own infra image.
    pub image: String,
    /// Replaces the image's entrypoint, unless empty.
    pub command: Vec<String>,
    /// Replaces the image's arguments, unless empty. If only the command is given the image's arguments are dropped.
    pub args: Vec<String>,
    /// Environment, in order; names are unique.
    pub env: Vec<(String, String)>,
    /// Working directory; empty is the image's.
    pub working_dir: String,
    /// What is mounted, in the order of the spec.
    pub mounts: Vec<Mount>,
    /// Shares and limits.
    pub resources: Resources,
    /// User, capabilities and such.
    pub security: Security,
    /// Keep standard input open.
    pub stdin: bool,
    /// Close standard input after the first attach has ended.
    pub stdin_once: bool,
    /// Allocate a terminal.
    pub tty: bool,
    /// Bounds of the container's log.
    pub log: LogLimits,
    /// Its place in the pod.
    pub process: Process,
}

/// A container's place in its pod: the one that makes the namespaces, or one that joins them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Process {
    /// The infra container.
    Infra(Infra),
    /// A container that joins the network and the IPC of the pod's infra container (host name and resolv.conf come
    /// with the network).
    Join {
        /// Id of the infra container.
        infra: String,
        /// See the host's processes.
        host_pid: bool,
        /// Share the infra container's process namespace.
        share_pid: bool,
        /// Use the host's IPC.
        host_ipc: bool,
    },
}

/// What the infra container holds for its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Infra {
    /// The pod's host name.
    pub hostname: String,
    /// A network of its own; absent means the host's.
    pub network: Option<PodNetwork>,
    /// Use the host's IPC.
    pub host_ipc: bool,
    /// The pod's resolv.conf.
    pub dns: Dns,
    /// Kernel parameters of the pod's namespaces.
    pub sysctls: BTreeMap<String, String>,
}

/// The pod's own network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodNetwork {
    /// Ports of the pod that are opened on the host.
    pub ports: Vec<PortMapping>,
    /// Further lines for /etc/hosts: address and names.
    pub hosts: Vec<(IpAddr, Vec<String>)>,
}

/// A host port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapping {
    /// Address on the host; absent means all.
    pub host_ip: Option<IpAddr>,
    /// Port on the host.
    pub host_port: u16,
    /// Port in the pod.
    pub container_port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

/// The content of resolv.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// Name servers; empty means the host's.
    pub servers: Vec<IpAddr>,
    /// Search domains; empty means the host's.
    pub searches: Vec<String>,
    /// Options, as `ndots:5`.
    pub options: Vec<String>,
}

/// Something mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What.
    pub source: MountSource,
    /// Where, in the container.
    pub container_path: String,
    /// Forbid writing.
    pub read_only: bool,
    /// Whether mounts that are made later show on the other side.
    pub propagation: Propagation,
}

/// Which later mounts below a mount are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// None.
    #[default]
    None,
    /// Those of the host, in the container.
    HostToContainer,
    /// Those of either side, on the other.
    Bidirectional,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A file or directory of the host, which exists.
    Host(PathBuf),
    /// Memory that lives as long as the container, of at most so many bytes (0: the kernel's default).
    Memory(u64),
}

/// Shares and limits of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU weight (1024 is one core's worth); 0 means the runtime's default.
    pub cpu_shares: u64,
    /// Microseconds of CPU in every 100 ms; 0 means no limit.
    pub cpu_quota: u64,
    /// Bytes of memory; 0 means no limit.
    pub memory: u64,
    /// Processes and threads at most; 0 means no limit.
    pub pids: u64,
    /// How gladly the kernel kills it when memory is short, -1000 to 1000.
    pub oom_score_adj: i32,
}

/// What a container may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// User id; absent means the image's user.
    pub user: Option<i64>,
    /// Group id; absent means the user's group.
    pub group: Option<i64>,
    /// Further groups.
    pub supplemental_groups: Vec<i64>,
    /// Almost everything that the host's root may do.
    pub privileged: bool,
    /// Capabilities to add, without `CAP_`.
    pub add_capabilities: Vec<String>,
    /// Capabilities to drop, without `CAP_`.
    pub drop_capabilities: Vec<String>,
    /// The container's own file system is read-only.
    pub read_only_root: bool,
    /// Forbid set-user-id programs to gain privileges.
    pub no_new_privileges: bool,
    /// Which system calls are let through.
    pub seccomp: Seccomp,
    /// The parts of the SELinux label that are given: `user`, `role`, `type` or `level`, and the value.
    pub selinux: Vec<(&'static str, String)>,
    /// The AppArmor profile, `unconfined` being none; absent means the runtime's own.
    pub apparmor: Option<String>,
    /// Show all of /proc, the parts that runtimes hide included.
    pub unmasked_proc: bool,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seccomp {
    /// Those of the runtime's own profile.
    #[default]
    RuntimeDefault,
    /// All.
    Unconfined,
    /// Those of this profile, in the JSON that runtimes read.
    Profile(String),
}

/// Bounds of a container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes of one log file.
    pub max_size: u64,
    /// Number of log files that are kept.
    pub max_files: u32,
}

// === impl LogLimits ===

impl Default for LogLimits {
    fn default() -> Self {
        Self { max_size: 10 << 20, max_files: 5 }
    }
}
