"""`secure-redis verify` with the chart's permissions: what it says of a good and of a bad installation."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.chart.render import RELEASE_NAMESPACE
from secure_redis.cli.config import Config
from secure_redis.cli.verify import NotWell, verify
from secure_redis.kube.client import KubeClient
from secure_redis.kube.lease import Elector
from tests.integration.components.conftest import RESOURCE_ID
from tests.kube import Kube

LEASE = {
    "namespace": RELEASE_NAMESPACE,
    "leaseDurationSeconds": 2,
    "renewDeadlineSeconds": 1.5,
    "retryPeriodSeconds": 0.2,
}
CONFIG = Config.model_validate({"leaderElection": LEASE})


@pytest.fixture
def unled(kube: Kube, roles: None) -> None:
    kube.delete("Lease", "secure-redis-operator", RELEASE_NAMESPACE, "coordination.k8s.io/v1")


async def test_a_leader_that_renews_is_found(kubeconfig: Path, client: KubeClient, unled: None) -> None:
    settings = CONFIG.lease()
    assert settings is not None
    elector = Elector(client, "pod-a", settings)
    await elector.acquire()
    holding = asyncio.create_task(elector.hold())
    said: list[str] = []
    try:
        await verify(CONFIG, kubeconfig, say=said.append)
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        await elector.release()
    assert said == ["the API server serves securerediscaches.secureredis.io", "pod-a leads"]


async def test_without_a_leader(kubeconfig: Path, unled: None) -> None:
    with pytest.raises(NotWell, match=r"no pod leads: no one holds the Lease .*kubectl -n secure-redis-system logs"):
        await verify(CONFIG, kubeconfig, say=lambda _: None)


async def test_a_leader_that_is_gone_is_none(kubeconfig: Path, client: KubeClient, unled: None) -> None:
    settings = CONFIG.lease()
    assert settings is not None
    elector = Elector(client, "pod-a", settings)
    await elector.acquire()  # and never renewed
    with pytest.raises(NotWell, match="pod-a holds the Lease and does not renew it"):
        await verify(CONFIG, kubeconfig, say=lambda _: None)
    await elector.release()


async def test_resources_that_need_the_operator_are_named(
    kubeconfig: Path, kube: Kube, new_namespace: Callable[..., str]
) -> None:
    namespace, name = new_namespace(), f"orders-{uuid.uuid4().hex[:6]}"
    kube.create(
        {
            "apiVersion": "secureredis.io/v1alpha1",
            "kind": "SecureRedisCache",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"resourceID": RESOURCE_ID},
        }
    )
    with pytest.raises(NotWell, match=rf"there are SecureRedisCaches: .*{namespace}/{name}.*kubectl delete srcache"):
        await verify(CONFIG, kubeconfig, no_resources=True, say=lambda _: None)
    elsewhere = Config.model_validate({"namespaces": [RELEASE_NAMESPACE]})
    await verify(elsewhere, kubeconfig, no_resources=True, say=lambda _: None)


async def test_a_right_that_is_missing_is_named(poor: Path) -> None:
    with pytest.raises(NotWell, match=r"SecureRedisCaches cannot be listed: .*securerediscaches.* is forbidden"):
        await verify(CONFIG, poor, say=lambda _: None)
