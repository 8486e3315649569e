"""Tokens of service accounts, roles, and reviews."""

import unittest

from kubernetes import client

from session import Session


class Access(Session):
    def account(self, name):
        """Creates an account; answers with the core API as a client that holds one of its tokens."""
        self.core.create_namespaced_service_account(self.namespace, {"metadata": {"name": name}})
        request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
        made = self.core.create_namespaced_service_account_token(name, self.namespace, request)
        self.assertIsNotNone(made.status.expiration_timestamp)
        settings = client.Configuration()
        known = client.Configuration.get_default_copy()
        settings.host, settings.ssl_ca_cert = known.host, known.ssl_ca_cert
        settings.api_key = {"authorization": f"Bearer {made.status.token}"}
        return client.CoreV1Api(client.ApiClient(settings))

    def test_a_token_does_what_its_account_may(self):
        robot = self.account("robot")
        with self.refused(403, "Forbidden", f"system:serviceaccount:{self.namespace}:robot"):
            robot.list_namespaced_pod(self.namespace)
        subject = {"kind": "ServiceAccount", "name": "robot", "namespace": self.namespace}
        binding = {
            "metadata": {"name": "robots"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [subject],
        }
        client.RbacAuthorizationV1Api().create_namespaced_role_binding(self.namespace, binding)

        def sees():
            try:
                return robot.list_namespaced_pod(self.namespace) is not None
            except client.exceptions.ApiException as error:
                self.assertEqual(error.status, 403)
                return False

        self.wait_until("the account may list pods", sees)
        with self.refused(403, "Forbidden"):
            robot.list_namespaced_secret(self.namespace)

    def test_who_may_do_what_is_answered(self):
        attributes = client.V1ResourceAttributes(verb="list", resource="pods", namespace=self.namespace)
        own = client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        )
        reviews = client.AuthorizationV1Api()
        self.assertTrue(reviews.create_self_subject_access_review(own).status.allowed)
        other = client.V1SubjectAccessReview(
            spec=client.V1SubjectAccessReviewSpec(user="nobody", resource_attributes=attributes)
        )
        self.assertFalse(reviews.create_subject_access_review(other).status.allowed)
        who = client.AuthenticationV1Api().create_self_subject_review(client.V1SelfSubjectReview())
        self.assertIn("system:masters", who.status.user_info.groups)


if __name__ == "__main__":
    unittest.main()
