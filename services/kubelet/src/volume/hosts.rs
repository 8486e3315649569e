//! The /etc/hosts of a pod: its own names, and its aliases.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keelson_proto::core::Pod;

use super::VolumeError;

const HOST_FILE: &str = "/etc/hosts";

/// What every machine calls itself.
const LOCAL: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
";

/// Writes the file, in place: containers that run hold it. `names` are those of the pod. Blocks on the disk.
pub(super) fn write(file: &Path, pod: &Pod, ips: &[IpAddr], names: &[String]) -> Result<(), VolumeError> {
    let base = if pod.spec.host_network {
        let host = fs::read_to_string(HOST_FILE).map_err(VolumeError::io("read", Path::new(HOST_FILE)))?;
        format!("# Kubernetes-managed hosts file (host network).\n{host}")
    } else {
        own(ips, names)
    };
    let failed = || VolumeError::io("write", file);
    fs::write(file, base + &aliases(pod)).map_err(failed())?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).map_err(failed())
}

/// The file of a pod with a network of its own.
fn own(ips: &[IpAddr], names: &[String]) -> String {
    let mut text = format!("# Kubernetes-managed hosts file.\n{LOCAL}");
    for ip in ips {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{ip}\t{}", names.join("\t"));
    }
    text
}

fn aliases(pod: &Pod) -> String {
    let lines =
        pod.spec.host_aliases.iter().map(|alias| format!("{}\t{}\n", alias.ip, alias.hostnames.join("\t")));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n# Entries added by HostAliases.\n{lines}") }
}

#[cfg(test)]
mod tests {
    use keelson_proto::core::HostAlias;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_pod_knows_its_names_and_aliases() {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("etc-hosts");
        let mut pod = Pod::default();
        let hostnames = vec!["db".to_owned(), "db.old".to_owned()];
        pod.spec.host_aliases = vec![HostAlias { ip: "10.0.0.9".to_owned(), hostnames }];
        let names = ["web.sub.shop.svc.cluster.local".to_owned(), "web".to_owned()];
        write(&file, &pod, &["10.1.2.3".parse().unwrap()], &names).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"), "{text}");
        let end = "10.1.2.3\tweb.sub.shop.svc.cluster.local\tweb\n\n# Entries added by HostAliases.\n10.0.0.9\tdb\tdb.old\n";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        pod.spec.host_network = true;
        write(&file, &pod, &[], &[]).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&fs::read_to_string(HOST_FILE).unwrap()) && text.contains("db.old"), "{text}");
    }
}
