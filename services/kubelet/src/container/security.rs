//! What a container may do: its own security context over its pod's.

use keelson_proto::core::{AppArmorProfile, Container, Pod, SeLinuxOptions, SeccompProfile};

use crate::runtime::{Seccomp, Security};

/// A container must not run as root, and would, or might.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootRefused {
    /// Its own user is root.
    #[error("container {0:?} has runAsNonRoot, and runAsUser is root")]
    User(String),
    /// Its image's user is root.
    #[error("container {0:?} has runAsNonRoot, and its image runs as root: set runAsUser")]
    Image(String),
    /// Its image's user is a name, which may be root's.
    #[error("container {0:?} has runAsNonRoot, and its image's user {1:?} is not a number: set runAsUser")]
    Name(String, String),
}

/// The security of `container`, whose image runs as `image_user`.
pub(super) fn security(pod: &Pod, container: &Container, image_user: &str) -> Result<Security, RootRefused> {
    let shared = pod.spec.security_context.clone().unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let user = own.run_as_user.or(shared.run_as_user);
    if own.run_as_non_root.or(shared.run_as_non_root) == Some(true) {
        refuse_root(&container.name, user, image_user)?;
    }
    let capabilities = own.capabilities.unwrap_or_default();
    let mut supplemental_groups = shared.supplemental_groups;
    supplemental_groups.extend(shared.fs_group);
    Ok(Security {
        user,
        group: own.run_as_group.or(shared.run_as_group),
        supplemental_groups,
        privileged: own.privileged.unwrap_or(false),
        add_capabilities: capabilities.add,
        drop_capabilities: capabilities.drop,
        read_only_root: own.read_only_root_filesystem.unwrap_or(false),
        no_new_privileges: own.allow_privilege_escalation == Some(false),
        seccomp: Seccomp::default(),
        selinux: own.se_linux_options.or(shared.se_linux_options).map(label).unwrap_or_default(),
        apparmor: own.app_armor_profile.or(shared.app_armor_profile).and_then(apparmor),
        unmasked_proc: own.proc_mount.as_deref() == Some("Unmasked"),
    })
}

/// Which seccomp profile a container asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeccompWish<'a> {
    /// The runtime's own, also if nothing is said.
    RuntimeDefault,
    /// None.
    Unconfined,
    /// A file of the node, by its path below the directory of profiles.
    Localhost(&'a str),
}

/// The seccomp profile that `container` asks for.
pub fn seccomp<'a>(pod: &'a Pod, container: &'a Container) -> SeccompWish<'a> {
    let shared = pod.spec.security_context.as_ref().and_then(|context| context.seccomp_profile.as_ref());
    let own = container.security_context.as_ref().and_then(|context| context.seccomp_profile.as_ref());
    match own.or(shared) {
        Some(SeccompProfile { r#type, .. }) if r#type == "Unconfined" => SeccompWish::Unconfined,
        Some(SeccompProfile { r#type, localhost_profile: Some(path) }) if r#type == "Localhost" => {
            SeccompWish::Localhost(path)
        }
        _ => SeccompWish::RuntimeDefault,
    }
}

fn apparmor(profile: AppArmorProfile) -> Option<String> {
    match profile.r#type.as_str() {
        "Unconfined" => Some("unconfined".to_owned()),
        "Localhost" => profile.localhost_profile,
        _ => None,
    }
}

fn label(options: SeLinuxOptions) -> Vec<(&'static str, String)> {
    let SeLinuxOptions { user, role, r#type, level } = options;
    let parts = [("user", user), ("role", role), ("type", r#type), ("level", level)];
    parts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn refuse_root(container: &str, user: Option<i64>, image_user: &str) -> Result<(), RootRefused> {
    let container = container.to_owned();
    // An image may say `user:group`.
    let image_user = image_user.split(':').next().unwrap_or_default();
    match (user, image_user) {
        (Some(0), _) => Err(RootRefused::User(container)),
        (Some(_), _) => Ok(()),
        (None, "") => Err(RootRefused::Image(container)),
        (None, name) => match name.parse::<i64>() {
            Ok(0) => Err(RootRefused::Image(container)),
            Ok(_) => Ok(()),
            Err(_) => Err(RootRefused::Name(container, name.to_owned())),
        },
    }
}
