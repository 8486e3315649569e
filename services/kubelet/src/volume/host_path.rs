//! hostPath: something that is on the host already, or is made there on demand.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use keelson_proto::core::HostPathVolumeSource;

use super::VolumeError;

/// Checks that the path is what its type says, making it where the type says so. Without a type a missing path becomes
/// a directory, as Docker would make it.
pub(super) fn check(source: &HostPathVolumeSource) -> Result<(), VolumeError> {
    let path = Path::new(&source.path);
    let found = fs::metadata(path).map(|metadata| metadata.file_type()).ok();
    let (expected, matches) = match source.r#type.as_deref().unwrap_or_default() {
        "" => return if found.is_some() { Ok(()) } else { create_dir(path) },
        "DirectoryOrCreate" if found.is_none() => return create_dir(path),
        "FileOrCreate" if found.is_none() => return create_file(path),
        "DirectoryOrCreate" | "Directory" => ("a directory", found.is_some_and(|kind| kind.is_dir())),
        "FileOrCreate" | "File" => ("a file", found.is_some_and(|kind| kind.is_file())),
        "Socket" => ("a socket file", found.is_some_and(|kind| kind.is_socket())),
        "CharDevice" => ("a character device", found.is_some_and(|kind| kind.is_char_device())),
        "BlockDevice" => ("a block device", found.is_some_and(|kind| kind.is_block_device())),
        unknown => return Err(VolumeError::HostPathType(unknown.to_owned())),
    };
    if matches { Ok(()) } else { Err(VolumeError::HostPath { path: source.path.clone(), expected }) }
}

fn create_dir(path: &Path) -> Result<(), VolumeError> {
    let created = fs::create_dir_all(path).and_then(|()| fs::set_permissions(path, mode(0o755)));
    created.map_err(VolumeError::io("create", path))
}

fn create_file(path: &Path) -> Result<(), VolumeError> {
    let create = || -> io::Result<()> {
        fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        fs::set_permissions(path, mode(0o644))
    };
    create().map_err(VolumeError::io("create", path))
}

fn mode(bits: u32) -> fs::Permissions {
    fs::Permissions::from_mode(bits)
}
