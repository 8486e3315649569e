//! NoDiskConflict: a GCE disk may be used twice on a node if both only read; an EBS volume never.

use keelson_proto::core::Pod;

use crate::pod::PodInfo;
use crate::snapshot::NodeInfo;

/// A network disk that a node attaches as a whole.
#[derive(Clone, Copy, PartialEq)]
enum Disk<'a> {
    Gce { name: &'a str, is_read_only: bool },
    Ebs { volume: &'a str },
}

/// Whether a pod on the node uses a disk that this pod cannot share with it.
pub(super) fn conflict(pod: &PodInfo, node: &NodeInfo) -> bool {
    let wanted: Vec<Disk<'_>> = disks(&pod.pod).collect();
    if wanted.is_empty() {
        return false;
    }
    let mut taken = node.load.pods().flat_map(|other| disks(&other.pod));
    taken.any(|taken| wanted.iter().any(|wanted| wanted.conflicts_with(taken)))
}

fn disks(pod: &Pod) -> impl Iterator<Item = Disk<'_>> {
    pod.spec.volumes.iter().flat_map(|volume| {
        let source = &volume.volume_source;
        let gce = source.gce_persistent_disk.as_ref();
        let gce = gce.map(|disk| Disk::Gce { name: &disk.pd_name, is_read_only: disk.read_only });
        let ebs = source.aws_elastic_block_store.as_ref();
        gce.into_iter().chain(ebs.map(|disk| Disk::Ebs { volume: &disk.volume_id }))
    })
}

// === impl Disk ===

impl Disk<'_> {
    fn conflicts_with(&self, other: Disk<'_>) -> bool {
        match (*self, other) {
            (Self::Gce { name, is_read_only }, Disk::Gce { name: other, is_read_only: other_reads }) => {
                name == other && !(is_read_only && other_reads)
            }
            (Self::Ebs { volume }, Disk::Ebs { volume: other }) => volume == other,
            _ => false,
        }
    }
}
