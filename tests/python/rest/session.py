"""What the chapters share: a session in a namespace of its own, through the official client."""

import contextlib
import json
import os
import time
import unittest
import uuid

from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

# Any image will do on a hollow node; another target is told a real one.
IMAGE = os.environ.get("KEELSON_TEST_IMAGE", "registry.k8s.io/pause:3.9")

# How long to wait for what the cluster does by itself, in seconds.
PATIENCE = 30

# How the server names the three kinds of patches.
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Session(unittest.TestCase):
    """A person with the kubeconfig of `KUBECONFIG`, in a new namespace for each test."""

    def setUp(self):
        config.load_kube_config()
        self.core = client.CoreV1Api()
        self.namespace = f"python-{uuid.uuid4().hex[:8]}"
        self.core.create_namespace({"metadata": {"name": self.namespace}})
        self.addCleanup(self.core.delete_namespace, self.namespace)

    def pod(self, name, **metadata):
        """Creates a pod that runs until it is deleted."""
        container = {"name": "main", "image": IMAGE}
        spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
        return self.core.create_namespaced_pod(self.namespace, {"metadata": {"name": name, **metadata}, "spec": spec})

    def controller(self, name, replicas):
        """Creates a replication controller of pods labelled `app: <name>`."""
        container = {"name": "main", "image": IMAGE}
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
        spec = {"replicas": replicas, "selector": {"app": name}, "template": template}
        body = {"metadata": {"name": name}, "spec": spec}
        return self.core.create_namespaced_replication_controller(self.namespace, body)

    def names(self, **selection):
        """The names of the pods that a list with these parameters shows."""
        pods = self.core.list_namespaced_pod(self.namespace, **selection).items
        return [pod.metadata.name for pod in pods]

    def events_of(self, lister, until, **parameters):
        """Watches until this holds for an event; answers with all events up to it."""
        parameters = {"timeout_seconds": PATIENCE, **parameters}
        seen = []
        watcher = watch.Watch()
        with contextlib.closing(watcher.stream(lister, self.namespace, **parameters)) as stream:
            for event in stream:
                seen.append(event)
                if until(event):
                    return seen
        self.fail(f"the watch ended after {[brief(event) for event in seen]}")

    def wait_until(self, what, holds):
        """Looks until there is something to see, where no watch tells."""
        end = time.monotonic() + PATIENCE
        while not holds():
            self.assertLess(time.monotonic(), end, f"still not: {what}")
            time.sleep(0.05)

    @contextlib.contextmanager
    def refused(self, code, reason, part=""):
        """What is done within must fail with this code and reason, and `part` in the message."""
        with self.assertRaises(ApiException) as caught:
            yield caught
        status = json.loads(caught.exception.body)
        self.assertEqual(status["kind"], "Status", status)
        self.assertEqual((status["code"], status["reason"]), (code, reason), status)
        self.assertEqual(caught.exception.status, code)
        self.assertIn(part, status["message"])
        caught.status = status


def brief(event):
    """An event in a few words, for messages."""
    metadata = event["raw_object"].get("metadata", {})
    return event["type"], metadata.get("name"), metadata.get("resourceVersion")
