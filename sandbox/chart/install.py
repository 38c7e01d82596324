"""The chart's roles and policies on a real API server, without Helm's bookkeeping and without a pod."""

from sandbox.api import Api
from sandbox.chart.render import RELEASE_NAMESPACE, Document, render
from sandbox.waiting import wait_for

OPERATOR = "secure-redis-operator"  # the operator's ServiceAccount, in RELEASE_NAMESPACE
_LEFT_OUT = {"Deployment", "CustomResourceDefinition"}  # nothing is run here; a fixture installs the CRD
_PROBE = "policy-probe"


def install(api: Api, values: Document | None = None) -> None:
    """Apply the chart rendered with `values`, without CRD and Deployment, and wait until the policies are in force.

    `api` is an administrator's. Namespaces that `values` list are created. May be called again with other values.
    """
    values = values or {}
    for name in (RELEASE_NAMESPACE, *values.get("namespaces", ())):
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).must()
    documents = [document for document in render(values) if document["kind"] not in _LEFT_OUT]
    # Policies before bindings, each by name: then token-requests is the last of both that the API server notices.
    for document in sorted(documents, key=lambda one: (one["kind"], one["metadata"]["name"])):
        api.apply(document).must()
    if values.get("policies", {}).get("enabled", True):
        _await_policies(api)


def operator_of(api: Api) -> Api:
    """Return a client with the operator's identity and the rights that the chart gives it."""
    return api.service_account(RELEASE_NAMESPACE, OPERATOR)


def _await_policies(api: Api) -> None:
    """Wait until the last policy refuses a forbidden request."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": _PROBE, "namespace": RELEASE_NAMESPACE}}
    rules = [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}]
    subject = {"kind": "ServiceAccount", "name": OPERATOR, "namespace": RELEASE_NAMESPACE}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": _PROBE}
    probe = [
        {**role, "kind": "Role", "rules": rules},
        {**role, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]},
    ]
    for document in probe:
        api.apply(document).must()
    path = f"/api/v1/namespaces/{RELEASE_NAMESPACE}/serviceaccounts/{OPERATOR}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["nobody"]}}
    operator = operator_of(api)
    wait_for(
        lambda: "ValidatingAdmissionPolicy" in operator.call("POST", path, request).message,
        30,
        "the admission policies to be in force",
    )
    for document in reversed(probe):
        api.delete(document).must()
