//! Which plugins there are, in which order, and which of them an api has.

use super::always::AlwaysDeny;
use super::always_pull_images::AlwaysPullImages;
use super::default_toleration_seconds::DefaultTolerationSeconds;
use super::deny_exec::DenyExec;
use super::limit_ranger::LimitRanger;
use super::namespace_auto_provision::NamespaceAutoProvision;
use super::namespace_exists::NamespaceExists;
use super::namespace_lifecycle::NamespaceLifecycle;
use super::node_restriction::NodeRestriction;
use super::security_context_deny::SecurityContextDeny;
use super::service_account::ServiceAccount;
use super::{Lookups, Plugin};

const ALWAYS_ADMIT: &str = "AlwaysAdmit";
const NAMESPACE_AUTO_PROVISION: &str = "NamespaceAutoProvision";
const NAMESPACE_LIFECYCLE: &str = "NamespaceLifecycle";
const NAMESPACE_EXISTS: &str = "NamespaceExists";
const LIMIT_RANGER: &str = "LimitRanger";
const SERVICE_ACCOUNT: &str = "ServiceAccount";
const NODE_RESTRICTION: &str = "NodeRestriction";
const ALWAYS_PULL_IMAGES: &str = "AlwaysPullImages";
const DEFAULT_TOLERATION_SECONDS: &str = "DefaultTolerationSeconds";
const SECURITY_CONTEXT_DENY: &str = "SecurityContextDeny";
const DENY_ESCALATING_EXEC: &str = "DenyEscalatingExec";
const DENY_EXEC_ON_PRIVILEGED: &str = "DenyExecOnPrivileged";
/// Charged with the commit, behind all others.
pub(super) const RESOURCE_QUOTA: &str = "ResourceQuota";
const ALWAYS_DENY: &str = "AlwaysDeny";

/// Every plugin in the order in which they are asked, and whether it is on if nothing is said.
const PLUGINS: &[(&str, bool)] = &[
    (ALWAYS_ADMIT, false),
    (NAMESPACE_AUTO_PROVISION, false),
    (NAMESPACE_LIFECYCLE, true),
    (NAMESPACE_EXISTS, false),
    (LIMIT_RANGER, true),
    (SERVICE_ACCOUNT, false),
    (NODE_RESTRICTION, true),
    (ALWAYS_PULL_IMAGES, false),
    (DEFAULT_TOLERATION_SECONDS, true),
    (SECURITY_CONTEXT_DENY, false),
    (DENY_ESCALATING_EXEC, false),
    (DENY_EXEC_ON_PRIVILEGED, false),
    (RESOURCE_QUOTA, true),
    (ALWAYS_DENY, false),
];

/// Five minutes.
const TOLERATED: i64 = 300;

/// Which admission plugins an api has. The names are Kubernetes'.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "admission")]
pub struct AdmissionConfig {
    /// The admission plugins, all of them and in this order (1.0's flag): in the place of the two below.
    #[arg(long, value_delimiter = ',', value_parser = known, env = "KEELSON_ADMISSION_CONTROL",
        conflicts_with_all = ["enable_admission_plugins", "disable_admission_plugins"])]
    pub admission_control: Vec<&'static str>,
    /// Admission plugins besides those that are on by default.
    #[arg(long, value_delimiter = ',', value_parser = known, env = "KEELSON_ENABLE_ADMISSION_PLUGINS")]
    pub enable_admission_plugins: Vec<&'static str>,
    /// Admission plugins that are on by default and shall not be.
    #[arg(long, value_delimiter = ',', value_parser = known, env = "KEELSON_DISABLE_ADMISSION_PLUGINS")]
    pub disable_admission_plugins: Vec<&'static str>,
    /// Seconds that pods which do not say stay on a node that is not ready.
    #[arg(long, default_value_t = TOLERATED, value_name = "SECONDS")]
    pub default_not_ready_toleration_seconds: i64,
    /// Seconds that pods which do not say stay on a node that cannot be reached.
    #[arg(long, default_value_t = TOLERATED, value_name = "SECONDS")]
    pub default_unreachable_toleration_seconds: i64,
}

fn known(name: &str) -> Result<&'static str, String> {
    let found = PLUGINS.iter().find(|(known, _)| *known == name);
    found.map(|(known, _)| *known).ok_or_else(|| {
        let all: Vec<_> = PLUGINS.iter().map(|(known, _)| *known).collect();
        format!("there is no such admission plugin; there are {}", all.join(", "))
    })
}

// === impl AdmissionConfig ===

impl AdmissionConfig {
    /// The plugins, in order.
    pub(super) fn names(&self) -> Vec<&'static str> {
        if !self.admission_control.is_empty() {
            return self.admission_control.clone();
        }
        let is_on = |name: &str, by_default: bool| {
            self.enable_admission_plugins.contains(&name)
                || by_default && !self.disable_admission_plugins.contains(&name)
        };
        PLUGINS.iter().filter(|(name, by_default)| is_on(name, *by_default)).map(|(name, _)| *name).collect()
    }
}

impl Default for AdmissionConfig {
    /// The flags' defaults.
    fn default() -> Self {
        Self {
            admission_control: Vec::new(),
            enable_admission_plugins: Vec::new(),
            disable_admission_plugins: Vec::new(),
            default_not_ready_toleration_seconds: TOLERATED,
            default_unreachable_toleration_seconds: TOLERATED,
        }
    }
}

/// The plugin of this name. None for those that the chain has no place for: what always admits says nothing, and quotas
/// are charged with the commit.
pub(super) fn plugin(name: &str, config: &AdmissionConfig, lookups: &Lookups) -> Option<Box<dyn Plugin>> {
    Some(match name {
        NAMESPACE_AUTO_PROVISION => Box::new(NamespaceAutoProvision::new(lookups)),
        NAMESPACE_LIFECYCLE => Box::new(NamespaceLifecycle::new(lookups)),
        NAMESPACE_EXISTS => Box::new(NamespaceExists::new(lookups)),
        LIMIT_RANGER => Box::new(LimitRanger::new(lookups)),
        SERVICE_ACCOUNT => Box::new(ServiceAccount::new(lookups)),
        NODE_RESTRICTION => Box::new(NodeRestriction),
        ALWAYS_PULL_IMAGES => Box::new(AlwaysPullImages),
        DEFAULT_TOLERATION_SECONDS => Box::new(DefaultTolerationSeconds {
            not_ready: config.default_not_ready_toleration_seconds,
            unreachable: config.default_unreachable_toleration_seconds,
        }),
        SECURITY_CONTEXT_DENY => Box::new(SecurityContextDeny),
        DENY_ESCALATING_EXEC => Box::new(DenyExec { host: true }),
        DENY_EXEC_ON_PRIVILEGED => Box::new(DenyExec { host: false }),
        ALWAYS_DENY => Box::new(AlwaysDeny),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        config: AdmissionConfig,
    }

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>, String> {
        let arguments = std::iter::once("test").chain(arguments.iter().copied());
        Flags::try_parse_from(arguments).map(|flags| flags.config.names()).map_err(|error| error.to_string())
    }

    #[test]
    fn plugins_are_chosen_as_by_kube_apiserver() {
        let by_default: Vec<_> = PLUGINS.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        assert_eq!(names(&[]).unwrap(), by_default);
        assert_eq!(
            names(&["--admission-control=AlwaysDeny,LimitRanger"]).unwrap(),
            [ALWAYS_DENY, LIMIT_RANGER]
        );
        let more = names(&["--enable-admission-plugins=AlwaysPullImages,NamespaceExists"]).unwrap();
        assert_eq!(more.len(), by_default.len() + 2);
        assert!(more.is_sorted_by_key(|name| PLUGINS.iter().position(|(known, _)| known == name)));
        let fewer = names(&["--disable-admission-plugins=ResourceQuota,LimitRanger"]).unwrap();
        assert_eq!(fewer.len(), by_default.len() - 2);
        assert!(
            names(&["--enable-admission-plugins=Sunshine"]).unwrap_err().contains("there are AlwaysAdmit")
        );
        assert!(
            names(&["--admission-control=AlwaysDeny", "--enable-admission-plugins=LimitRanger"]).is_err()
        );
    }
}
