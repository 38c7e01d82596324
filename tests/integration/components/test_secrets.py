"""The published Secret on a real API server: what apply does, and what it leaves behind."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretBytes

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.actions import (
    ApplySecret,
    CreateSecret,
    DeleteSecret,
    ReleaseSecret,
    RemoveOwnerReference,
)
from secure_redis.domain.plan.secret import adoptable
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.secrets import Secrets
from tests.kube import Kube

CANARY = "canary-that-must-not-be-told"


def labels(owner: SecureRedisCache, **more: str) -> dict[str, str]:
    return {names.MANAGED_BY: names.MANAGER, names.CACHE_LABEL: owner.key.name, **more}


def owned(owner: SecureRedisCache) -> dict[str, str]:
    return {names.SECRET_RESOURCE: owner.key.name, names.SECRET_UID: owner.uid}


def first(owner: SecureRedisCache, name: str = "orders", **data: str) -> CreateSecret:
    values = {key: SecretBytes(value.encode()) for key, value in (data or {"password": CANARY}).items()}
    return CreateSecret(name, values, labels(owner), {**owned(owner), names.SECRET_VERSION: "1"})


def later(owner: SecureRedisCache, secret: SecretFacts, **data: str) -> ApplySecret:
    values = {key: SecretBytes(value.encode()) for key, value in data.items()}
    return ApplySecret(secret.name, secret.uid, values, labels(owner), {**owned(owner), names.SECRET_VERSION: "2"})


def plain(secret: SecretFacts | None | Unknown | WriteFailure) -> dict[str, str]:
    assert isinstance(secret, SecretFacts)
    return {key: value.get_secret_value().decode() for key, value in secret.data.items()}


@pytest.fixture
def secrets(client: KubeClient) -> Secrets:
    return Secrets(client)


async def created(secrets: Secrets, owner: SecureRedisCache, **data: str) -> SecretFacts:
    made = await secrets.create(owner, first(owner, **data))
    assert isinstance(made, SecretFacts), made
    return made


async def test_create_then_read_returns_owner_and_values(
    secrets: Secrets, make: Callable[..., SecureRedisCache]
) -> None:
    owner = make()
    made = await created(secrets, owner, password="p1", host="h")
    read = await secrets.read(owner.key.namespace, "orders")
    assert read == made
    assert plain(read) == {"password": "p1", "host": "h"}
    assert (made.owner_uid, made.owner_name, made.owner_kind) == (owner.uid, owner.key.name, names.KIND)
    assert made.type == names.SECRET_TYPE


async def test_an_existing_secret_is_foreign_and_untouched(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    namespace = owner.key.namespace
    before = kube.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "orders", "namespace": namespace},
            "stringData": {"a": "b"},
        }
    )
    refused = await secrets.create(owner, first(owner))
    assert isinstance(refused, WriteFailure)
    assert refused.reason is Reason.SECRET_FOREIGN
    after = kube.get("Secret", "orders", namespace)
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


@pytest.mark.parametrize("whose", ["its own", "a deleted one's of its name"])
async def test_a_secret_that_is_found_only_now_is_not_foreign(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube, whose: str
) -> None:
    owner = make()
    made = await created(secrets, owner)
    if whose != "its own":
        kube.patch("Secret", "orders", {"metadata": {"annotations": {names.SECRET_UID: None}}}, owner.key.namespace)
    refused = await secrets.create(owner, first(owner))
    assert isinstance(refused, WriteFailure)
    assert (refused.reason, refused.retry_after) == (Reason.SECRET_REFUSED, 1.0)
    assert (await secrets.read(owner.key.namespace, made.name)) is not None


async def test_apply_replaces_all_data_also_keys_of_others(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    namespace = owner.key.namespace
    made = await created(secrets, owner, password="p1", old="gone")
    tampered = {"data": {"added": base64.b64encode(b"x").decode(), "password": base64.b64encode(b"evil").decode()}}
    kube.patch("Secret", "orders", {**tampered, "metadata": {"labels": {"team": "shop"}}}, namespace)
    written = await secrets.apply(owner, later(owner, made, password="p2"))
    assert plain(written) == {"password": "p2"}
    stored = kube.get("Secret", "orders", namespace)
    assert stored is not None
    assert set(stored["data"]) == {"password"}
    assert stored["metadata"]["labels"]["team"] == "shop", "others' labels are not ours to remove"
    assert stored["metadata"]["annotations"][names.SECRET_VERSION] == "2"


async def test_apply_of_what_is_there_writes_nothing(secrets: Secrets, make: Callable[..., SecureRedisCache]) -> None:
    owner = make()
    made = await created(secrets, owner, password="p1")
    once = await secrets.apply(owner, later(owner, made, password="p2"))
    twice = await secrets.apply(owner, later(owner, made, password="p2"))
    assert isinstance(once, SecretFacts)
    assert isinstance(twice, SecretFacts)
    assert once.resource_version == twice.resource_version


async def test_labels_of_an_earlier_request_vanish(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    wish = first(owner, password="p1")
    made = await secrets.create(
        owner, CreateSecret(wish.name, wish.data, labels(owner, tier="gold"), {**wish.annotations, "note": "n"})
    )
    assert isinstance(made, SecretFacts)
    await secrets.apply(owner, later(owner, made, password="p1"))
    stored = kube.get("Secret", "orders", owner.key.namespace)
    assert stored is not None
    assert stored["metadata"]["labels"] == labels(owner)
    assert "note" not in stored["metadata"]["annotations"]


async def test_apply_never_creates_and_never_hits_another_object(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    namespace = owner.key.namespace
    made = await created(secrets, owner, password="p1")
    kube.delete("Secret", "orders", namespace)
    missing = await secrets.apply(owner, later(owner, made, password="p2"))
    assert isinstance(missing, WriteFailure)
    assert kube.get("Secret", "orders", namespace) is None
    kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "orders", "namespace": namespace}})
    other = await secrets.apply(owner, later(owner, made, password="p2"))
    assert isinstance(other, WriteFailure)
    assert "replaced" in other.message
    assert CANARY not in other.message
    stored = kube.get("Secret", "orders", namespace)
    assert stored is not None
    assert not stored.get("data")


async def test_an_immutable_secret_is_reported(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    made = await created(secrets, owner, password="p1")
    kube.patch("Secret", "orders", {"immutable": True}, owner.key.namespace)
    refused = await secrets.apply(owner, later(owner, made, password=CANARY))
    assert isinstance(refused, WriteFailure)
    assert refused.reason is Reason.SECRET_IMMUTABLE
    assert CANARY not in refused.message
    observed = await secrets.read(owner.key.namespace, "orders")
    assert isinstance(observed, SecretFacts)
    assert observed.immutable


def _reference(owner: SecureRedisCache, **more: Any) -> dict[str, Any]:
    reference = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": owner.key.name, "uid": owner.uid}
    return {**reference, "controller": True, "blockOwnerDeletion": True, **more}


def _config(kube: Kube, owner: SecureRedisCache) -> dict[str, Any]:
    """A reference to an owner of another kind."""
    made = kube.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": owner.key.namespace}}
    )
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": made["metadata"]["uid"]}


async def test_release_removes_our_ownership_and_nothing_else(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    made = await created(secrets, owner, password="p1")
    references = [_config(kube, owner), _reference(owner)]
    kube.patch("Secret", "orders", {"metadata": {"ownerReferences": references}}, owner.key.namespace)
    assert await secrets.release(owner, ReleaseSecret("orders", made.uid)) is None
    assert await secrets.release(owner, ReleaseSecret("orders", made.uid)) is None
    stored = kube.get("Secret", "orders", owner.key.namespace)
    assert stored is not None
    assert [ref["name"] for ref in stored["metadata"]["ownerReferences"]] == ["c"]
    assert names.SECRET_UID not in stored["metadata"]["annotations"]
    assert stored["metadata"]["annotations"][names.SECRET_RESOURCE] == owner.key.name
    assert set(stored["data"]) == {"password"}


async def test_what_an_earlier_version_published_keeps_its_owner_without_the_reference(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner, other = make(), make()
    made = await created(secrets, owner, password="p1")
    old = {"annotations": {names.SECRET_UID: None}, "ownerReferences": [_reference(owner)]}
    kube.patch("Secret", "orders", {"metadata": old}, owner.key.namespace)
    legacy = await secrets.read(owner.key.namespace, "orders")
    assert isinstance(legacy, SecretFacts)
    assert (legacy.owner_uid, legacy.referenced_by) == (owner.uid, frozenset({owner.uid}))
    assert await secrets.remove_owner_reference(other, RemoveOwnerReference("orders", made.uid)) is None
    assert await secrets.read(owner.key.namespace, "orders") == legacy, "it is not the other's"
    written = await secrets.apply(owner, later(owner, made, password="p2"))
    assert isinstance(written, SecretFacts)
    assert (written.owner_uid, written.referenced_by) == (owner.uid, frozenset())


async def test_only_the_reference_goes(secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube) -> None:
    owner = make()
    made = await created(secrets, owner, password="p1")
    references = [_config(kube, owner), _reference(owner)]
    kube.patch("Secret", "orders", {"metadata": {"ownerReferences": references}}, owner.key.namespace)
    assert await secrets.remove_owner_reference(owner, RemoveOwnerReference("orders", made.uid)) is None
    left = await secrets.read(owner.key.namespace, "orders")
    assert isinstance(left, SecretFacts)
    assert (left.owner_uid, left.referenced_by) == (owner.uid, frozenset())
    assert plain(left) == plain(made)


@pytest.mark.parametrize(
    ("removed", "left"),
    [
        ({"annotations": None}, "the label and the field manager"),
        ({"labels": None}, "the annotations"),
        ({"annotations": {names.SECRET_UID: None}, "labels": {names.CACHE_LABEL: None}}, "the annotation's name"),
    ],
    ids=str,
)
async def test_what_another_party_removed_is_still_ours(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube, removed: dict[str, Any], left: str
) -> None:
    owner = make()
    await created(secrets, owner, password="p1")
    kube.patch("Secret", "orders", {"metadata": removed}, owner.key.namespace)
    found = await secrets.read(owner.key.namespace, "orders")
    assert isinstance(found, SecretFacts)
    assert found.owner_uid == owner.uid or adoptable(owner, found), left
    written = await secrets.apply(owner, later(owner, found, password="p1"))
    assert isinstance(written, SecretFacts), written
    assert written.owner_uid == owner.uid


async def test_delete_hits_exactly_one_object(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    namespace = owner.key.namespace
    made = await created(secrets, owner, password="p1")
    assert await secrets.delete(namespace, DeleteSecret("orders", "00000000-0000-0000-0000-000000000000")) is None
    assert kube.get("Secret", "orders", namespace) is not None
    assert await secrets.delete(namespace, DeleteSecret("orders", made.uid)) is None
    assert kube.get("Secret", "orders", namespace) is None
    assert await secrets.delete(namespace, DeleteSecret("orders", made.uid)) is None


async def test_without_consent_the_binding_to_apply_is_printed(
    secrets: Secrets, make: Callable[..., SecureRedisCache], new_namespace: Callable[..., str]
) -> None:
    owner = make(namespace=new_namespace())
    for answer in (await secrets.read(owner.key.namespace, "orders"), await secrets.create(owner, first(owner))):
        assert isinstance(answer, Unknown | WriteFailure)
        assert answer.reason is Reason.NAMESPACE_NOT_BOUND
        assert "--clusterrole=secure-redis-namespace" in answer.message
        assert "--serviceaccount=" in answer.message
        assert f"--namespace={owner.key.namespace}" in answer.message


async def test_a_terminating_namespace_is_reported(
    secrets: Secrets, make: Callable[..., SecureRedisCache], kube: Kube
) -> None:
    owner = make()
    kube.patch(
        names.KIND,
        owner.key.name,
        {"metadata": {"finalizers": ["example.test/hold"]}},
        owner.key.namespace,
        names.API_VERSION,
    )
    kube.delete("Namespace", owner.key.namespace)
    refused = await secrets.create(owner, first(owner))
    assert isinstance(refused, WriteFailure)
    assert refused.reason is Reason.NAMESPACE_TERMINATING


async def test_an_admission_refusal_is_reported_without_data(
    secrets: Secrets, make: Callable[..., SecureRedisCache]
) -> None:
    owner = make()
    unlabelled = CreateSecret("orders", {"password": SecretBytes(CANARY.encode())}, {}, {})
    refused = await secrets.create(owner, unlabelled)
    assert isinstance(refused, WriteFailure)
    assert refused.reason is Reason.SECRET_REFUSED, refused
    assert "ValidatingAdmissionPolicy" in refused.message
    assert CANARY not in refused.message
    assert base64.b64encode(CANARY.encode()).decode() not in refused.message


async def test_all_that_a_resource_published(secrets: Secrets, make: Callable[..., SecureRedisCache]) -> None:
    owner, other = make(), make()
    await created(secrets, owner, password="p1")
    await secrets.create(owner, first(owner, "former", password="p0"))
    await secrets.create(other, first(other, "theirs", password="p"))
    published = await secrets.published_by(owner)
    assert not isinstance(published, Unknown)
    assert published.listed
    assert {secret.name for secret in published.secrets} == {"orders", "former"}
    besides = await secrets.published_by(owner, besides="orders")
    assert not isinstance(besides, Unknown)
    assert {secret.name for secret in besides.secrets} == {"former"}


async def test_a_validation_message_never_contains_a_value(client: KubeClient, bound: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "Not Legal", "namespace": bound, "labels": {names.MANAGED_BY: CANARY + "!"}},
        "type": names.SECRET_TYPE,
    }
    with pytest.raises(ApiFailure) as caught:
        await client.create(f"/api/v1/namespaces/{bound}/secrets", body)
    assert CANARY not in str(caught.value)
