"""Creates, patches of three kinds, replaces and their conflicts, deletions."""

import unittest

from kubernetes import client

from session import IMAGE, JSON_PATCH, MERGE, STRATEGIC, Session


class Writing(Session):
    def service(self, name="web"):
        ports = [{"name": "http", "port": 80}, {"name": "https", "port": 443}]
        body = {"metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": ports}}
        return self.core.create_namespaced_service(self.namespace, body)

    def patched_service(self, media, patch, **options):
        return self.core.patch_namespaced_service("web", self.namespace, patch, _content_type=media, **options)

    def test_a_typed_pod_comes_back_with_defaults(self):
        container = client.V1Container(
            name="main",
            image=IMAGE,
            env=[client.V1EnvVar(name="WHO", value="me")],
            ports=[client.V1ContainerPort(container_port=80)],
            resources=client.V1ResourceRequirements(requests={"cpu": "0.1", "memory": "1024Ki"}),
        )
        pod = client.V1Pod(
            metadata=client.V1ObjectMeta(generate_name="typed-"), spec=client.V1PodSpec(containers=[container])
        )
        created = self.core.create_namespaced_pod(self.namespace, pod)
        self.assertRegex(created.metadata.name, "^typed-[a-z0-9]{5}$")
        self.assertEqual(created.metadata.creation_timestamp.utcoffset().total_seconds(), 0)
        self.assertEqual(created.spec.restart_policy, "Always")
        self.assertEqual(created.spec.containers[0].ports[0].protocol, "TCP")
        self.assertEqual(created.spec.containers[0].resources.requests, {"cpu": "100m", "memory": "1Mi"})
        self.assertEqual(created.status.qos_class, "Burstable")

    def test_bad_objects_are_refused(self):
        with self.refused(422, "Invalid", "spec.containers") as caught:
            self.core.create_namespaced_pod(self.namespace, {"metadata": {"name": "x"}, "spec": {"containers": []}})
        self.assertEqual(caught.status["details"]["causes"][0]["field"], "spec.containers")
        with self.refused(400, "BadRequest"):
            self.core.create_namespaced_pod(self.namespace, {"kind": "Service", "apiVersion": "v1"})
        self.pod("twice")
        with self.refused(409, "AlreadyExists", 'pods "twice" already exists'):
            self.pod("twice")
        with self.refused(404, "NotFound", "no-such-namespace"):
            body = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": IMAGE}]}}
            self.core.create_namespaced_pod("no-such-namespace", body)

    def test_a_dry_run_stores_nothing(self):
        body = {"metadata": {"name": "dry"}, "spec": {"containers": [{"name": "a", "image": IMAGE}]}}
        dry = self.core.create_namespaced_pod(self.namespace, body, dry_run="All")
        self.assertEqual(dry.status.phase, "Pending")
        self.assertEqual(self.names(), [])

    def test_a_strategic_patch_merges_lists_by_key(self):
        self.service()
        spec = {"ports": [{"port": 443, "targetPort": 8443}, {"port": 80, "$patch": "delete"}, {"name": "x", "port": 9}]}
        patched = self.patched_service(STRATEGIC, {"spec": spec})
        ports = {port.port: (port.name, port.target_port) for port in patched.spec.ports}
        self.assertEqual(ports, {443: ("https", 8443), 9: ("x", 9)})

    def test_a_merge_patch_replaces_lists_and_removes_by_null(self):
        self.service()
        patch = {"metadata": {"annotations": {"a": "b"}}, "spec": {"ports": [{"port": 81}], "selector": None}}
        patched = self.patched_service(MERGE, patch)
        self.assertEqual([port.port for port in patched.spec.ports], [81])
        self.assertIsNone(patched.spec.selector)
        self.assertEqual(patched.metadata.annotations, {"a": "b"})

    def test_a_json_patch_is_done_wholly_or_not_at_all(self):
        self.service()
        add = {"op": "add", "path": "/metadata/labels", "value": {"done": "yes"}}
        patched = self.patched_service(JSON_PATCH, [{"op": "test", "path": "/spec/ports/0/port", "value": 80}, add])
        self.assertEqual(patched.metadata.labels, {"done": "yes"})
        wrong = {"op": "test", "path": "/spec/ports/0/port", "value": 1}
        with self.refused(422, "Invalid"):
            self.patched_service(JSON_PATCH, [{"op": "remove", "path": "/metadata/labels"}, wrong])
        self.assertEqual(self.core.read_namespaced_service("web", self.namespace).metadata.labels, {"done": "yes"})

    def test_patches_that_cannot_be_are_refused(self):
        self.service()
        stale = self.core.read_namespaced_service("web", self.namespace).metadata.resource_version
        self.patched_service(MERGE, {"metadata": {"labels": {"a": "b"}}})
        with self.refused(409, "Conflict", "the object has been modified"):
            self.patched_service(MERGE, {"metadata": {"resourceVersion": stale, "labels": {"a": "c"}}})
        with self.refused(422, "Invalid", "may not change once set"):
            self.patched_service(MERGE, {"spec": {"clusterIP": "10.0.0.1"}})
        with self.refused(404, "NotFound"):
            self.core.patch_namespaced_service("absent", self.namespace, {}, _content_type=MERGE)

    def test_the_second_of_two_replaces_conflicts(self):
        self.service()
        mine = self.core.read_namespaced_service("web", self.namespace)
        yours = self.core.read_namespaced_service("web", self.namespace)
        mine.spec.ports = [client.V1ServicePort(port=8080)]
        replaced = self.core.replace_namespaced_service("web", self.namespace, mine)
        self.assertEqual(replaced.spec.ports[0].target_port, 8080)
        yours.metadata.labels = {"whose": "yours"}
        with self.refused(409, "Conflict", "the object has been modified"):
            self.core.replace_namespaced_service("web", self.namespace, yours)
        yours.metadata.name = "other"
        with self.refused(400, "BadRequest", "does not match"):
            self.core.replace_namespaced_service("web", self.namespace, yours)

    def test_a_status_is_written_apart_from_the_spec(self):
        self.controller("web", 0)
        read = self.core.read_namespaced_replication_controller("web", self.namespace)
        condition = client.V1ReplicationControllerCondition(type="Tested", status="True")
        read.spec.replicas = 5
        # The controller writes its status too: no version means whatever is there now.
        read.metadata.resource_version = None
        read.status.conditions = [condition]
        written = self.core.replace_namespaced_replication_controller_status("web", self.namespace, read)
        self.assertEqual(written.spec.replicas, 0)
        self.assertEqual(written.status.conditions[0].type, "Tested")

    def test_deletion_by_propagation(self):
        for policy, pods_stay in [("Orphan", True), ("Background", False), ("Foreground", False)]:
            with self.subTest(policy):
                name = policy.lower()
                self.controller(name, 2)
                selector = f"app={name}"
                self.wait_until("two pods", lambda: len(self.names(label_selector=selector)) == 2)
                body = client.V1DeleteOptions(propagation_policy=policy)
                self.core.delete_namespaced_replication_controller(name, self.namespace, body=body)
                gone = lambda: not self.core.list_namespaced_replication_controller(
                    self.namespace, field_selector=f"metadata.name={name}"
                ).items
                self.wait_until("the controller is gone", gone)
                if pods_stay:
                    pods = self.core.list_namespaced_pod(self.namespace, label_selector=selector).items
                    self.assertEqual([pod.metadata.owner_references for pod in pods], [None, None])
                else:
                    self.wait_until("its pods are gone", lambda: not self.names(label_selector=selector))

    def test_deletion_with_preconditions_and_finalizers(self):
        pod = self.pod("held", finalizers=["example.com/hold"])
        other = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
        with self.refused(409, "Conflict", "Precondition failed"):
            self.core.delete_namespaced_pod("held", self.namespace, body=other)
        mine = client.V1Preconditions(uid=pod.metadata.uid)
        body = client.V1DeleteOptions(grace_period_seconds=0, preconditions=mine)
        self.core.delete_namespaced_pod("held", self.namespace, body=body)
        held = self.core.read_namespaced_pod("held", self.namespace)
        self.assertIsNotNone(held.metadata.deletion_timestamp)
        let_go = [{"op": "remove", "path": "/metadata/finalizers"}]
        self.core.patch_namespaced_pod("held", self.namespace, let_go, _content_type=JSON_PATCH)
        self.wait_until("it is gone", lambda: self.names() == [])

    def test_a_collection_is_deleted_by_selector(self):
        for name, app in [("a", "web"), ("b", "web"), ("c", "db")]:
            self.pod(name, labels={"app": app})
        self.core.delete_collection_namespaced_pod(self.namespace, label_selector="app=web", grace_period_seconds=0)
        self.wait_until("one is left", lambda: self.names() == ["c"])


if __name__ == "__main__":
    unittest.main()
