use std::os::unix::fs::symlink;

use keelson_proto::core::{
    ConfigMap, ConfigMapVolumeSource, EmptyDirVolumeSource, EndpointAddress, EndpointSubset, Endpoints,
    FlexVolumeSource, GcePersistentDiskVolumeSource, GitRepoVolumeSource, GlusterfsVolumeSource,
    HostPathVolumeSource, IscsiVolumeSource, LocalObjectReference, LocalVolumeSource, NfsVolumeSource,
    ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource,
    PodSecurityContext, RbdVolumeSource, Secret, SecretVolumeSource, VolumeSource,
};
use tempfile::TempDir;

use super::*;
use crate::volume::commands::tests::Scripted;

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

fn mk_pod(volumes: Vec<Volume>) -> Arc<Pod> {
    let mut pod = Pod::default();
    pod.metadata.uid = "u-1".to_owned();
    pod.spec.volumes = volumes;
    Arc::new(pod)
}

fn start() -> Start {
    Start { names: vec!["web".to_owned()], ..Start::default() }
}

/// The mounts that the container's definition asks for.
fn own(volumes: &Volumes, pod: &Pod, container: &Container) -> Result<Vec<Mount>, VolumeError> {
    own_of(volumes, pod, container, &Objects::default())
}

fn own_of(
    volumes: &Volumes,
    pod: &Pod,
    container: &Container,
    objects: &Objects,
) -> Result<Vec<Mount>, VolumeError> {
    let mut mounts = volumes.mounts(pod, container, &start(), objects)?;
    mounts.truncate(container.volume_mounts.len());
    Ok(mounts)
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

#[tokio::test]
async fn an_empty_dir_is_for_everybody_and_goes_with_its_pod() {
    let (root, volumes) = mk_volumes();
    let pod = mk_pod(vec![empty_dir("scratch", "")]);
    volumes.mount(&pod, &Facts::default()).await.unwrap();
    let dir = root.path().join("pods/u-1/volumes/kubernetes.io~empty-dir/scratch");
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, 0o777);
    fs::write(dir.join("file"), "kept").unwrap();
    volumes.mount(&pod, &Facts::default()).await.unwrap();
    assert_eq!(fs::read_to_string(dir.join("file")).unwrap(), "kept", "a second mount changes nothing");
    let mounts = own(&volumes, &pod, &mk_mount("scratch", "")).unwrap();
    let expected = Mount {
        source: MountSource::Host(dir),
        container_path: "/data".to_owned(),
        read_only: true,
        propagation: Propagation::None,
    };
    assert_eq!(mounts, [expected]);
    assert_eq!(volumes.pods(), ["u-1"]);
    volumes.teardown("u-1").await.unwrap();
    assert!(volumes.pods().is_empty());
    volumes.teardown("u-1").await.unwrap();
}

#[tokio::test]
async fn memory_is_mounted_and_unmounted() {
    let (root, volumes) = mk_volumes();
    let pod = mk_pod(vec![empty_dir("fast", "Memory")]);
    match volumes.mount(&pod, &Facts::default()).await {
        Ok(_) => {}
        Err(error) => {
            // Without the right to mount there must be a sentence that says so.
            assert!(error.to_string().contains("CAP_SYS_ADMIN"), "{error}");
            return;
        }
    }
    let dir = root.path().join("pods/u-1/volumes/kubernetes.io~empty-dir/fast");
    assert!(mounted::is_mount_point(&dir).unwrap());
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, 0o1777);
    volumes.mount(&pod, &Facts::default()).await.unwrap();
    volumes.teardown("u-1").await.unwrap();
    assert!(!mounted::is_mount_point(&dir).unwrap());
    assert!(!dir.exists());
}

#[tokio::test]
async fn host_paths_are_what_they_say() {
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
        let got = volumes.mount(&mk_pod(vec![host_path(&at(name), kind)]), &Facts::default()).await;
        let text = got.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert_eq!(got.is_err(), !error.is_empty(), "{name} {kind}: {text}");
        assert!(text.ends_with(error), "{name} {kind}: {text}");
        assert!(
            text.is_empty() || text.starts_with("MountVolume.SetUp failed for volume \"h\" : "),
            "{text}"
        );
    }
    assert!(at("new-dir").is_dir() && at("new-file").is_file() && at("new-any").is_dir());
    let mounts = own(&volumes, &mk_pod(vec![host_path(&at("dir"), "")]), &mk_mount("h", ""));
    assert_eq!(mounts.unwrap()[0].source, MountSource::Host(at("dir")));
}

#[tokio::test]
async fn sub_paths_stay_inside() {
    let (root, volumes) = mk_volumes();
    let base = root.path().join("base");
    fs::create_dir(&base).unwrap();
    symlink("/etc", base.join("link")).unwrap();
    let pod = mk_pod(vec![host_path(&base, "Directory")]);
    let resolve = |sub_path: &str| own(&volumes, &pod, &mk_mount("h", sub_path));
    let MountSource::Host(place) = resolve("a/b").unwrap().remove(0).source else { panic!("a path") };
    fs::write(base.join("a/b/file"), "here").unwrap();
    assert_eq!(fs::read_to_string(place.join("file")).unwrap(), "here");
    for outside in ["..", "a/../../x", "/etc", "link", "link/passwd"] {
        assert!(matches!(resolve(outside), Err(VolumeError::SubPath { .. })), "{outside}");
    }
    let mut container = mk_mount("h", "");
    container.volume_mounts[0].sub_path_expr = "$(WHO)".to_owned();
    let start = Start { env: vec![("WHO".to_owned(), "me".to_owned())], ..start() };
    volumes.mounts(&pod, &container, &start, &Objects::default()).unwrap();
    assert!(base.join("me").is_dir());
    volumes.teardown("u-1").await.unwrap();
    assert!(base.join("a/b/file").exists(), "what was mounted stays");
}

#[tokio::test]
async fn what_is_not_known_is_refused() {
    let (_root, volumes) = mk_volumes();
    let source = VolumeSource { flex_volume: Some(FlexVolumeSource::default()), ..VolumeSource::default() };
    let pod = mk_pod(vec![mk_volume("s", source)]);
    let error = volumes.mount(&pod, &Facts::default()).await.unwrap_err().to_string();
    assert!(error.contains("\"s\"") && error.contains("not supported"), "{error}");
    let unknown = own(&volumes, &mk_pod(Vec::new()), &mk_mount("x", ""));
    assert!(matches!(unknown, Err(VolumeError::Unknown { .. })));
    for uid in ["", ".", "..", "a/b"] {
        assert!(matches!(volumes.teardown(uid).await, Err(VolumeError::Name { .. })), "{uid:?}");
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
    let start = Start { attempt: 2, ..start() };
    let mounts = volumes.mounts(&pod, &container, &start, &Objects::default()).unwrap();
    let MountSource::Host(file) = &mounts[0].source else { panic!("a file") };
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o666);
    fs::write(file, "x".repeat(5000)).unwrap();
    assert_eq!(volumes.message("u-1", "c", 2).len(), 4096);
    assert_eq!(volumes.message("u-1", "c", 1), "");
}

fn mk_objects(password: &str, color: &str) -> Objects {
    let mut secret = Secret::default();
    secret.data.insert("password".to_owned(), password.as_bytes().to_vec());
    let mut map = ConfigMap::default();
    map.data.insert("color".to_owned(), color.to_owned());
    Objects {
        secrets: [("s".to_owned(), Arc::new(secret))].into(),
        config_maps: [("m".to_owned(), Arc::new(map))].into(),
        ..Objects::default()
    }
}

/// A pod with a secret and a config map.
fn mk_api_pod() -> Arc<Pod> {
    let secret = SecretVolumeSource {
        secret_name: "s".to_owned(),
        default_mode: Some(0o400),
        ..SecretVolumeSource::default()
    };
    let mut map = ConfigMapVolumeSource::default();
    map.local_object_reference.name = "m".to_owned();
    mk_pod(vec![
        mk_volume("secret", VolumeSource { secret: Some(secret), ..VolumeSource::default() }),
        mk_volume("map", VolumeSource { config_map: Some(map), ..VolumeSource::default() }),
    ])
}

#[tokio::test]
async fn what_comes_from_api_is_read_only_follows_it_and_leaves_nothing() {
    let (root, volumes) = mk_volumes();
    let pod = mk_api_pod();
    let facts = |password, color| Facts { objects: mk_objects(password, color), ..Facts::default() };
    let due = volumes.mount(&pod, &facts("hush", "blue")).await.unwrap();
    assert_eq!(due, None, "only tokens age");
    let at = root.path().join("pods/u-1/volumes");
    let password = at.join("kubernetes.io~secret/secret/password");
    assert_eq!(fs::read_to_string(&password).unwrap(), "hush");
    assert_eq!(fs::metadata(&password).unwrap().permissions().mode() & 0o7777, 0o400);
    if nix::unistd::geteuid().is_root() {
        assert!(mounted::is_mount_point(&at.join("kubernetes.io~secret/secret")).unwrap(), "in memory");
    }
    let container = mk_mount("secret", "");
    let mounts = own_of(&volumes, &pod, &container, &mk_objects("hush", "blue")).unwrap();
    assert!(mounts[0].read_only);
    volumes.mount(&pod, &facts("hush", "red")).await.unwrap();
    assert_eq!(fs::read_to_string(at.join("kubernetes.io~configmap/map/color")).unwrap(), "red");
    let gone = volumes.mount(&pod, &Facts::default()).await.unwrap_err().to_string();
    assert_eq!(gone, "MountVolume.SetUp failed for volume \"secret\" : secret \"s\" not found");
    assert_eq!(fs::read_to_string(&password).unwrap(), "hush", "what was there stays");
    volumes.teardown("u-1").await.unwrap();
    assert!(volumes.pods().is_empty());
}

#[tokio::test]
async fn files_are_for_the_pods_group_to_read() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let (root, volumes) = mk_volumes();
    let mut pod = (*mk_api_pod()).clone();
    pod.spec.security_context =
        Some(PodSecurityContext { fs_group: Some(2000), ..PodSecurityContext::default() });
    let facts = Facts { objects: mk_objects("hush", "blue"), ..Facts::default() };
    volumes.mount(&Arc::new(pod), &facts).await.unwrap();
    let file = root.path().join("pods/u-1/volumes/kubernetes.io~secret/secret/password");
    let metadata = fs::metadata(file).unwrap();
    assert_eq!(
        (metadata.permissions().mode() & 0o7777, std::os::unix::fs::MetadataExt::gid(&metadata)),
        (0o440, 2000)
    );
    volumes.teardown("u-1").await.unwrap();
}

fn mk_claimed(path: &Path, bound: bool, owner: &str) -> Objects {
    let mut claim = PersistentVolumeClaim::default();
    claim.metadata.uid = "claim-uid".to_owned();
    if bound {
        claim.spec.volume_name = "v".to_owned();
        claim.status.phase = "Bound".to_owned();
    }
    let mut volume = PersistentVolume::default();
    volume.spec.claim_ref = Some(ObjectReference { uid: owner.to_owned(), ..ObjectReference::default() });
    let local = LocalVolumeSource { path: path.display().to_string(), fs_type: None };
    volume.spec.persistent_volume_source.local = Some(local);
    Objects {
        claims: [("c".to_owned(), Arc::new(claim))].into(),
        volumes: [("v".to_owned(), Arc::new(volume))].into(),
        ..Objects::default()
    }
}

#[tokio::test]
async fn a_claim_is_the_volume_that_it_was_given() {
    let (root, volumes) = mk_volumes();
    let claim = PersistentVolumeClaimVolumeSource { claim_name: "c".to_owned(), read_only: true };
    let source = VolumeSource { persistent_volume_claim: Some(claim), ..VolumeSource::default() };
    let pod = mk_pod(vec![mk_volume("data", source)]);
    let try_with = async |objects: Objects| {
        let facts = Facts { objects, ..Facts::default() };
        volumes.mount(&pod, &facts).await.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let disk = root.path().join("disk");
    let ends = |text: String, end: &str| assert!(text.ends_with(end), "{text}");
    ends(try_with(Objects::default()).await, "persistentvolumeclaim \"c\" not found");
    ends(try_with(mk_claimed(&disk, false, "claim-uid")).await, "PersistentVolumeClaim is not bound: \"c\"");
    ends(
        try_with(mk_claimed(&disk, true, "another")).await,
        "persistentvolume \"v\" is bound to another claim",
    );
    ends(try_with(mk_claimed(&disk, true, "claim-uid")).await, "is not a directory");
    fs::create_dir(&disk).unwrap();
    let objects = mk_claimed(&disk, true, "claim-uid");
    assert_eq!(try_with(objects.clone()).await, "");
    let mut container = mk_mount("data", "");
    container.volume_mounts[0].read_only = false;
    let mounts = own_of(&volumes, &pod, &container, &objects).unwrap();
    assert_eq!((&mounts[0].source, mounts[0].read_only), (&MountSource::Host(disk), true));
}

#[test]
fn every_container_has_the_pods_hosts_unless_it_brings_its_own() {
    let (root, volumes) = mk_volumes();
    let pod = mk_pod(vec![host_path(root.path(), "Directory")]);
    fs::create_dir_all(root.path().join("pods/u-1")).unwrap();
    let mounts = volumes.mounts(&pod, &mk_mount("h", ""), &start(), &Objects::default()).unwrap();
    assert_eq!(mounts.last().unwrap().container_path, "/etc/hosts");
    let mut container = mk_mount("h", "");
    container.volume_mounts[0].mount_path = "/etc/hosts".to_owned();
    let mounts = volumes.mounts(&pod, &container, &start(), &Objects::default()).unwrap();
    assert_eq!(mounts.len(), 1);
}

/// A pod with one volume that is elsewhere.
fn mk_remote(source: VolumeSource) -> Arc<Pod> {
    mk_pod(vec![mk_volume("far", source)])
}

#[tokio::test]
async fn shares_are_mounted_by_the_commands_that_kubernetes_runs() {
    let (root, volumes) = mk_volumes();
    let commands = Scripted::default();
    let volumes = volumes.with_commands(Arc::new(commands.clone()));
    let nfs = NfsVolumeSource { server: "10.0.0.9".into(), path: "/export".into(), read_only: true };
    let pod = mk_remote(VolumeSource { nfs: Some(nfs), ..VolumeSource::default() });
    volumes.mount(&pod, &Facts::default()).await.unwrap();
    let dir = root.path().join("pods/u-1/volumes/kubernetes.io~nfs/far").display().to_string();
    assert_eq!(commands.ran(), [format!("mount -t nfs -o ro 10.0.0.9:/export {dir}")]);
    assert!(own(&volumes, &pod, &mk_mount("far", "")).unwrap()[0].read_only);

    let gluster = GlusterfsVolumeSource { endpoints: "g".into(), path: "vol".into(), read_only: false };
    let pod = mk_remote(VolumeSource { glusterfs: Some(gluster), ..VolumeSource::default() });
    let none = volumes.mount(&pod, &Facts::default()).await.unwrap_err().to_string();
    assert!(none.ends_with("endpoints \"g\" not found"), "{none}");
    let mut endpoints = Endpoints::default();
    let address = |ip: &str| EndpointAddress { ip: ip.to_owned(), ..EndpointAddress::default() };
    let addresses = vec![address("10.0.0.1"), address("10.0.0.2")];
    endpoints.subsets = vec![EndpointSubset { addresses, ..EndpointSubset::default() }];
    let objects = Objects { endpoints: [("g".to_owned(), Arc::new(endpoints))].into(), ..Objects::default() };
    volumes.mount(&pod, &Facts { objects, ..Facts::default() }).await.unwrap();
    let ran = commands.ran();
    let options = "log-level=ERROR,backup-volfile-servers=10.0.0.2";
    assert!(ran[0].starts_with(&format!("mount -t glusterfs -o {options} 10.0.0.1:vol /")), "{ran:?}");
    volumes.teardown("u-1").await.unwrap();
    assert!(commands.ran().is_empty(), "unmounting is the kernel's");
}

#[tokio::test]
async fn a_block_device_is_mapped_formatted_mounted_and_let_go_by_its_last_pod() {
    let (_root, volumes) = mk_volumes();
    let commands = Scripted::default();
    let volumes = volumes.with_commands(Arc::new(commands.clone()));
    let source = RbdVolumeSource {
        monitors: vec!["m1:6789".into(), "m2:6789".into()],
        image: "disk".into(),
        secret_ref: Some(LocalObjectReference { name: "s".into() }),
        ..RbdVolumeSource::default()
    };
    let pod = mk_remote(VolumeSource { rbd: Some(source), ..VolumeSource::default() });
    let facts = Facts { objects: mk_objects("hush", ""), ..Facts::default() };
    commands.answer("rbd map", Ok("/dev/rbd7\n"));
    commands.answer("blkid", Err(Some(2)));
    volumes.mount(&pod, &facts).await.unwrap();
    let ran = commands.ran();
    assert_eq!(ran[0], "rbd map disk --pool rbd --id admin -m m1:6789,m2:6789 --key=hush");
    assert_eq!(ran[1..3], ["blkid -p -s TYPE -s PTTYPE -o export /dev/rbd7", "mkfs.ext4 -F -m0 /dev/rbd7"]);
    assert!(ran[3].starts_with("mount -t ext4 -o defaults /dev/rbd7 /"), "{ran:?}");

    commands.answer("blkid", Ok("TYPE=ext4\n"));
    let mut other = (*pod).clone();
    other.metadata.uid = "u-2".to_owned();
    volumes.mount(&Arc::new(other), &facts).await.unwrap();
    let ran = commands.ran();
    assert_eq!(ran[2], "fsck -a /dev/rbd7", "what has a file system is not made anew: {ran:?}");
    volumes.teardown("u-1").await.unwrap();
    assert!(commands.ran().is_empty(), "the other still has it");
    volumes.teardown("u-2").await.unwrap();
    assert_eq!(commands.ran(), ["rbd unmap rbd/disk"]);

    commands.answer("rbd map", Err(Some(1)));
    let error = volumes.mount(&pod, &facts).await.unwrap_err().to_string();
    assert!(error.contains("rbd map disk") && !error.contains("hush"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_target_is_found_and_its_session_ended() {
    let (_root, volumes) = mk_volumes();
    let commands = Scripted::default();
    let volumes = volumes.with_commands(Arc::new(commands.clone()));
    let source = IscsiVolumeSource {
        target_portal: "10.0.0.9".into(),
        iqn: "iqn.2001-04.com.example:disk".into(),
        lun: 1,
        ..IscsiVolumeSource::default()
    };
    let pod = mk_remote(VolumeSource { iscsi: Some(source), ..VolumeSource::default() });
    let error = volumes.mount(&pod, &Facts::default()).await.unwrap_err().to_string();
    let device = "/dev/disk/by-path/ip-10.0.0.9:3260-iscsi-iqn.2001-04.com.example:disk-lun-1";
    assert!(error.ends_with(&format!("the device {device} did not appear")), "{error}");
    let expected = [
        "iscsiadm -m discovery -t sendtargets -p 10.0.0.9:3260 -I default",
        "iscsiadm -m node -p 10.0.0.9:3260 -T iqn.2001-04.com.example:disk -I default --login",
    ];
    assert_eq!(commands.ran(), expected);
    volumes.teardown("u-1").await.unwrap();
    let logout = "iscsiadm -m node -p 10.0.0.9:3260 -T iqn.2001-04.com.example:disk --logout";
    assert_eq!(commands.ran(), [logout], "though it was never mounted");
}

#[tokio::test]
async fn a_disk_of_the_local_cloud_keeps_what_pods_write() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let (root, volumes) = mk_volumes();
    let disks = keelson_base_cloud::LocalDisks::new(root.path().join("disks"));
    let volumes = volumes.with_disks(Arc::new(disks), "n1".to_owned());
    let source = GcePersistentDiskVolumeSource { pd_name: "d".into(), ..Default::default() };
    let pod = mk_remote(VolumeSource { gce_persistent_disk: Some(source), ..VolumeSource::default() });
    let dir = root.path().join("pods/u-1/volumes/kubernetes.io~gce-pd/far");
    for round in 0..2 {
        volumes.mount(&pod, &Facts::default()).await.unwrap();
        assert!(mounted::is_mount_point(&dir).unwrap());
        assert_eq!(dir.join("file").exists(), round == 1, "what was written outlives the pod");
        fs::write(dir.join("file"), "kept").unwrap();
        volumes.teardown("u-1").await.unwrap();
        assert!(!dir.exists());
    }
    let (_other, without) = mk_volumes();
    let error = without.mount(&pod, &Facts::default()).await.unwrap_err().to_string();
    assert!(error.ends_with("this kubelet has no cloud provider that gives disks"), "{error}");
}

#[tokio::test]
async fn a_repository_is_cloned_once() {
    let (root, volumes) = mk_volumes();
    let commands = Scripted::default();
    let volumes = volumes.with_commands(Arc::new(commands.clone()));
    let source = |repository: &str, directory: &str| GitRepoVolumeSource {
        repository: repository.to_owned(),
        revision: "v1".to_owned(),
        directory: directory.to_owned(),
    };
    let of = |source| mk_remote(VolumeSource { git_repo: Some(source), ..VolumeSource::default() });
    for (repository, directory) in
        [("--upload-pack=x", ""), ("https://x/y", "../out"), ("https://x/y", "/out")]
    {
        assert!(volumes.mount(&of(source(repository, directory)), &Facts::default()).await.is_err());
    }
    assert!(commands.ran().is_empty());
    let pod = of(source("https://x/y.git", "src"));
    volumes.mount(&pod, &Facts::default()).await.unwrap();
    volumes.mount(&pod, &Facts::default()).await.unwrap();
    let dir = root.path().join("pods/u-1/volumes/kubernetes.io~git-repo/far").display().to_string();
    let expected = [
        format!("git -C {dir} clone -- https://x/y.git src"),
        format!("git -C {dir}/src checkout v1"),
        format!("git -C {dir}/src reset --hard"),
    ];
    assert_eq!(commands.ran(), expected);
}

#[tokio::test]
async fn a_hollow_node_makes_no_files_for_nobody() {
    let (root, volumes) = mk_volumes();
    let volumes = volumes.bare(true);
    let pod = mk_api_pod();
    volumes.mount(&pod, &Facts { objects: mk_objects("hush", "blue"), ..Facts::default() }).await.unwrap();
    assert!(!root.path().join("pods/u-1/volumes").exists());
    let mounts = volumes.mounts(&pod, &Container::default(), &start(), &Objects::default()).unwrap();
    assert!(mounts.is_empty());
    assert!(volumes.mount(&pod, &Facts::default()).await.is_err(), "what is missing is still waited for");
}
