"""Finalizer and status on a real API server: preconditions, conflicts, vanished members."""

from collections.abc import Callable

import pytest

from secure_redis.api import names
from secure_redis.api.resource import Envelope, SecureRedisCache, parse
from secure_redis.api.status import Binding, CacheStatus, Condition, Status
from secure_redis.kube.client import KubeClient
from secure_redis.kube.resources import ResourceChanged, ResourceGone, Resources
from tests.kube import Kube


@pytest.fixture
def resources(client: KubeClient) -> Resources:
    return Resources(client)


def reread(body: object) -> SecureRedisCache:
    parsed = parse(body)  # type: ignore[arg-type]
    assert isinstance(parsed, SecureRedisCache)
    return parsed


def ready(status: str) -> Condition:
    return Condition(
        type="Ready", status=status, reason="Ready", observed_generation=1, last_transition_time="2026-11-24T10:00:00Z"
    )


async def test_finalizer_goes_on_and_off_beside_others(
    resources: Resources, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    resource = make()
    edit = {"metadata": {"finalizers": ["example.test/other"], "annotations": {names.REFRESH: "1"}}}
    kube.patch(names.KIND, resource.key.name, edit, resource.key.namespace, names.API_VERSION)
    added = reread(await resources.add_finalizer(resource))  # from a body that is older by now
    assert set(added.finalizers) == {"example.test/other", names.FINALIZER}
    assert added.requests == {names.REFRESH: "1"}
    again = reread(await resources.add_finalizer(resource))
    assert again.resource_version == added.resource_version, "there already: nothing is written"
    removed = await resources.remove_finalizer(resource)
    assert removed is not None
    assert removed["metadata"]["finalizers"] == ["example.test/other"]
    kube.patch(
        names.KIND, resource.key.name, {"metadata": {"finalizers": None}}, resource.key.namespace, names.API_VERSION
    )


async def test_a_vanished_or_recreated_resource_is_gone(
    resources: Resources, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    resource = make("twice")
    kube.delete(names.KIND, "twice", resource.key.namespace, names.API_VERSION)
    with pytest.raises(ResourceGone):
        await resources.add_finalizer(resource)
    assert await resources.remove_finalizer(resource) is None
    successor = make("twice")
    with pytest.raises(ResourceGone):
        await resources.add_finalizer(resource)
    assert await resources.remove_finalizer(resource) is None
    with pytest.raises(ResourceChanged):
        await resources.write_status(resource, Status(conditions=(ready("True"),)))
    now = await resources.get(successor.key)
    assert now is not None
    assert now["metadata"]["resourceVersion"] == successor.resource_version


async def test_a_deleted_resource_disappears_with_its_last_finalizer(
    resources: Resources, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    resource = reread(await resources.add_finalizer(make()))
    kube.delete(names.KIND, resource.key.name, resource.key.namespace, names.API_VERSION)
    deleting = await resources.get(resource.key)
    assert deleting is not None
    await resources.remove_finalizer(reread(deleting))
    assert await resources.get(resource.key) is None


async def test_status_members_that_vanish_are_removed(
    resources: Resources, make: Callable[..., SecureRedisCache]
) -> None:
    resource = make()
    first = Status(
        observed_generation=1,
        conditions=(ready("True"),),
        binding=Binding(name="orders"),
        cache=CacheStatus(host_name="h", port=6380),
    )
    written = await resources.write_status(resource, first)
    assert written is not None
    resource = reread(written)
    assert resource.status == first
    second = Status(observed_generation=1, conditions=(ready("True"),), cache=CacheStatus(host_name="h"))
    written = await resources.write_status(resource, second)
    assert written is not None
    assert reread(written).status == second
    assert written["status"]["cache"] == {"hostName": "h"}
    assert await resources.write_status(reread(written), second) is None, "nothing differs: no write"


async def test_status_is_written_only_on_what_was_read(
    resources: Resources, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    resource = make()
    edit = {"metadata": {"annotations": {names.REFRESH: "now"}}}
    kube.patch(names.KIND, resource.key.name, edit, resource.key.namespace, names.API_VERSION)
    with pytest.raises(ResourceChanged):
        await resources.write_status(resource, Status(conditions=(ready("True"),)))
    assert isinstance(resource, Envelope)
