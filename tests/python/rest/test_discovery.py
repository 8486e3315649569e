"""What the server says of itself, and the client that lives by it."""

import pathlib
import tempfile
import unittest

from kubernetes import client, dynamic
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

from session import IMAGE, MERGE, Session


class Discovery(Session):
    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dynamic = dynamic.DynamicClient(client.ApiClient(), cache_file=str(pathlib.Path(directory.name) / "cache"))

    def test_versions_and_groups(self):
        version = client.VersionApi().get_code()
        self.assertEqual(version.major, "1")
        self.assertEqual(self.dynamic.version["kubernetes"]["gitVersion"], version.git_version)
        self.assertEqual(client.CoreApi().get_api_versions().versions, ["v1"])
        groups = {group.name for group in client.ApisApi().get_api_versions().groups}
        self.assertIn("coordination.k8s.io", groups)
        resources = {resource.name: resource for resource in self.core.get_api_resources().resources}
        self.assertEqual(resources["pods"].short_names, ["po"])
        self.assertFalse(resources["nodes"].namespaced)
        self.assertIn("watch", resources["replicationcontrollers"].verbs)
        self.assertIn("pods/log", resources)

    def test_the_life_of_an_object_without_types(self):
        pods = self.dynamic.resources.get(api_version="v1", kind="Pod")
        self.assertEqual((pods.name, pods.namespaced, pods.group_version), ("pods", True, "v1"))
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "free"},
            "spec": {"containers": [{"name": "main", "image": IMAGE}]},
        }
        created = pods.create(body=body, namespace=self.namespace)
        self.assertEqual(created.spec.dnsPolicy, "ClusterFirst")
        patch = {"metadata": {"labels": {"a": "b"}}}
        patched = pods.patch(body=patch, name="free", namespace=self.namespace, content_type=MERGE)
        self.assertEqual(patched.metadata.labels.a, "b")
        with self.assertRaises(ConflictError):
            pods.replace(body=created, namespace=self.namespace)
        listed = pods.get(namespace=self.namespace, label_selector="a=b")
        self.assertEqual([pod.metadata.name for pod in listed.items], ["free"])
        for event in pods.watch(namespace=self.namespace, timeout=5):
            self.assertEqual((event["type"], event["object"].metadata.name), ("ADDED", "free"))
            break
        pods.delete(name="free", namespace=self.namespace, body={"gracePeriodSeconds": 0})
        with self.assertRaises(NotFoundError):
            pods.get(name="free", namespace=self.namespace)

    def test_subresources_without_types(self):
        self.controller("web", 0)
        controllers = self.dynamic.resources.get(api_version="v1", kind="ReplicationController")
        scale = controllers.scale.get(name="web", namespace=self.namespace)
        self.assertEqual((scale.apiVersion, scale.kind, scale.status.replicas), ("autoscaling/v1", "Scale", 0))
        patch = {"spec": {"replicas": 2}}
        controllers.scale.patch(body=patch, name="web", namespace=self.namespace, content_type=MERGE)
        self.wait_until("two pods", lambda: len(self.names()) == 2)

    def test_server_side_apply_knows_whose_a_field_is(self):
        maps = self.dynamic.resources.get(api_version="v1", kind="ConfigMap")
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
        mine = maps.server_side_apply(body=body, namespace=self.namespace, field_manager="python")
        self.assertEqual(mine.metadata.managedFields[0].manager, "python")
        body["data"]["a"] = "2"
        with self.assertRaises(ApiException) as caught:
            maps.server_side_apply(body=body, namespace=self.namespace, field_manager="other")
        self.assertEqual(caught.exception.status, 409)
        self.assertIn("FieldManagerConflict", str(caught.exception.body))
        taken = maps.server_side_apply(
            body=body, namespace=self.namespace, field_manager="other", force_conflicts=True
        )
        self.assertEqual(taken.data["a"], "2")


if __name__ == "__main__":
    unittest.main()
