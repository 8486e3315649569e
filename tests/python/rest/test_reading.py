"""Lists, selectors, pages, watches, informers."""

import threading
import time
import unittest

from kubernetes import client, watch
from kubernetes.informer import SharedInformer

from session import PATIENCE, Session


class Reading(Session):
    def test_selectors(self):
        self.pod("a", labels={"app": "web", "tier": "front"})
        self.pod("b", labels={"app": "web"})
        self.pod("c", labels={"app": "db"})
        for selector, expected in [
            ("app=web", ["a", "b"]),
            ("app!=web", ["c"]),
            ("app in (web,db),tier", ["a"]),
            ("app notin (web)", ["c"]),
            ("!tier", ["b", "c"]),
        ]:
            self.assertEqual(self.names(label_selector=selector), expected, selector)
        self.assertEqual(self.names(field_selector="metadata.name=b"), ["b"])
        self.assertEqual(self.names(field_selector="spec.nodeName=nowhere"), [])
        with self.refused(400, "BadRequest"):
            self.names(field_selector="spec.unheardOf=1")
        with self.refused(400, "BadRequest"):
            self.names(label_selector="==")

    def test_pages_are_of_one_moment(self):
        for number in range(7):
            self.pod(f"p{number}")
        first = self.core.list_namespaced_pod(self.namespace, limit=3)
        self.assertEqual(len(first.items), 3)
        self.assertEqual(first.metadata.remaining_item_count, 4)
        self.core.delete_namespaced_pod("p6", self.namespace, grace_period_seconds=0)
        self.pod("p9")
        names, token = [pod.metadata.name for pod in first.items], first.metadata._continue
        while token:
            page = self.core.list_namespaced_pod(self.namespace, limit=3, _continue=token)
            self.assertEqual(page.metadata.resource_version, first.metadata.resource_version)
            names += [pod.metadata.name for pod in page.items]
            token = page.metadata._continue
        self.assertEqual(names, [f"p{number}" for number in range(7)])
        self.assertIn("p9", self.names())
        with self.refused(400, "BadRequest", "continue"):
            self.names(limit=3, _continue="nonsense")

    def test_a_list_at_a_revision(self):
        old = self.pod("old").metadata.resource_version
        self.pod("new")
        exact = self.names(resource_version=old, resource_version_match="Exact")
        self.assertEqual(exact, ["old"])
        at_least = self.names(resource_version=old, resource_version_match="NotOlderThan")
        self.assertEqual(at_least, ["new", "old"])
        with self.refused(504, "Timeout", "Too large resource version"):
            self.names(resource_version=str(int(old) + 1_000_000))

    def test_a_watch_tells_what_comes_after_its_revision(self):
        self.pod("before")
        start = self.core.list_namespaced_pod(self.namespace).metadata.resource_version
        self.pod("after")
        self.core.patch_namespaced_pod("after", self.namespace, {"metadata": {"labels": {"a": "b"}}})
        self.core.delete_namespaced_pod("after", self.namespace, grace_period_seconds=0)
        events = self.events_of(
            self.core.list_namespaced_pod,
            until=lambda event: event["type"] == "DELETED",
            resource_version=start,
            field_selector="metadata.name=after",
        )
        types = [event["type"] for event in events]
        self.assertEqual((types[0], types[-1]), ("ADDED", "DELETED"))
        self.assertTrue(any(event["object"].metadata.labels == {"a": "b"} for event in events), types)
        versions = [int(event["object"].metadata.resource_version) for event in events]
        self.assertEqual(versions, sorted(set(versions)))
        self.assertGreater(versions[0], int(start))

    def test_a_watch_ends_at_its_timeout(self):
        began = time.monotonic()
        events = list(watch.Watch().stream(self.core.list_namespaced_pod, self.namespace, timeout_seconds=1))
        self.assertEqual(events, [])
        self.assertTrue(0.9 < time.monotonic() - began < 10)

    def test_a_streaming_list_ends_with_a_bookmark(self):
        self.pod("one")
        self.pod("two")
        events = self.events_of(
            self.core.list_namespaced_pod,
            until=lambda event: event["type"] == "BOOKMARK",
            send_initial_events=True,
            resource_version_match="NotOlderThan",
            allow_watch_bookmarks=True,
        )
        added = sorted(event["object"].metadata.name for event in events if event["type"] == "ADDED")
        self.assertEqual(added, ["one", "two"])
        annotations = events[-1]["raw_object"]["metadata"]["annotations"]
        self.assertEqual(annotations, {"k8s.io/initial-events-end": "true"})

    def test_an_informer_keeps_up(self):
        self.pod("first")
        heard = threading.Event()
        informer = SharedInformer(self.core.list_namespaced_pod, namespace=self.namespace)
        informer.add_event_handler("DELETED", lambda _: heard.set())
        informer.start()
        self.addCleanup(informer.stop)
        self.wait_until("the first pod is known", lambda: len(informer.cache.list()) == 1)
        self.pod("second")
        self.wait_until("the second pod is known", lambda: len(informer.cache.list()) == 2)
        self.core.delete_namespaced_pod("first", self.namespace, grace_period_seconds=0)
        self.assertTrue(heard.wait(PATIENCE))
        self.assertEqual([pod.metadata.name for pod in informer.cache.list()], ["second"])

    def test_all_namespaces_and_absent_ones(self):
        self.pod("here")
        everywhere = self.core.list_pod_for_all_namespaces().items
        self.assertIn((self.namespace, "here"), [(p.metadata.namespace, p.metadata.name) for p in everywhere])
        self.assertEqual(self.core.list_namespaced_pod("no-such-namespace").items, [])
        with self.refused(404, "NotFound", 'pods "absent" not found'):
            self.core.read_namespaced_pod("absent", self.namespace)
        with self.refused(404, "NotFound"):
            client.AppsV1Api().list_namespaced_deployment(self.namespace)


if __name__ == "__main__":
    unittest.main()
