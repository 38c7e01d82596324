"""The fixtures' changes to a control plane, for tests that make them to one of their own."""

from pathlib import Path

from sandbox.waiting import PATIENCE, wait_for
from tests.kube import Kube, KubeError

ROOT = Path(__file__).parents[1]
GROUP_VERSION, KIND = "secureredis.io/v1alpha1", "SecureRedisCache"
WATCHED = (("Deployment", "apps/v1"), ("StatefulSet", "apps/v1"), ("DaemonSet", "apps/v1"), ("Secret", "v1"))


def install_crds(kube: Kube) -> None:
    """Apply every CRD and wait until the API server answers for it."""
    names = [kube.apply(path)["metadata"]["name"] for path in sorted((ROOT / "crds").glob("*.yaml"))]
    wait_for(lambda: all(serves(kube, name) for name in names), PATIENCE, "the CRDs to be served")


def serves(kube: Kube, name: str) -> bool:
    """Whether this CRD is established and each served version can be listed.

    Established comes first: for a moment after it, and after each change of the schema, a list gets 429 "storage is
    (re)initializing" (measured on 1.36).
    """
    found = kube.get("CustomResourceDefinition", name, api_version="apiextensions.k8s.io/v1")
    conditions = (found or {}).get("status", {}).get("conditions") or []  # null for a moment
    if found is None or not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
        return False
    spec = found["spec"]
    try:
        for version in (v["name"] for v in spec["versions"] if v["served"]):
            kube.list(spec["names"]["kind"], api_version=f"{spec['group']}/{version}")
    except KubeError as error:
        if error.status in (404, 429):
            return False
        raise
    return True


def empty(kube: Kube, namespace: str) -> None:
    """Delete what operators watch; gone when this returns."""
    for kind, version in WATCHED:
        kube.delete_all(kind, namespace, version)
    for account in kube.list("ServiceAccount", namespace):
        if account["metadata"]["name"] != "default":  # that one would be made again immediately
            kube.delete("ServiceAccount", account["metadata"]["name"], namespace)
    try:
        kube.delete_all(KIND, namespace, GROUP_VERSION)
        for cache in kube.list(KIND, namespace, GROUP_VERSION):
            body = {"metadata": {"finalizers": None}}
            kube.patch(KIND, cache["metadata"]["name"], body, namespace, GROUP_VERSION)
    except KubeError as error:
        if error.status != 404:  # the CRD is not served here, or an operator was quicker
            raise
