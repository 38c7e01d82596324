"""The paths of the API. Every variable part is quoted, so that a name cannot change the path."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from secure_redis.api import names

_WORKLOADS: Final[Mapping[str, tuple[str, str]]] = {
    "Deployment": ("apps", "v1"),
    "StatefulSet": ("apps", "v1"),
    "DaemonSet": ("apps", "v1"),
    "CronJob": ("batch", "v1"),
}


def _join(*parts: str) -> str:
    return "/" + "/".join(quote(part, safe="") for part in parts)


def resources(namespace: str | None = None) -> str:
    """Return the path of the collection of SecureRedisCaches, of one namespace or of all."""
    scope = ("namespaces", namespace) if namespace else ()
    return _join("apis", names.GROUP, names.VERSION, *scope, names.PLURAL)


def resource(namespace: str, name: str, subresource: str | None = None) -> str:
    """Return the path of one SecureRedisCache, or its status."""
    rest = (subresource,) if subresource else ()
    return _join("apis", names.GROUP, names.VERSION, "namespaces", namespace, names.PLURAL, name, *rest)


def secrets(namespace: str | None = None) -> str:
    """Return the path of the collection of Secrets, of one namespace or of all."""
    scope = ("namespaces", namespace) if namespace else ()
    return _join("api", "v1", *scope, "secrets")


def secret(namespace: str, name: str) -> str:
    """Return the path of one Secret."""
    return _join("api", "v1", "namespaces", namespace, "secrets", name)


def config_map(namespace: str, name: str) -> str:
    """Return the path of one ConfigMap."""
    return _join("api", "v1", "namespaces", namespace, "configmaps", name)


def service_account(namespace: str, name: str) -> str:
    """Return the path of one ServiceAccount."""
    return _join("api", "v1", "namespaces", namespace, "serviceaccounts", name)


def service_account_token(namespace: str, name: str) -> str:
    """Return the path of the token request of one ServiceAccount."""
    return _join("api", "v1", "namespaces", namespace, "serviceaccounts", name, "token")


def namespace(name: str) -> str:
    """Return the path of one Namespace."""
    return _join("api", "v1", "namespaces", name)


def events(namespace: str) -> str:
    """Return the path of the collection of events (core/v1) of one namespace."""
    return _join("api", "v1", "namespaces", namespace, "events")


def leases(namespace: str) -> str:
    """Return the path of the collection of Leases of one namespace."""
    return _join("apis", "coordination.k8s.io", "v1", "namespaces", namespace, "leases")


def lease(namespace: str, name: str) -> str:
    """Return the path of one Lease."""
    return _join("apis", "coordination.k8s.io", "v1", "namespaces", namespace, "leases", name)


def workloads(kind: str, namespace: str | None = None) -> str:
    """Return the path of the collection of workloads of one kind, of one namespace or of all."""
    scope = ("namespaces", namespace) if namespace else ()
    return _join("apis", *_WORKLOADS[kind], *scope, f"{kind.lower()}s")


def workload(kind: str, namespace: str, name: str) -> str:
    """Return the path of one Deployment, StatefulSet, DaemonSet or CronJob."""
    return _join("apis", *_WORKLOADS[kind], "namespaces", namespace, f"{kind.lower()}s", name)


def pods(namespace: str) -> str:
    """Return the path of the collection of Pods of one namespace."""
    return _join("api", "v1", "namespaces", namespace, "pods")


def budgets(namespace: str) -> str:
    """Return the path of the collection of PodDisruptionBudgets of one namespace."""
    return _join("apis", "policy", "v1", "namespaces", namespace, "poddisruptionbudgets")


def access_reviews() -> str:
    """Return the path of the collection of access reviews, which answer what the caller may do."""
    return _join("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews")
