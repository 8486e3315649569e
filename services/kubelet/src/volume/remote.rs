//! Volumes that are elsewhere: network file systems, and devices that a server, a cluster or a cloud gives. What they are
//! and which commands reach them. Pure.

use keelson_proto::core::{
    Endpoints, GlusterfsVolumeSource, IscsiPersistentVolumeSource, IscsiVolumeSource, NfsVolumeSource,
    RbdPersistentVolumeSource, RbdVolumeSource, Secret,
};

use super::VolumeError;

/// The file system of devices if nobody said.
const DEFAULT_FS: &str = "ext4";

/// A volume that is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// How to reach it.
    pub(super) way: Way,
    /// Whether this node may write to it.
    pub(super) read_only: bool,
    /// What the volume's definition adds for mounting.
    pub(super) options: Vec<String>,
}

/// How to reach a volume.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// A file system of this type from a server, as `server:path`.
    Share { fs: &'static str, from: String, options: Vec<String> },
    /// A RADOS block device.
    Rbd { pool: String, image: String, monitors: String, user: String, key: RbdKey, fs: String },
    /// A logical unit of an iSCSI target.
    Iscsi { portal: String, iqn: String, lun: i32, interface: String, fs: String },
    /// A disk of the cloud.
    Disk { kind: &'static str, name: String, partition: i32, fs: String },
}

/// How a client shows to Ceph who it is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum RbdKey {
    /// By a file of the node.
    Keyring(String),
    /// By a secret.
    Key(String),
}

/// What has to be undone when nobody needs a device any more, in the form in which it is kept on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// An iSCSI session.
    Iscsi { portal: String, iqn: String },
    /// A mapped RADOS block device.
    Rbd { pool: String, image: String },
    /// An attached disk.
    Disk { name: String },
}

// === impl Way ===

impl std::fmt::Debug for Way {
    /// Without keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

impl Way {
    pub(super) fn nfs(source: &NfsVolumeSource) -> Self {
        Self::Share { fs: "nfs", from: format!("{}:{}", source.server, source.path), options: Vec::new() }
    }

    /// The first server is asked, and told the others.
    pub(super) fn glusterfs(
        source: &GlusterfsVolumeSource,
        servers: Option<&Endpoints>,
    ) -> Result<Self, VolumeError> {
        let name = &source.endpoints;
        let missing = || VolumeError::NotFound { kind: "endpoints", name: name.clone() };
        let subsets = servers.ok_or_else(missing)?.subsets.iter();
        let addresses: Vec<&str> =
            subsets.flat_map(|subset| &subset.addresses).map(|address| address.ip.as_str()).collect();
        let (first, others) = addresses.split_first().ok_or_else(missing)?;
        let mut options = vec!["log-level=ERROR".to_owned()];
        if !others.is_empty() {
            options.push(format!("backup-volfile-servers={}", others.join(":")));
        }
        Ok(Self::Share { fs: "glusterfs", from: format!("{first}:{}", source.path), options })
    }

    pub(super) fn rbd(source: &RbdVolumeSource, secret: Option<&Secret>) -> Self {
        let key = secret.and_then(|secret| secret.data.values().next());
        let key = match key {
            Some(key) => RbdKey::Key(String::from_utf8_lossy(key).trim().to_owned()),
            None => RbdKey::Keyring(or(&source.keyring, "/etc/ceph/keyring")),
        };
        Self::Rbd {
            pool: or(&source.pool, "rbd"),
            image: source.image.clone(),
            monitors: source.monitors.join(","),
            user: or(&source.user, "admin"),
            key,
            fs: or(&source.fs_type, DEFAULT_FS),
        }
    }

    /// A persistent volume's secret is of another namespace: the node may not read it.
    pub(super) fn given_rbd(source: &RbdPersistentVolumeSource) -> Result<Self, VolumeError> {
        if source.secret_ref.is_some() {
            return Err(VolumeError::Secret);
        }
        Ok(Self::rbd(
            &RbdVolumeSource {
                monitors: source.monitors.clone(),
                image: source.image.clone(),
                fs_type: source.fs_type.clone(),
                pool: source.pool.clone(),
                user: source.user.clone(),
                keyring: source.keyring.clone(),
                ..RbdVolumeSource::default()
            },
            None,
        ))
    }

    pub(super) fn iscsi(source: &IscsiVolumeSource) -> Result<Self, VolumeError> {
        let authenticated = source.chap_auth_discovery || source.chap_auth_session;
        let address = (source.target_portal.as_str(), source.iqn.as_str(), source.lun);
        Self::target(address, &source.iscsi_interface, &source.fs_type, authenticated)
    }

    pub(super) fn given_iscsi(source: &IscsiPersistentVolumeSource) -> Result<Self, VolumeError> {
        let authenticated = source.chap_auth_discovery || source.chap_auth_session;
        let address = (source.target_portal.as_str(), source.iqn.as_str(), source.lun);
        Self::target(address, &source.iscsi_interface, &source.fs_type, authenticated)
    }

    /// A target by its portal, name and number; one that wants a secret cannot be had.
    fn target(
        (portal, iqn, lun): (&str, &str, i32),
        interface: &str,
        fs: &str,
        authenticated: bool,
    ) -> Result<Self, VolumeError> {
        if authenticated {
            return Err(VolumeError::Secret);
        }
        let portal = if portal.contains(':') { portal.to_owned() } else { format!("{portal}:3260") };
        let (interface, fs) = (or(interface, "default"), or(fs, DEFAULT_FS));
        Ok(Self::Iscsi { portal, iqn: iqn.to_owned(), lun, interface, fs })
    }

    pub(super) fn disk(kind: &'static str, name: &str, partition: i32, fs: &str) -> Self {
        Self::Disk { kind, name: name.to_owned(), partition, fs: or(fs, DEFAULT_FS) }
    }

    /// The directory of volumes of this kind.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Share { fs: "nfs", .. } => "kubernetes.io~nfs",
            Self::Share { .. } => "kubernetes.io~glusterfs",
            Self::Rbd { .. } => "kubernetes.io~rbd",
            Self::Iscsi { .. } => "kubernetes.io~iscsi",
            Self::Disk { kind, .. } => kind,
        }
    }

    /// What there will be to undo.
    pub(super) fn undo(&self) -> Option<Undo> {
        match self {
            Self::Share { .. } => None,
            Self::Rbd { pool, image, .. } => Some(Undo::Rbd { pool: pool.clone(), image: image.clone() }),
            Self::Iscsi { portal, iqn, .. } => Some(Undo::Iscsi { portal: portal.clone(), iqn: iqn.clone() }),
            Self::Disk { name, .. } => Some(Undo::Disk { name: name.clone() }),
        }
    }
}

/// The arguments of `mount` for a file system at `dir`.
pub(super) fn mount(fs: &str, from: &str, options: &[String], dir: &str) -> Vec<String> {
    let mut args = vec!["-t".to_owned(), fs.to_owned()];
    if !options.is_empty() {
        args.extend(["-o".to_owned(), options.join(",")]);
    }
    args.extend([from.to_owned(), dir.to_owned()]);
    args
}

/// The arguments of `rbd` that map an image to a device.
pub(super) fn rbd_map(
    pool: &str,
    image: &str,
    monitors: &str,
    user: &str,
    key: &RbdKey,
    read_only: bool,
) -> Vec<String> {
    let mut args = words(&["map", image, "--pool", pool, "--id", user, "-m", monitors]);
    match key {
        RbdKey::Keyring(file) => args.extend(words(&["-k", file])),
        RbdKey::Key(key) => args.push(format!("--key={key}")),
    }
    if read_only {
        args.push("--read-only".to_owned());
    }
    args
}

/// The arguments of `iscsiadm`: what a portal offers, then a session with a target.
pub(super) fn iscsi_login(portal: &str, iqn: &str, interface: &str) -> [Vec<String>; 2] {
    [
        words(&["-m", "discovery", "-t", "sendtargets", "-p", portal, "-I", interface]),
        words(&["-m", "node", "-p", portal, "-T", iqn, "-I", interface, "--login"]),
    ]
}

/// Where the device of a logical unit appears.
pub(super) fn iscsi_device(portal: &str, iqn: &str, lun: i32) -> String {
    format!("/dev/disk/by-path/ip-{portal}-iscsi-{iqn}-lun-{lun}")
}

/// The program that makes a file system on a device, and its arguments.
pub(super) fn make_fs(fs: &str, device: &str) -> (String, Vec<String>) {
    let args = match fs {
        "ext3" | "ext4" => words(&["-F", "-m0", device]),
        "xfs" => words(&["-f", device]),
        _ => words(&[device]),
    };
    (format!("mkfs.{fs}"), args)
}

// === impl Undo ===

impl Undo {
    /// As it is kept: one line for each part.
    pub(super) fn write(&self) -> String {
        match self {
            Self::Iscsi { portal, iqn } => format!("iscsi\n{portal}\n{iqn}\n"),
            Self::Rbd { pool, image } => format!("rbd\n{pool}\n{image}\n"),
            Self::Disk { name } => format!("disk\n{name}\n"),
        }
    }

    /// Reads what [`Self::write`] wrote; nothing if it was not written to its end.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.lines().map(str::to_owned);
        let undo = match lines.next()?.as_str() {
            "iscsi" => Self::Iscsi { portal: lines.next()?, iqn: lines.next()? },
            "rbd" => Self::Rbd { pool: lines.next()?, image: lines.next()? },
            "disk" => Self::Disk { name: lines.next()? },
            _ => return None,
        };
        Some(undo)
    }
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn or(value: &str, default: &str) -> String {
    if value.is_empty() { default } else { value }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_undone_survives_the_disk() {
        let all = [
            Undo::Iscsi { portal: "p:3260".into(), iqn: "iqn.x".into() },
            Undo::Rbd { pool: "rbd".into(), image: "i".into() },
            Undo::Disk { name: "d".into() },
        ];
        for undo in all {
            assert_eq!(Undo::read(&undo.write()), Some(undo));
        }
        for torn in ["", "iscsi\np", "iscsi\np\n", "else\nx\n"] {
            assert_eq!(Undo::read(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn secrets_that_the_node_may_not_read_are_named_as_the_reason() {
        let source = IscsiVolumeSource { chap_auth_session: true, ..IscsiVolumeSource::default() };
        assert!(matches!(Way::iscsi(&source), Err(VolumeError::Secret)));
    }
}
