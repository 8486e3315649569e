"""Pods at work: binding, logs, controllers that scale, events."""

import datetime
import unittest

from kubernetes import client, watch

from session import IMAGE, PATIENCE, Session


class Pods(Session):
    def running(self, name):
        """Waits until a pod runs."""
        events = self.events_of(
            self.core.list_namespaced_pod,
            until=lambda event: event["object"].status.phase == "Running",
            field_selector=f"metadata.name={name}",
        )
        return events[-1]["object"]

    def test_logs(self):
        self.pod("talker")
        self.running("talker")
        log = self.core.read_namespaced_pod_log("talker", self.namespace)
        self.assertEqual(log, "main attempt 0\n")
        tail = self.core.read_namespaced_pod_log("talker", self.namespace, container="main", tail_lines=10)
        self.assertEqual(tail, log)
        follow = watch.Watch().stream(self.core.read_namespaced_pod_log, "talker", self.namespace)
        self.assertEqual(next(follow), "main attempt 0")
        follow.close()
        with self.refused(400, "BadRequest", "container"):
            self.core.read_namespaced_pod_log("talker", self.namespace, container="absent")
        with self.refused(404, "NotFound", '"absent" not found'):
            self.core.read_namespaced_pod_log("absent", self.namespace)

    def test_binding_by_hand(self):
        node = self.core.list_node().items[0].metadata.name
        container = {"name": "main", "image": IMAGE}
        spec = {"schedulerName": "python", "containers": [container]}
        self.core.create_namespaced_pod(self.namespace, {"metadata": {"name": "bound"}, "spec": spec})
        binding = client.V1Binding(
            metadata=client.V1ObjectMeta(name="bound"), target=client.V1ObjectReference(kind="Node", name=node)
        )
        bind = lambda: self.core.create_namespaced_pod_binding(
            "bound", self.namespace, binding, _preload_content=False
        )
        self.assertEqual(bind().status, 201)
        self.assertEqual(self.running("bound").spec.node_name, node)
        with self.refused(409, "Conflict", "already assigned"):
            self.core.create_namespaced_pod_binding("bound", self.namespace, binding)

    def test_scaling(self):
        self.controller("web", 1)
        ready = lambda number: lambda: (
            self.core.read_namespaced_replication_controller_status("web", self.namespace).status.ready_replicas
            == number
        )
        self.wait_until("one pod is ready", ready(1))
        scale = self.core.read_namespaced_replication_controller_scale("web", self.namespace)
        self.assertEqual((scale.kind, scale.spec.replicas, scale.status.selector), ("Scale", 1, "app=web"))
        scale.spec.replicas = 3
        self.core.replace_namespaced_replication_controller_scale("web", self.namespace, scale)
        self.wait_until("three pods are ready", ready(3))
        with self.refused(409, "Conflict"):
            self.core.replace_namespaced_replication_controller_scale("web", self.namespace, scale)
        self.core.patch_namespaced_replication_controller_scale("web", self.namespace, {"spec": {"replicas": 0}})
        self.wait_until("no pod is left", lambda: self.names() == [])

    def test_a_service_gets_endpoints(self):
        self.controller("web", 2)
        ports = [{"port": 80, "targetPort": 9376}]
        body = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": ports}}
        self.core.create_namespaced_service(self.namespace, body)

        def addresses():
            subsets = self.core.read_namespaced_endpoints("web", self.namespace).subsets or []
            return {address.target_ref.name for subset in subsets for address in subset.addresses or []}

        self.wait_until("it has endpoints", lambda: addresses() == set(self.names()))

    def test_events_of_a_pod_and_by_hand(self):
        pod = self.pod("noted")
        self.running("noted")
        selector = f"involvedObject.uid={pod.metadata.uid}"
        reasons = lambda: {
            event.reason
            for event in self.core.list_namespaced_event(self.namespace, field_selector=selector).items
        }
        self.wait_until("its start is told", lambda: {"Scheduled", "Started"} <= reasons())
        reference = client.V1ObjectReference(
            kind="Pod", name="noted", namespace=self.namespace, uid=pod.metadata.uid
        )
        now = datetime.datetime.now(datetime.timezone.utc)
        event = client.CoreV1Event(
            metadata=client.V1ObjectMeta(generate_name="noted."),
            involved_object=reference,
            reason="Tested",
            message="by hand",
            type="Normal",
            first_timestamp=now,
            last_timestamp=now,
            count=1,
        )
        self.core.create_namespaced_event(self.namespace, event)
        self.assertIn("Tested", reasons())

    def test_what_is_not_there_yet_says_so(self):
        self.pod("plain")
        self.running("plain")
        with self.refused(501, "NotImplemented"):
            self.core.read_namespaced_pod_ephemeralcontainers("plain", self.namespace)

    def test_an_evicted_pod_goes(self):
        self.pod("plain")
        self.running("plain")
        eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="plain"))
        self.core.create_namespaced_pod_eviction("plain", self.namespace, eviction)
        try:
            left = self.core.read_namespaced_pod("plain", self.namespace)
            self.assertIsNotNone(left.metadata.deletion_timestamp)
        except client.ApiException as gone:
            self.assertEqual(gone.status, 404)


if __name__ == "__main__":
    unittest.main()
