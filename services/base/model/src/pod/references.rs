//! What a pod refers to in its namespace, and its kubelet therefore has to read.

use std::collections::BTreeSet;

use keelson_proto::core::{Container, EnvFromSource, EnvVar, EphemeralContainer, Pod, VolumeSource};

/// Names of what a pod refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Secrets: in variables, volumes, and for pulling images.
    pub secrets: BTreeSet<String>,
    /// Config maps: in variables and volumes.
    pub config_maps: BTreeSet<String>,
    /// Claims of storage.
    pub claims: BTreeSet<String>,
}

/// What the pod refers to.
pub fn references(pod: &Pod) -> References {
    let mut found = References::default();
    let spec = &pod.spec;
    spec.image_pull_secrets.iter().for_each(|secret| found.secret(Some(&secret.name)));
    for Container { env, env_from, .. } in spec.init_containers.iter().chain(&spec.containers) {
        found.variables(env, env_from);
    }
    for EphemeralContainer { ephemeral_container_common: common, .. } in &spec.ephemeral_containers {
        found.variables(&common.env, &common.env_from);
    }
    spec.volumes.iter().for_each(|volume| found.volume(&volume.volume_source));
    found
}

// === impl References ===

impl References {
    /// Whether the pod refers to nothing.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.config_maps.is_empty() && self.claims.is_empty()
    }

    fn variables(&mut self, variables: &[EnvVar], sources: &[EnvFromSource]) {
        for from in variables.iter().filter_map(|variable| variable.value_from.as_ref()) {
            self.secret(from.secret_key_ref.as_ref().map(|one| &one.local_object_reference.name));
            self.config_map(from.config_map_key_ref.as_ref().map(|one| &one.local_object_reference.name));
        }
        for from in sources {
            self.secret(from.secret_ref.as_ref().map(|one| &one.local_object_reference.name));
            self.config_map(from.config_map_ref.as_ref().map(|one| &one.local_object_reference.name));
        }
    }

    fn volume(&mut self, source: &VolumeSource) {
        self.secret(source.secret.as_ref().map(|one| &one.secret_name));
        self.config_map(source.config_map.as_ref().map(|one| &one.local_object_reference.name));
        for one in source.projected.iter().flat_map(|projected| &projected.sources) {
            self.secret(one.secret.as_ref().map(|one| &one.local_object_reference.name));
            self.config_map(one.config_map.as_ref().map(|one| &one.local_object_reference.name));
        }
        let claim = source.persistent_volume_claim.as_ref().map(|one| &one.claim_name);
        self.claims.extend(claim.filter(|name| !name.is_empty()).cloned());
        let drivers = [
            source.cephfs.as_ref().and_then(|one| one.secret_ref.as_ref()),
            source.cinder.as_ref().and_then(|one| one.secret_ref.as_ref()),
            source.csi.as_ref().and_then(|one| one.node_publish_secret_ref.as_ref()),
            source.flex_volume.as_ref().and_then(|one| one.secret_ref.as_ref()),
            source.iscsi.as_ref().and_then(|one| one.secret_ref.as_ref()),
            source.rbd.as_ref().and_then(|one| one.secret_ref.as_ref()),
            source.scale_io.as_ref().and_then(|one| one.secret_ref.as_ref()),
            source.storageos.as_ref().and_then(|one| one.secret_ref.as_ref()),
        ];
        drivers.into_iter().flatten().for_each(|secret| self.secret(Some(&secret.name)));
        self.secret(source.azure_file.as_ref().map(|one| &one.secret_name));
    }

    fn secret(&mut self, name: Option<&String>) {
        self.secrets.extend(name.filter(|name| !name.is_empty()).cloned());
    }

    fn config_map(&mut self, name: Option<&String>) {
        self.config_maps.extend(name.filter(|name| !name.is_empty()).cloned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Secrets, config maps and claims of a pod with this spec.
    fn found(spec: Value) -> [String; 3] {
        let found = references(&serde_json::from_value(json!({"spec": spec})).unwrap());
        [found.secrets, found.config_maps, found.claims]
            .map(|names| names.into_iter().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn every_place_is_looked_at() {
        let container = |env: Value| json!({"containers": [{"name": "c", "env": [env]}]});
        let volume = |source: Value| json!({"volumes": [source]});
        let projected =
            json!({"projected": {"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "m"}}]}});
        let from = json!([{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "m"}}]);
        let table = [
            (json!({"imagePullSecrets": [{"name": "s"}]}), ["s", "", ""]),
            (
                container(json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}})),
                ["s", "", ""],
            ),
            (
                container(json!({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}})),
                ["", "m", ""],
            ),
            (json!({"initContainers": [{"name": "i", "envFrom": from}]}), ["s", "m", ""]),
            (json!({"ephemeralContainers": [{"name": "e", "envFrom": from}]}), ["s", "m", ""]),
            (volume(json!({"secret": {"secretName": "s"}})), ["s", "", ""]),
            (volume(json!({"configMap": {"name": "m"}})), ["", "m", ""]),
            (volume(projected), ["s", "m", ""]),
            (volume(json!({"persistentVolumeClaim": {"claimName": "c"}})), ["", "", "c"]),
            (volume(json!({"csi": {"driver": "d", "nodePublishSecretRef": {"name": "s"}}})), ["s", "", ""]),
            (volume(json!({"azureFile": {"secretName": "s"}})), ["s", "", ""]),
            (volume(json!({"rbd": {"secretRef": {"name": "s"}}})), ["s", "", ""]),
            (volume(json!({"emptyDir": {}})), ["", "", ""]),
            (container(json!({"name": "A", "value": "s"})), ["", "", ""]),
        ];
        for (spec, expected) in table {
            assert_eq!(found(spec.clone()), expected, "{spec}");
        }
    }
}
