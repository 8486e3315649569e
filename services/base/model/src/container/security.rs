//! Security settings of a container and of a pod.

use keelson_proto::core::{
    AppArmorProfile, Container, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext,
};

use crate::checks;
use crate::field::{ErrorList, FieldError, Path};

/// The most that a user or group id may be.
const MAX_ID: i64 = i32::MAX as i64;

/// Checks a container's security settings.
pub(crate) fn validate_security(context: &SecurityContext, path: &Path, errors: &mut ErrorList) {
    validate_id(context.run_as_user, &path.child("runAsUser"), errors);
    validate_id(context.run_as_group, &path.child("runAsGroup"), errors);
    let (procs, supported) = (context.proc_mount.as_deref(), &["Default", "Unmasked"]);
    checks::none_or_one_of(procs, supported, &path.child("procMount"), errors);
    validate_seccomp(context.seccomp_profile.as_ref(), path, errors);
    validate_app_armor(context.app_armor_profile.as_ref(), path, errors);
    if context.allow_privilege_escalation == Some(false) {
        validate_no_escalation(context, path, errors);
    }
}

/// A container whose processes may gain nothing cannot have everything.
fn validate_no_escalation(context: &SecurityContext, path: &Path, errors: &mut ErrorList) {
    if context.privileged == Some(true) {
        let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        errors.push(FieldError::invalid(path, false, why));
    }
    let added = context.capabilities.iter().flat_map(|set| &set.add);
    if added.into_iter().any(|one| one == "CAP_SYS_ADMIN") {
        let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
        errors.push(FieldError::invalid(path, false, why));
    }
}

/// Checks a pod's security settings.
pub(crate) fn validate_pod_security(spec: &PodSpec, path: &Path, errors: &mut ErrorList) {
    let Some(context) = &spec.security_context else {
        return;
    };
    validate_id(context.run_as_user, &path.child("runAsUser"), errors);
    validate_id(context.run_as_group, &path.child("runAsGroup"), errors);
    validate_id(context.fs_group, &path.child("fsGroup"), errors);
    for (index, id) in context.supplemental_groups.iter().enumerate() {
        validate_id(Some(*id), &path.child("supplementalGroups").index(index), errors);
    }
    let (policy, supported) = (context.fs_group_change_policy.as_deref(), &["Always", "OnRootMismatch"]);
    checks::none_or_one_of(policy, supported, &path.child("fsGroupChangePolicy"), errors);
    let (policy, supported) = (context.supplemental_groups_policy.as_deref(), &["Merge", "Strict"]);
    checks::none_or_one_of(policy, supported, &path.child("supplementalGroupsPolicy"), errors);
    validate_sysctls(context, &path.child("sysctls"), errors);
    validate_seccomp(context.seccomp_profile.as_ref(), path, errors);
    validate_app_armor(context.app_armor_profile.as_ref(), path, errors);
    if spec.share_process_namespace == Some(true) && spec.host_pid {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        let path = path.child("shareProcessNamespace");
        errors.push(FieldError::invalid(&path, true, why));
    }
}

/// The containers of `spec` that ask for privilege, as faults: for servers that do not allow it.
pub fn forbids_privilege(spec: &PodSpec, path: &Path) -> ErrorList {
    let lists: [(&str, &[Container]); 2] =
        [("initContainers", &spec.init_containers), ("containers", &spec.containers)];
    let mut errors = ErrorList::new();
    for (name, containers) in lists {
        for (index, _) in
            containers.iter().enumerate().filter(|(_, container)| super::is_privileged(container))
        {
            let path = path.child(name).index(index).child("securityContext").child("privileged");
            errors.push(FieldError::forbidden(&path, "disallowed by cluster policy"));
        }
    }
    errors
}

fn validate_id(id: Option<i64>, path: &Path, errors: &mut ErrorList) {
    if let Some(id) = id {
        checks::within(id, (0, MAX_ID), path, errors);
    }
}

fn validate_sysctls(context: &PodSecurityContext, path: &Path, errors: &mut ErrorList) {
    let mut seen = std::collections::HashSet::new();
    for (index, sysctl) in context.sysctls.iter().enumerate() {
        let path = path.index(index).child("name");
        let legal =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '/');
        match sysctl.name.as_str() {
            "" => errors.push(FieldError::required(&path, "")),
            name if name.len() > 253 || !name.chars().all(legal) => {
                let why = "must have at most 253 characters, of a-z, 0-9, '-', '_', '.' and '/'";
                errors.push(FieldError::invalid(&path, name, why));
            }
            name if !seen.insert(name) => errors.push(FieldError::duplicate(&path, name)),
            _ => {}
        }
    }
}

fn validate_seccomp(profile: Option<&SeccompProfile>, path: &Path, errors: &mut ErrorList) {
    let (Some(profile), path) = (profile, path.child("seccompProfile")) else {
        return;
    };
    let local = profile.localhost_profile.as_deref();
    validate_profile(&profile.r#type, local, &path, errors);
    if let Some(local) = local {
        checks::descending_path(local, &path.child("localhostProfile"), errors);
    }
}

fn validate_app_armor(profile: Option<&AppArmorProfile>, path: &Path, errors: &mut ErrorList) {
    if let Some(profile) = profile {
        let (local, path) = (profile.localhost_profile.as_deref(), path.child("appArmorProfile"));
        validate_profile(&profile.r#type, local, &path, errors);
    }
}

fn validate_profile(kind: &str, local: Option<&str>, path: &Path, errors: &mut ErrorList) {
    checks::one_of(kind, &["Localhost", "RuntimeDefault", "Unconfined"], &path.child("type"), errors);
    let path = path.child("localhostProfile");
    match (kind == "Localhost", local) {
        (true, None | Some("")) => {
            errors.push(FieldError::required(&path, "must be set when type is Localhost"))
        }
        (false, Some(local)) => {
            errors.push(FieldError::invalid(&path, local, "can only be set when type is Localhost"));
        }
        _ => {}
    }
}
