"""Leases, and the official client's leader election on them."""

import datetime
import threading
import unittest

from kubernetes import client
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from session import PATIENCE, Session


class Leases(Session):
    def setUp(self):
        super().setUp()
        self.leases = client.CoordinationV1Api()

    def test_times_are_kept_to_the_microsecond(self):
        moment = datetime.datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=datetime.timezone.utc)
        spec = client.V1LeaseSpec(holder_identity="me", lease_duration_seconds=15, renew_time=moment)
        body = client.V1Lease(metadata=client.V1ObjectMeta(name="mine"), spec=spec)
        self.leases.create_namespaced_lease(self.namespace, body)
        read = self.leases.read_namespaced_lease("mine", self.namespace)
        self.assertEqual(read.spec.renew_time, moment)
        spec.lease_duration_seconds = 0
        body.metadata.name = "bad"
        with self.refused(422, "Invalid", "spec.leaseDurationSeconds"):
            self.leases.create_namespaced_lease(self.namespace, body)

    def test_another_takes_over_when_the_leader_falls_silent(self):
        leading = {name: threading.Event() for name in ("first", "second")}
        self.candidate("first", leading["first"].set).start()
        self.assertTrue(leading["first"].wait(PATIENCE))
        self.candidate("second", leading["second"].set).start()
        self.assertEqual(self.holder(), "first")
        self.assertTrue(leading["second"].wait(PATIENCE))
        self.assertEqual(self.holder(), "second")

    def holder(self):
        return self.leases.read_namespaced_lease("lock", self.namespace).spec.holder_identity

    def candidate(self, name, started):
        """A thread that stands for election; what it leads fails at once, so that it renews its lease no more."""

        def lead():
            started()
            raise RuntimeError("its work is over")

        config = electionconfig.Config(
            LeaseLock("lock", self.namespace, name),
            lease_duration=3,
            renew_deadline=2,
            retry_period=1.1,
            onstarted_leading=lead,
            onstopped_leading=lambda: None,
        )
        return threading.Thread(target=leaderelection.LeaderElection(config).run, daemon=True)


if __name__ == "__main__":
    unittest.main()
