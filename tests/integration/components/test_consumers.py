"""Pods that use the Secret unlisted, and PodDisruptionBudgets, on a real API server with the chart's permissions."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.workloads import BudgetFacts, WorkloadFacts
from secure_redis.kube import answers
from secure_redis.kube.client import KubeClient
from secure_redis.kube.workloads import client as room
from secure_redis.kube.workloads.client import Workloads
from tests.integration.components.workload_support import (
    Document,
    document,
    entry,
    now,
    workloads_on,
)
from tests.kube import Kube

__all__ = ["workloads_on"]

URI: Document = {"name": "URI", "valueFrom": {"secretKeyRef": {"name": "orders", "key": "uri"}}}


@pytest.fixture
async def workloads(client: KubeClient) -> Workloads:
    return Workloads(client)


def pod(namespace: str, name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Document:
    containers = [{"name": "main", "image": "shop.test/app:1", **spec.pop("main", {})}]
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers, **spec}}


async def names_of(workloads: Workloads, owner: SecureRedisCache, *found: WorkloadFacts) -> list[str]:
    answer = await workloads.consumers(owner, "orders", found)
    assert not isinstance(answer, Unknown), answer
    assert all(one.started is not None for one in answer)
    return [one.name for one in answer]


async def test_pods_that_use_the_secret_by_themselves(
    workloads: Workloads,
    make: Callable[..., SecureRedisCache],
    kube: Kube,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "PAGE", 2)
    owner = make()
    space = owner.key.namespace
    kube.create(pod(space, "env", main={"env": [URI]}))
    kube.create(pod(space, "env-from", main={"envFrom": [{"secretRef": {"name": "orders"}}]}))
    kube.create(pod(space, "volume", volumes=[{"name": "v", "secret": {"secretName": "orders"}}]))
    kube.create(pod(space, "other", main={"envFrom": [{"secretRef": {"name": "sessions"}}]}))
    kube.create(pod(space, "pull", imagePullSecrets=[{"name": "orders"}]))
    kube.create(pod(space, "ended", main={"env": [URI]}))
    kube.patch("Pod", "ended", {"status": {"phase": "Succeeded"}}, space, "v1", subresource="status")
    assert await names_of(workloads, owner) == ["env", "env-from", "volume"]


async def test_pods_of_a_workload_that_is_followed_are_not_counted_twice(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    """The operator follows no pods that a workload made by itself, if that workload only happens to be listed."""
    owner = make(authentication={"keyVault": {"uri": "https://shop.vault.azure.net", "secretName": "orders"}})
    space = owner.key.namespace
    body = document("Deployment", space, owner.key.name, containers=[{"name": "main", "image": "x:1", "env": [URI]}])
    body["spec"]["replicas"] = 1
    made = kube.create(body)
    place = (made["kind"], made["metadata"]["name"])

    def pods() -> bool:
        found = kube.list("Pod", space)
        return len(found) == 1

    wait_for(pods, PATIENCE, "its pod")
    found = await workloads.find(owner, (), [place])
    assert not isinstance(found, Unknown)
    (name,) = await names_of(workloads, owner, *found)
    assert name.startswith(place[1])
    version = {names.version_annotation(owner.key.name): "v1"}
    patch = {"spec": {"template": {"metadata": {"annotations": version}}}}
    kube.patch(made["kind"], place[1], patch, space, "apps/v1")
    found = await workloads.find(owner, (), [place])
    assert not isinstance(found, Unknown)
    listed = owner.spec.model_copy(update={"workloads": (entry("Deployment", place[1]),)})
    assert await names_of(workloads, replace(owner, spec=listed), *found) == []
    assert now(kube, made)["spec"]["replicas"] == 1


async def test_budgets_as_their_controller_counts_them(
    workloads: Workloads, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    space = owner.key.namespace
    made = kube.create(document("Deployment", space, owner.key.name))
    place = ("Deployment", made["metadata"]["name"])
    found = await workloads.find(owner, (), [place])
    assert not isinstance(found, Unknown)
    assert found[0].template_labels == {"app": "x"}
    assert await workloads.budgets(owner, found) == ()
    for name, selector in (("covers", {"matchLabels": {"app": "x"}}), ("other", {"matchLabels": {"app": "y"}})):
        body = {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": name, "namespace": space},
            "spec": {"maxUnavailable": 1, "selector": selector},
        }
        kube.create(body)

    def counted() -> bool:
        budgets = kube.list("PodDisruptionBudget", space, api_version="policy/v1")
        return [one.get("status", {}).get("observedGeneration") for one in budgets] == [1, 1]

    wait_for(counted, PATIENCE, "the budgets to be counted")
    covers = BudgetFacts("covers", 0, 0, frozenset({place}))
    assert await workloads.budgets(owner, found) == (covers,), "the budgets of other workloads are not kept"


async def test_many_workloads_by_name_are_found_by_one_list_and_those_that_do_not_consent_too(
    workloads: Workloads,
    make: Callable[..., SecureRedisCache],
    kube: Kube,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "_MANY", 2)
    owner = make()
    space = owner.key.namespace
    made = [kube.create(document("Deployment", space, *([owner.key.name] if n < 3 else []))) for n in range(5)]
    places = [(one["kind"], one["metadata"]["name"]) for one in made]
    found = await workloads.find(owner, (), [*places, ("Deployment", "none"), ("StatefulSet", "none")])
    assert not isinstance(found, Unknown)
    assert [(one.kind, one.name) for one in found] == sorted(places)


async def test_a_missing_right_is_unknown_and_states_the_remedy(
    client: KubeClient, make: Callable[..., SecureRedisCache], new_namespace: Callable[..., str]
) -> None:
    owner = make(namespace=new_namespace())
    budgets = await Workloads(client).budgets(owner, ())
    assert isinstance(budgets, Unknown)
    assert budgets.reason == Reason.NO_WORKLOAD_RIGHTS
    assert "upgrade the chart" in budgets.message
    pods = await Workloads(client).consumers(owner, "orders", ())
    assert isinstance(pods, Unknown)
    assert pods.reason == Reason.NO_WORKLOAD_RIGHTS
    for answer in (
        await Workloads(client, enabled=False).budgets(owner, ()),
        await Workloads(client, enabled=False).consumers(owner, "orders", ()),
    ):
        assert isinstance(answer, Unknown)
        assert "workloads.enabled=true" in answer.message
