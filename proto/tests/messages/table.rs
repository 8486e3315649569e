//! Every message, beside the type that `k8s-pb` generates from Kubernetes' own files.

use crate::hostile;
use crate::json;
use crate::wire;

/// One message and what is to be proved of it.
pub(crate) struct Pair {
    /// Package of the message.
    pub(crate) package: &'static str,
    /// Name of our type.
    pub(crate) name: &'static str,
    /// Sends an encoded message through both types; `true` if every field of it is set.
    pub(crate) wire: fn(&[u8], bool),
    /// Field numbers that our type and theirs know.
    pub(crate) tags: fn() -> [wire::Tags; 2],
    /// What is to be proved of its JSON form, unless that is written by hand.
    pub(crate) json: Option<Json>,
}

/// What is to be proved of a message with a generated JSON form.
pub(crate) struct Json {
    /// Sends an encoded message through JSON and answers with that.
    pub(crate) round_trip: fn(&[u8]) -> serde_json::Value,
    /// Sends an encoded message of any content through JSON.
    pub(crate) survive: fn(&[u8]),
}

/// Every pair.
pub(crate) fn pairs() -> Vec<Pair> {
    [
        core(),
        authentication(),
        authorization(),
        coordination(),
        discovery(),
        events(),
        autoscaling(),
        policy(),
        rbac(),
        meta(),
        resource(),
        runtime(),
        intstr(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A function with the pairs of one package. `Ours = THEIRS` where the two generators spell a name differently.
macro_rules! pairs {
    ($of:ident is $package:literal, theirs $($theirs:ident)::+;
     objects: $($object:ident $(= $their_object:ident)?),*;
     leaves: $($leaf:ident $(= $their_leaf:ident)?),*;) => {
        fn $of() -> Vec<Pair> {
            use {keelson_proto::$of as ours, $($theirs)::+ as theirs};
            vec![
                $(Pair { json: Some(pair!(json $object)), ..pair!($package $object $(= $their_object)?) },)*
                $(pair!($package $leaf $(= $their_leaf)?),)*
            ]
        }
    };
}

macro_rules! pair {
    (json $ours:ident) => {
        Json { round_trip: json::round_trip::<ours::$ours>, survive: hostile::survive::<ours::$ours> }
    };
    ($package:literal $ours:ident) => {
        pair!($package $ours = $ours)
    };
    ($package:literal $ours:ident = $theirs:ident) => {
        Pair {
            package: $package,
            name: stringify!($ours),
            wire: wire::both_ways::<ours::$ours, theirs::$theirs>,
            tags: || [wire::tags::<ours::$ours>(), wire::tags::<theirs::$theirs>()],
            json: None,
        }
    };
}

pairs! {
    core is "k8s.io.api.core.v1", theirs k8s_pb::api::core::v1;
    objects:
        Affinity, AppArmorProfile, AttachedVolume, AvoidPods, AwsElasticBlockStoreVolumeSource,
        AzureDiskVolumeSource, AzureFilePersistentVolumeSource, AzureFileVolumeSource, Binding,
        Capabilities, CephFsPersistentVolumeSource, CephFsVolumeSource,
        CinderPersistentVolumeSource, CinderVolumeSource, ClientIpConfig,
        ClusterTrustBundleProjection, ComponentCondition, ComponentStatus, ComponentStatusList,
        ConfigMap, ConfigMapEnvSource, ConfigMapKeySelector, ConfigMapList,
        ConfigMapNodeConfigSource, ConfigMapProjection, ConfigMapVolumeSource, Container,
        ContainerExtendedResourceRequest, ContainerImage, ContainerPort, ContainerResizePolicy,
        ContainerRestartRule, ContainerRestartRuleOnExitCodes, ContainerState,
        ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
        ContainerUser, CsiPersistentVolumeSource = CSIPersistentVolumeSource,
        CsiVolumeSource = CSIVolumeSource, DaemonEndpoint,
        DownwardApiProjection = DownwardAPIProjection,
        DownwardApiVolumeFile = DownwardAPIVolumeFile,
        DownwardApiVolumeSource = DownwardAPIVolumeSource, EmptyDirVolumeSource, EndpointAddress,
        EndpointPort, EndpointSubset, Endpoints, EndpointsList, EnvFromSource, EnvVar,
        EnvVarSource, EphemeralContainer, EphemeralContainerCommon, EphemeralVolumeSource,
        Event, EventList, EventSeries, EventSource, ExecAction, FcVolumeSource, FileKeySelector,
        FlexPersistentVolumeSource, FlexVolumeSource, FlockerVolumeSource,
        GcePersistentDiskVolumeSource, GitRepoVolumeSource, GlusterfsPersistentVolumeSource,
        GlusterfsVolumeSource, GrpcAction, HostAlias, HostIp, HostPathVolumeSource,
        HttpGetAction, HttpHeader, ImageVolumeSource, IscsiPersistentVolumeSource,
        IscsiVolumeSource, KeyToPath, Lifecycle, LifecycleHandler, LimitRange, LimitRangeItem,
        LimitRangeList, LimitRangeSpec, LinuxContainerUser, List, LoadBalancerIngress,
        LoadBalancerStatus, LocalObjectReference, LocalVolumeSource, ModifyVolumeStatus,
        Namespace, NamespaceCondition, NamespaceList, NamespaceSpec, NamespaceStatus,
        NfsVolumeSource, Node, NodeAddress, NodeAffinity, NodeCondition, NodeConfigSource,
        NodeConfigStatus, NodeDaemonEndpoints, NodeFeatures, NodeList, NodeProxyOptions,
        NodeRuntimeHandler, NodeRuntimeHandlerFeatures, NodeSelector, NodeSelectorRequirement,
        NodeSelectorTerm, NodeSpec, NodeStatus, NodeSwapStatus, NodeSystemInfo,
        ObjectFieldSelector, ObjectReference, PersistentVolume, PersistentVolumeClaim,
        PersistentVolumeClaimCondition, PersistentVolumeClaimList, PersistentVolumeClaimSpec,
        PersistentVolumeClaimStatus, PersistentVolumeClaimTemplate,
        PersistentVolumeClaimVolumeSource, PersistentVolumeList, PersistentVolumeSource,
        PersistentVolumeSpec, PersistentVolumeStatus, PhotonPersistentDiskVolumeSource, Pod,
        PodAffinity, PodAffinityTerm, PodAntiAffinity, PodAttachOptions,
        PodCertificateProjection, PodCondition, PodDnsConfig, PodDnsConfigOption,
        PodExecOptions, PodExtendedResourceClaimStatus, PodIp, PodList, PodLogOptions, PodOs,
        PodPortForwardOptions, PodProxyOptions, PodReadinessGate, PodResourceClaim,
        PodResourceClaimStatus, PodSchedulingGate, PodSecurityContext, PodSignature, PodSpec,
        PodStatus, PodStatusResult, PodTemplate, PodTemplateList, PodTemplateSpec, PortStatus,
        PortworxVolumeSource, Preconditions, PreferAvoidPodsEntry, PreferredSchedulingTerm,
        Probe, ProbeHandler, ProjectedVolumeSource, QuobyteVolumeSource, RangeAllocation,
        RbdPersistentVolumeSource, RbdVolumeSource, ReplicationController,
        ReplicationControllerCondition, ReplicationControllerList, ReplicationControllerSpec,
        ReplicationControllerStatus, ResourceClaim, ResourceFieldSelector, ResourceHealth,
        ResourceQuota, ResourceQuotaList, ResourceQuotaSpec, ResourceQuotaStatus,
        ResourceRequirements, ResourceStatus, ScaleIoPersistentVolumeSource,
        ScaleIoVolumeSource, ScopeSelector, ScopedResourceSelectorRequirement, SeLinuxOptions,
        SeccompProfile, Secret, SecretEnvSource, SecretKeySelector, SecretList,
        SecretProjection, SecretReference, SecretVolumeSource, SecurityContext,
        SerializedReference, Service, ServiceAccount, ServiceAccountList,
        ServiceAccountTokenProjection, ServiceList, ServicePort, ServiceProxyOptions,
        ServiceSpec, ServiceStatus, SessionAffinityConfig, SleepAction,
        StorageOsPersistentVolumeSource, StorageOsVolumeSource, Sysctl, Taint, TcpSocketAction,
        Toleration, TopologySelectorLabelRequirement, TopologySelectorTerm,
        TopologySpreadConstraint, TypedLocalObjectReference, TypedObjectReference, Volume,
        VolumeDevice, VolumeMount, VolumeMountStatus, VolumeNodeAffinity, VolumeProjection,
        VolumeResourceRequirements, VolumeSource, VsphereVirtualDiskVolumeSource,
        WeightedPodAffinityTerm, WindowsSecurityContextOptions, WorkloadReference;
    leaves:;
}

pairs! {
    coordination is "k8s.io.api.coordination.v1", theirs k8s_pb::api::coordination::v1;
    objects:
        Lease, LeaseList, LeaseSpec;
    leaves:;
}

pairs! {
    discovery is "k8s.io.api.discovery.v1", theirs k8s_pb::api::discovery::v1;
    objects:
        Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, EndpointSliceList, ForNode,
        ForZone;
    leaves:;
}

pairs! {
    events is "k8s.io.api.events.v1", theirs k8s_pb::api::events::v1;
    objects:
        Event, EventList, EventSeries;
    leaves:;
}

pairs! {
    autoscaling is "k8s.io.api.autoscaling.v1", theirs k8s_pb::api::autoscaling::v1;
    objects:
        Scale, ScaleSpec, ScaleStatus;
    leaves:;
}

pairs! {
    policy is "k8s.io.api.policy.v1", theirs k8s_pb::api::policy::v1;
    objects:
        Eviction;
    leaves:;
}

pairs! {
    rbac is "k8s.io.api.rbac.v1", theirs k8s_pb::api::rbac::v1;
    objects:
        AggregationRule, ClusterRole, ClusterRoleBinding, ClusterRoleBindingList, ClusterRoleList, PolicyRule,
        Role, RoleBinding, RoleBindingList, RoleList, RoleRef, Subject;
    leaves:;
}

pairs! {
    authentication is "k8s.io.api.authentication.v1", theirs k8s_pb::api::authentication::v1;
    objects:
        BoundObjectReference, SelfSubjectReview, SelfSubjectReviewStatus, TokenRequest, TokenRequestSpec,
        TokenRequestStatus, TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo;
    leaves:
        ExtraValue;
}

pairs! {
    authorization is "k8s.io.api.authorization.v1", theirs k8s_pb::api::authorization::v1;
    objects:
        FieldSelectorAttributes, LabelSelectorAttributes, LocalSubjectAccessReview, NonResourceAttributes,
        NonResourceRule, ResourceAttributes, ResourceRule, SelfSubjectAccessReview,
        SelfSubjectAccessReviewSpec, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectAccessReview,
        SubjectAccessReviewSpec, SubjectAccessReviewStatus, SubjectRulesReviewStatus;
    leaves:
        ExtraValue;
}

pairs! {
    meta is "k8s.io.apimachinery.pkg.apis.meta.v1", theirs k8s_pb::apimachinery::pkg::apis::meta::v1;
    objects:
        ApiGroup = APIGroup, ApiGroupList = APIGroupList, ApiResource = APIResource,
        ApiResourceList = APIResourceList, ApiVersions = APIVersions, ApplyOptions, Condition,
        CreateOptions, DeleteOptions, FieldSelectorRequirement, GetOptions, GroupKind,
        GroupResource, GroupVersion, GroupVersionForDiscovery, GroupVersionKind,
        GroupVersionResource, LabelSelector, LabelSelectorRequirement, List, ListMeta,
        ListOptions, ManagedFieldsEntry, ObjectMeta, OwnerReference, PartialObjectMetadata,
        PartialObjectMetadataList, Patch, PatchOptions, Preconditions, RootPaths,
        ServerAddressByClientCidr = ServerAddressByClientCIDR, Status, StatusCause, StatusDetails,
        TableOptions, TypeMeta, UpdateOptions, WatchEvent;
    leaves:
        Duration, FieldsV1, MicroTime, Time, Timestamp, Verbs;
}

pairs! {
    resource is "k8s.io.apimachinery.pkg.api.resource", theirs k8s_pb::apimachinery::pkg::api::resource;
    objects:;
    leaves:
        Quantity;
}

pairs! {
    runtime is "k8s.io.apimachinery.pkg.runtime", theirs k8s_pb::apimachinery::pkg::runtime;
    objects:
        TypeMeta;
    leaves:
        RawExtension, Unknown;
}

pairs! {
    intstr is "k8s.io.apimachinery.pkg.util.intstr", theirs k8s_pb::apimachinery::pkg::util::intstr;
    objects:;
    leaves:
        IntOrString;
}
