use std::os::unix::fs::symlink;

use keelson_proto::core::{SecretVolumeSource, VolumeSource};
use tempfile::TempDir;

use super::*;

fn mk_volume(name: &str, volume_source: VolumeSource) -> Volume {
    Volume { name: name.to_owned(), volume_source }
}

fn empty_dir(name: &str, medium: &str) -> Volume {
    let source = EmptyDirVolumeSource { medium: medium.to_owned(), ..EmptyDirVolumeSource::default() };
    mk_volume(name, VolumeSource { empty_dir: Some(source), ..VolumeSource::default() })
}

fn host_path(path: &Path, kind: &str) -> Volume {
    let source = HostPathVolumeSource { path: path.display().to_string(), r#type: Some(kind.to_owned()) };
    mk_volume("h", VolumeSource { host_path: Some(source), ..VolumeSource::default() })
}

fn mk_pod(volumes: Vec<Volume>) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.uid = "u-1".to_owned();
    pod.spec.volumes = volumes;
    pod
}

fn mk_mount(name: &str, sub_path: &str) -> Container {
    let mount = VolumeMount {
        name: name.to_owned(),
        mount_path: "/data".to_owned(),
        sub_path: sub_path.to_owned(),
        read_only: true,
        ..VolumeMount::default()
    };
    Container { name: "c".to_owned(), volume_mounts: vec![mount], ..Container::default() }
}

fn mk_volumes() -> (TempDir, Volumes) {
    let dir = TempDir::new().unwrap();
    let volumes = Volumes::new(dir.path().to_owned());
    (dir, volumes)
}

#[test]
fn an_empty_dir_is_for_everybody_and_goes_with_its_pod() {
    let (root, volumes) = mk_volumes();
    let pod = mk_pod(vec![empty_dir("scratch", "")]);
    volumes.mount(&pod).unwrap();
    let dir = root.path().join("pods/u-1/volumes/kubernetes.io~empty-dir/scratch");
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, 0o777);
    fs::write(dir.join("file"), "kept").unwrap();
    volumes.mount(&pod).unwrap();
    assert_eq!(fs::read_to_string(dir.join("file")).unwrap(), "kept", "a second mount changes nothing");
    let mounts = volumes.mounts(&pod, &mk_mount("scratch", ""), 0, &[]).unwrap();
    let expected =
        Mount { source: MountSource::Host(dir), container_path: "/data".to_owned(), read_only: true };
    assert_eq!(mounts, [expected]);
    assert_eq!(volumes.pods(), ["u-1"]);
    volumes.teardown("u-1").unwrap();
    assert!(volumes.pods().is_empty());
    volumes.teardown("u-1").unwrap();
}

#[test]
fn memory_is_mounted_and_unmounted() {
    let (root, volumes) = mk_volumes();
    let pod = mk_pod(vec![empty_dir("fast", "Memory")]);
    match volumes.mount(&pod) {
        Ok(()) => {}
        Err(error) => {
            // Without the right to mount there must be a sentence that says so.
            assert!(error.to_string().contains("CAP_SYS_ADMIN"), "{error}");
            return;
        }
    }
    let dir = root.path().join("pods/u-1/volumes/kubernetes.io~empty-dir/fast");
    assert!(mounted::is_mount_point(&dir).unwrap());
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, 0o1777);
    volumes.mount(&pod).unwrap();
    volumes.teardown("u-1").unwrap();
    assert!(!mounted::is_mount_point(&dir).unwrap());
    assert!(!dir.exists());
}

#[test]
fn host_paths_are_what_they_say() {
    let (root, volumes) = mk_volumes();
    let at = |name: &str| root.path().join(name);
    fs::write(at("file"), "").unwrap();
    fs::create_dir(at("dir")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let table = [
        ("dir", "Directory", ""),
        ("file", "Directory", "is not a directory"),
        ("none", "Directory", "is not a directory"),
        ("file", "File", ""),
        ("dir", "File", "is not a file"),
        ("dir", "FileOrCreate", "is not a file"),
        ("socket", "Socket", ""),
        ("file", "Socket", "is not a socket file"),
        ("file", "CharDevice", "is not a character device"),
        ("new-dir", "DirectoryOrCreate", ""),
        ("file", "DirectoryOrCreate", "is not a directory"),
        ("new-file", "FileOrCreate", ""),
        ("file", "", ""),
        ("new-any", "", ""),
        ("file", "Thing", "\"Thing\" is unknown"),
    ];
    for (name, kind, error) in table {
        let got = volumes.mount(&mk_pod(vec![host_path(&at(name), kind)]));
        let text = got.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert_eq!(got.is_err(), !error.is_empty(), "{name} {kind}: {text}");
        assert!(text.ends_with(error), "{name} {kind}: {text}");
        assert!(
            text.is_empty() || text.starts_with("MountVolume.SetUp failed for volume \"h\" : "),
            "{text}"
        );
    }
    assert!(at("new-dir").is_dir() && at("new-file").is_file() && at("new-any").is_dir());
    let mounts = volumes.mounts(&mk_pod(vec![host_path(&at("dir"), "")]), &mk_mount("h", ""), 0, &[]);
    assert_eq!(mounts.unwrap()[0].source, MountSource::Host(at("dir")));
}

#[test]
fn sub_paths_stay_inside() {
    let (root, volumes) = mk_volumes();
    let base = root.path().join("base");
    fs::create_dir(&base).unwrap();
    symlink("/etc", base.join("link")).unwrap();
    let pod = mk_pod(vec![host_path(&base, "Directory")]);
    let resolve = |sub_path: &str| volumes.mounts(&pod, &mk_mount("h", sub_path), 0, &[]);
    assert_eq!(resolve("a/b").unwrap()[0].source, MountSource::Host(base.join("a/b")));
    assert!(base.join("a/b").is_dir());
    for outside in ["..", "a/../../x", "/etc", "link", "link/passwd"] {
        assert!(matches!(resolve(outside), Err(VolumeError::SubPath { .. })), "{outside}");
    }
    let mut container = mk_mount("h", "");
    container.volume_mounts[0].sub_path_expr = "$(WHO)".to_owned();
    let env = [("WHO".to_owned(), "me".to_owned())];
    let mounts = volumes.mounts(&pod, &container, 0, &env).unwrap();
    assert_eq!(mounts[0].source, MountSource::Host(base.join("me")));
}

#[test]
fn what_is_not_known_is_refused() {
    let (_root, volumes) = mk_volumes();
    let source = VolumeSource { secret: Some(SecretVolumeSource::default()), ..VolumeSource::default() };
    let error = volumes.mount(&mk_pod(vec![mk_volume("s", source)])).unwrap_err().to_string();
    assert!(error.contains("\"s\"") && error.contains("not supported"), "{error}");
    let unknown = volumes.mounts(&mk_pod(Vec::new()), &mk_mount("x", ""), 0, &[]);
    assert!(matches!(unknown, Err(VolumeError::Unknown { .. })));
    for uid in ["", ".", "..", "a/b"] {
        assert!(matches!(volumes.teardown(uid), Err(VolumeError::Name { .. })), "{uid:?}");
    }
}

#[test]
fn last_words_are_read_up_to_their_bound() {
    let (_root, volumes) = mk_volumes();
    let pod = mk_pod(Vec::new());
    let container = Container {
        name: "c".to_owned(),
        termination_message_path: "/dev/termination-log".to_owned(),
        ..Container::default()
    };
    let mounts = volumes.mounts(&pod, &container, 2, &[]).unwrap();
    let MountSource::Host(file) = &mounts[0].source else { panic!("a file") };
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o666);
    fs::write(file, "x".repeat(5000)).unwrap();
    assert_eq!(volumes.message("u-1", "c", 2).len(), 4096);
    assert_eq!(volumes.message("u-1", "c", 1), "");
}
