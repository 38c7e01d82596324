"""Secrets of others on a real API server: whatever their size, labels and names, none of them is kept."""

import base64
import json
import os
from collections.abc import Callable

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import CreateSecret
from secure_redis.kube import paths
from secure_redis.kube.answers import PAGE_BYTES
from secure_redis.kube.client import KubeClient
from secure_redis.kube.secret_store import MOST_CLAIMS
from secure_redis.kube.secrets import OwnSecrets, Secrets
from secure_redis.kube.watches import SecretWatches
from tests.integration.components.test_watches import (
    Counting,
    Woken,
    counted,
    counting,
    publish,
    secrets,
    serve,
    until,
    watches,
    woken,
)
from tests.kube import Kube

__all__ = ["counted", "counting", "secrets", "watches", "woken"]

MIB = 1024 * 1024
PUBLIC = {names.MANAGED_BY: names.MANAGER}


def foreign(kube: Kube, owner: SecureRedisCache, name: str, size: int = 0, uid: str = "nobody") -> None:
    """Create a Secret with everything about the operator's that is public."""
    data = {"password": base64.b64encode(os.urandom(size)).decode()} if size else {}
    kube.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": owner.key.namespace,
                "labels": {**PUBLIC, names.CACHE_LABEL: owner.key.name},
                "annotations": {names.SECRET_RESOURCE: owner.key.name, names.SECRET_UID: uid},
            },
            "type": names.SECRET_TYPE,
            "data": data,
        }
    )


async def test_a_list_of_large_secrets_comes_in_parts_and_none_is_kept(
    client: KubeClient, make: Callable[..., SecureRedisCache], kube: Kube, secrets: Secrets, watches: SecretWatches
) -> None:
    owner = make()
    namespace = owner.key.namespace
    for number in range(12):
        foreign(kube, owner, f"large-{number}", MIB - 4096)
    await publish(secrets, owner)
    sizes, found = [], 0
    async for page in client.pages(paths.secrets(namespace), {"labelSelector": f"{names.MANAGED_BY}={names.MANAGER}"}):
        found += len(page.items)
        sizes.append(len(json.dumps(page.items)))
    assert found == 13
    assert max(sizes) <= PAGE_BYTES * 1.1, "one page at a time, and none of them large"

    serve(watches, owner)
    await watches.start()
    watches.set_namespaces({namespace})
    await until(lambda: secrets.store.synced(namespace))
    assert secrets.store.bytes < 4096
    assert list(secrets.store.versions(namespace)) == [f"{namespace}/orders"]
    assert isinstance(secrets.store.get(namespace, "orders"), SecretFacts)


async def test_large_secrets_that_come_later_are_not_kept_and_the_own_one_still_wakes(
    make: Callable[..., SecureRedisCache], kube: Kube, secrets: Secrets, watches: SecretWatches, woken: Woken
) -> None:
    owner = make()
    namespace = owner.key.namespace
    serve(watches, owner)
    await watches.start()
    watches.set_namespaces({namespace})
    await until(lambda: secrets.store.synced(namespace))
    await publish(secrets, owner)
    for number in range(4):
        foreign(kube, owner, f"large-{number}", MIB - 4096)
    kube.patch("Secret", "orders", {"metadata": {"annotations": {"tampered": "1"}}}, namespace)
    assert await woken.next() == owner.key
    await until(lambda: secrets.store.get(namespace, "orders") is not None)
    assert list(secrets.store.versions(namespace)) == [f"{namespace}/orders"]
    assert secrets.store.bytes < 4096
    assert len(woken.keys) <= 1, "the Secrets of others wake no resource; its own creation may"


async def test_the_own_secret_that_became_large_differs_and_is_not_kept(
    make: Callable[..., SecureRedisCache], kube: Kube, secrets: Secrets, watches: SecretWatches, woken: Woken
) -> None:
    owner = make()
    namespace = owner.key.namespace
    serve(watches, owner)
    await watches.start()
    watches.set_namespaces({namespace})
    await until(lambda: secrets.store.synced(namespace))
    await publish(secrets, owner)
    woken.keys.clear()
    large = base64.b64encode(b"p" * (MIB - 65536)).decode()
    kube.patch("Secret", "orders", {"data": {"password": large}}, namespace)
    assert await woken.next() == owner.key
    assert secrets.store.bytes < 4096
    read = await secrets.read(namespace, "orders")
    assert isinstance(read, SecretFacts)
    assert read.data["password"].get_secret_value() == b"\0"


async def test_secrets_that_copy_the_uid_are_bounded_and_reported(
    make: Callable[..., SecureRedisCache], kube: Kube, secrets: Secrets, watches: SecretWatches
) -> None:
    owner = make()
    namespace = owner.key.namespace
    labels = {**PUBLIC, names.CACHE_LABEL: owner.key.name}
    made = await secrets.create(owner, CreateSecret("orders", {}, labels, {names.SECRET_UID: owner.uid}))
    assert isinstance(made, SecretFacts)
    for number in range(MOST_CLAIMS):
        foreign(kube, owner, f"copy-{number:02}", uid=owner.uid)
    serve(watches, owner)
    await watches.start()
    watches.set_namespaces({namespace})
    await until(lambda: secrets.store.synced(namespace))
    assert len(secrets.store.versions(namespace)) <= MOST_CLAIMS + 1
    found = await secrets.published_by(owner)
    assert isinstance(found, Unknown)
    assert names.SECRET_UID in found.message
    assert isinstance(await secrets.read(namespace, "orders"), SecretFacts), "it is served all the same"
    kube.delete("Secret", "copy-00", namespace)
    again = await secrets.published_by(owner, besides="orders")
    assert isinstance(again, OwnSecrets)
    assert len(again.secrets) == MOST_CLAIMS - 1


async def test_the_secrets_of_resources_that_are_not_known_yet_are_found_by_their_uid(
    make: Callable[..., SecureRedisCache], secrets: Secrets, watches: SecretWatches, counting: Counting
) -> None:
    """After a start, the watch may begin before the resources are delivered, but not before one list shows them."""
    owner = make()
    namespace = owner.key.namespace
    labels = {**PUBLIC, names.CACHE_LABEL: owner.key.name}
    for name in ("orders", "former"):
        made = await secrets.create(owner, CreateSecret(name, {}, labels, {names.SECRET_UID: owner.uid}))
        assert isinstance(made, SecretFacts)
    watches.introduce({"metadata": {"namespace": namespace, "name": owner.key.name, "uid": owner.uid}})
    await watches.start()
    watches.set_namespaces({namespace})
    await until(lambda: secrets.store.synced(namespace))
    serve(watches, owner)
    before = len(counting.methods)
    found = await secrets.published_by(owner, besides="orders")
    assert isinstance(found, OwnSecrets)
    assert [one.name for one in found.secrets] == ["former"]
    assert isinstance(await secrets.read(namespace, "orders"), SecretFacts)
    assert len(counting.methods) == before, "nothing is read that the watch delivered"
