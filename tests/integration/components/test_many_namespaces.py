"""A list of namespaces: each has its watch, however many there are, and /readyz names one that is missing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from tests.integration.components.conftest import POOR, RBAC
from tests.integration.components.test_process import Operator, operator_as
from tests.kube import Kube

__all__ = ["operator_as"]

MANY = 60


def answered(kube: Kube, resource: SecureRedisCache, request: str) -> bool:
    body = kube.get(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION) or {}
    return bool(body.get("status", {}).get("lastHandled", {}).get("refresh") == request)


def ask(kube: Kube, resource: SecureRedisCache, request: str) -> None:
    edit = {"metadata": {"annotations": {names.REFRESH: request}}}
    kube.patch(names.KIND, resource.key.name, edit, resource.key.namespace, names.API_VERSION)


def test_changes_in_sixty_namespaces_are_noticed(
    operator_as: Callable[..., Operator],
    kubeconfig: Path,
    make: Callable[..., SecureRedisCache],
    kube: Kube,
    new_namespace: Callable[..., str],
) -> None:
    """kopf holds one watch for each. With a limit of connections, the rest wait for the next list: ten minutes."""
    spaces = [new_namespace() for _ in range(MANY)]
    resources = [make(namespace=space) for space in spaces]
    for one in resources:
        ask(kube, one, "first")
    running = operator_as(kubeconfig, "many", f"namespaces: {json.dumps(spaces)}\n")
    for one in resources:
        wait_for(lambda one=one: answered(kube, one, "first"), PATIENCE, f"the first status in {one.key.namespace}")  # type: ignore[misc]
    for one in resources:
        ask(kube, one, "second")
    for one in resources:
        wait_for(lambda one=one: answered(kube, one, "second"), PATIENCE, f"an edit in {one.key.namespace}")  # type: ignore[misc]
    assert running.readiness() == (200, running.readiness()[1])
    assert json.loads(running.readiness()[1])["watches"] == "ok"
    running.terminate()


@pytest.mark.slow
def test_a_missing_watch_is_reported_and_heals(
    operator_as: Callable[..., Operator], poor: Path, kube: Kube, new_namespace: Callable[..., str]
) -> None:
    """The operator may list in both namespaces, and watch in one of them."""
    watched, other = new_namespace(), new_namespace()
    for space in (watched, other):
        kube.create(role(space, "list", ["get", "list"]))
        kube.create(binding(space, "list"))
    kube.create(role(watched, "watch", ["watch"]))
    kube.create(binding(watched, "watch"))
    running = operator_as(poor, "missing", f"namespaces: {json.dumps([watched, other])}\n")
    wait_for(lambda: running.says("health and metrics are served"), PATIENCE, "it to be up")

    def missing() -> bool:
        status, body = running.readiness()
        said = json.loads(body).get("watches", "")
        return status == 503 and f"no watch of SecureRedisCaches in namespace '{other}':" in said

    wait_for(missing, PATIENCE, "the missing watch to be reported")
    kube.create(role(other, "watch", ["watch"]))
    kube.create(binding(other, "watch"))
    try:
        wait_for(running.ready, PATIENCE, "it to be ready")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; {running.readiness()}; {running.records()[-12:]}") from None
    running.terminate()


def role(namespace: str, name: str, verbs: list[str]) -> dict[str, object]:
    rules = [{"apiGroups": [names.GROUP], "resources": [names.PLURAL], "verbs": verbs}]
    return {"apiVersion": RBAC, "kind": "Role", "metadata": {"name": name, "namespace": namespace}, "rules": rules}


def binding(namespace: str, name: str) -> dict[str, object]:
    subject = {"kind": "ServiceAccount", "name": POOR, "namespace": RELEASE_NAMESPACE}
    return {
        "apiVersion": RBAC,
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": RBAC.split("/")[0], "kind": "Role", "name": name},
        "subjects": [subject],
    }
