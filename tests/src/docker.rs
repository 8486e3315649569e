//! What Docker says about a cluster, and what real pods run in.

use std::process::Command;

use keelson_kubelet_docker::{Docker, ImageConfig, ImageFile};

use crate::Output;

/// An image with Debian's static busybox and its usual names in /bin.
pub const BUSYBOX: &str = "keelson/busybox:test";

/// The programs of busybox that scripts of tests use.
const APPLETS: [&str; 16] = [
    "sh", "sleep", "cat", "echo", "env", "ls", "true", "false", "wc", "wget", "hostname", "id", "touch",
    "grep", "httpd", "tar",
];

/// A container of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// The pod's name.
    pub pod: String,
    /// The container's name in the pod.
    pub name: String,
    /// `infra`, `init` or `app`.
    pub role: String,
    /// Which node's it is.
    pub node: String,
    /// Docker's word for its state: `running`, `exited` …
    pub state: String,
    /// Docker's id.
    pub id: String,
}

/// All containers of a cluster, those that have ended included.
///
/// # Panics
/// If Docker does not answer.
#[track_caller]
pub fn containers(cluster: &str) -> Vec<Container> {
    containers_at(&[], cluster)
}

/// The same of the engine that these flags of docker name.
#[track_caller]
pub(crate) fn containers_at(engine: &[&str], cluster: &str) -> Vec<Container> {
    let labels =
        ["io.kubernetes.pod.name", "io.kubernetes.container.name", "io.keelson.role", "io.keelson.node"];
    let labels = labels.map(|label| format!("{{{{.Label \"{label}\"}}}}")).join("\t");
    let format = format!("{labels}\t{{{{.State}}}}\t{{{{.ID}}}}");
    let filter = format!("label=io.keelson.cluster={cluster}");
    let words = ["ps", "--all", "--no-trunc", "--filter", &filter, "--format", &format];
    let text = docker(&[engine, &words].concat());
    let mut found: Vec<Container> = text.lines().map(Container::parse).collect();
    found.sort();
    found
}

/// Removes whatever of a cluster is left in Docker and in the kernel.
pub fn remove_cluster(cluster: &str) {
    let left = containers(cluster);
    if !left.is_empty() {
        let ids: Vec<&str> =
            ["rm", "--force", "--volumes"].into_iter().chain(left.iter().map(|c| c.id.as_str())).collect();
        docker(&ids);
    }
    for rule in rules(cluster) {
        // A chain that another still uses stays; it is in a network of this test alone.
        let _ = Output::of(Command::new("sh").args(["-c", &rule]), "");
    }
}

/// The commands of a shell that would remove a cluster's bridge and kernel rules: none if it has none.
pub fn rules(cluster: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let bridge = format!("kl-{cluster}");
    if std::path::Path::new("/sys/class/net").join(&bridge).exists() {
        commands.push(format!("ip link delete {bridge}"));
    }
    let tables = Output::of(Command::new("nft").args(["list", "tables"]), "").stdout;
    for table in tables.lines().filter(|line| line.ends_with(&format!("keelson_{cluster}"))) {
        commands.push(format!("nft delete {table}"));
    }
    for table in ["nat", "filter", "mangle"] {
        let saved = Output::of(Command::new("iptables-save").args(["-t", table]), "").stdout;
        let ours = |line: &&str| line.contains(&format!("KEELSON-{cluster}-"));
        let chains: Vec<&str> = saved.lines().filter(ours).collect();
        let foreign = chains.iter().filter_map(|line| line.strip_prefix("-A "));
        let jumps = foreign.filter(|rule| !rule.starts_with("KEELSON-"));
        commands.extend(jumps.map(|rule| format!("iptables -t {table} -D {rule}")));
        let names: Vec<&str> =
            chains.iter().filter_map(|line| line.strip_prefix(':')?.split(' ').next()).collect();
        commands.extend(names.iter().map(|chain| format!("iptables -t {table} -F {chain}")));
        commands.extend(names.iter().map(|chain| format!("iptables -t {table} -X {chain}")));
    }
    commands
}

/// Makes the image [`BUSYBOX`], unless it is there.
///
/// # Panics
/// If busybox is not installed, or Docker does not take it.
#[track_caller]
pub fn load_busybox() {
    let program = std::fs::read("/bin/busybox").expect("busybox-static is installed");
    let links = APPLETS.map(|applet| format!("/bin/{applet}"));
    let mut files = vec![
        ImageFile::Regular { path: "/bin/busybox", mode: 0o755, content: &program },
        ImageFile::Directory { path: "/tmp", mode: 0o1777 },
    ];
    files.extend(links.iter().map(|path| ImageFile::Link { path, target: "/bin/busybox" }));
    let config = ImageConfig {
        cmd: vec!["/bin/sh".to_owned()],
        env: vec![("PATH".to_owned(), "/bin".to_owned())],
        ..ImageConfig::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let docker = Docker::connect(None).await.expect("Docker answers");
        docker.load_image(BUSYBOX, &files, &config).await.expect("Docker takes an image");
    });
}

// === impl Container ===

impl Container {
    fn parse(line: &str) -> Self {
        let mut words = line.split('\t').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        Self { pod: next(), name: next(), role: next(), node: next(), state: next(), id: next() }
    }
}

#[track_caller]
fn docker(words: &[&str]) -> String {
    Output::of(Command::new("docker").args(words), "").ok()
}
