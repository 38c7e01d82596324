"""The reads below and beside a cluster: paths, interface versions and permissions. Answers are JSON bodies."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api.azure_ids import CacheID
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.clouds import PUBLIC
from secure_redis.azure.core.failures import Denied, Guard, NotFound, Permanent
from secure_redis.azure.governance.activity_log import Activity
from secure_redis.azure.governance.reads import Governance
from secure_redis.azure.keyvault.encryption_keys import KeyVaults
from secure_redis.azure.managed_redis.client import READ_ASSIGNMENTS, ManagedCaches
from secure_redis.azure.managed_redis.versions import VERSIONS
from secure_redis.domain.observe.governance import AccessAssignmentFacts
from secure_redis.domain.observe.storage import KeyAbsent, KeyFacts
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from tests.builders.managed_redis import MANAGED_ID
from tests.builders.world import CACHE_ID, IDENTITY, NOW, SUBSCRIPTION

CLUSTER = CacheID.parse(MANAGED_ID)
DATABASE = f"{CLUSTER.text}/databases/default"
ASSIGNMENTS = f"{DATABASE}/accessPolicyAssignments"
OID = "6497c918-11ad-41e7-1b0f-7c518a87d0b0"
NOT_SERVED = Permanent(Reason.API_VERSION_NOT_SERVED, "not here")
VAULT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.KeyVault/vaults/shop"
KEY_URL = "https://shop.vault.azure.net/keys/disk"


@dataclass
class Azure:
    """Answers by path, or by path and version, and what was requested."""

    answers: dict[Any, Any]
    requested: list[tuple[str, str, str]] = field(default_factory=list)

    async def walk(self, _: object, path: str, version: str, *, filter: str = "", **__: object) -> Any:  # noqa: A002 - its name
        self.requested.append((path, version, filter))
        return self.answers.get((path, version), self.answers.get(path, ()))

    async def get(self, _: object, path: str, version: str) -> Any:
        self.requested.append((path, version, ""))
        return self.answers.get(path, NotFound(Reason.AZURE_ERROR, "not there"))


def assignment(**properties: Any) -> dict[str, Any]:
    named = {"accessPolicyName": "default", "user": {"objectId": OID}}
    return {"name": "x/default/one", "id": f"{ASSIGNMENTS}/one", "properties": {**named, **properties}}


def assignments(azure: Azure) -> Any:
    return asyncio.run(ManagedCaches(azure).assignments(IDENTITY, CLUSTER))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("properties", "permissions"),
    [
        ({"accessString": "+@read ~cache:*"}, "+@read ~cache:*"),
        ({}, "+@all ~*"),
        ({"accessString": ""}, "+@all ~*"),
        ({"accessString": None}, "+@all ~*"),
    ],
)
def test_an_assignment_without_an_access_string_permits_everything(properties: Any, permissions: str) -> None:
    azure = Azure({ASSIGNMENTS: (assignment(**properties),)})
    assert assignments(azure) == (AccessAssignmentFacts("one", "default", OID, permissions=permissions),)
    assert azure.requested == [(ASSIGNMENTS, VERSIONS[0], "")]


def test_an_older_version_does_not_show_what_an_assignment_permits() -> None:
    azure = Azure({(ASSIGNMENTS, VERSIONS[0]): NOT_SERVED, (ASSIGNMENTS, VERSIONS[1]): (assignment(),)})
    assert assignments(azure) == (AccessAssignmentFacts("one", "default", OID),)


def test_the_policy_of_an_assignment_is_optional() -> None:
    (found,) = assignments(Azure({ASSIGNMENTS: (assignment(accessPolicyName=None, accessString="+get ~*"),)}))
    assert (found.policy, found.permissions) == ("default", "+get ~*")


@pytest.mark.parametrize("item", [{}, {"name": "one"}, assignment(user={}), {**assignment(), "name": ""}])
def test_one_assignment_that_cannot_be_understood_makes_all_unknown(item: Any) -> None:
    assert isinstance(assignments(Azure({ASSIGNMENTS: (assignment(), item)})), Unknown)


def test_a_refusal_names_the_permission() -> None:
    found = assignments(Azure({ASSIGNMENTS: Denied(Reason.AZURE_DENIED, "no", Guard.ROLE)}))
    assert isinstance(found, Unknown)
    assert READ_ASSIGNMENTS in (found.permission or "", *found.message.split())


def test_the_logs_of_a_cluster_are_those_of_its_database() -> None:
    for cache, path in ((CLUSTER, DATABASE), (CacheID.parse(CACHE_ID), CacheID.parse(CACHE_ID).text)):
        azure = Azure({})
        assert asyncio.run(Governance(azure).diagnostics(IDENTITY, cache)) == ()  # type: ignore[arg-type]
        assert [one[0] for one in azure.requested] == [f"{path}/providers/Microsoft.Insights/diagnosticSettings"]


def written(word: str, operation: str) -> dict[str, Any]:
    at = (NOW - timedelta(hours=1)).isoformat()
    return {"operationName": word, "status": "Succeeded", "caller": "terraform", "eventTimestamp": at} | {
        "operationId": operation
    }


def test_changes_of_a_cluster_are_its_own_and_its_databases() -> None:
    log = f"/subscriptions/{CLUSTER.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    words = (
        "Microsoft.Cache/redisEnterprise/write",
        "Microsoft.Cache/redisEnterprise/databases/write",
        "Microsoft.Cache/redisEnterprise/databases/listKeys/action",
    )
    azure = Azure({log: tuple(written(word, word) for word in words)})
    found = asyncio.run(Activity(azure, None).changes(IDENTITY, CLUSTER, NOW))  # type: ignore[arg-type]
    assert isinstance(found, tuple)
    assert {one.operation for one in found} == set(words[:2])
    selected = [one[2].rpartition("resourceUri eq ")[2] for one in azure.requested]
    assert selected == [f"'{CLUSTER.text}'", f"'{DATABASE}'"]


def key(version: str) -> dict[str, Any]:
    return {"properties": {"keyUriWithVersion": f"{KEY_URL}/{version}", "attributes": {"enabled": True}}}


def in_use(url: str, **answers: Any) -> Any:
    listed = f"/subscriptions/{SUBSCRIPTION}/resources"
    vault = {"id": VAULT, "name": "shop", "properties": {"vaultUri": "https://shop.vault.azure.net/"}}
    keys = {f"{VAULT}/keys/disk{below.replace('_', '/')}": body for below, body in answers.items()}
    azure = Azure({listed: ({"id": VAULT},), VAULT: vault, **keys})
    return asyncio.run(KeyVaults(azure, PUBLIC).in_use(IDENTITY, SUBSCRIPTION, url))  # type: ignore[arg-type]


def test_the_newest_version_is_read_beside_the_one_that_is_used() -> None:
    found = in_use(f"{KEY_URL}/old", _versions_old=key("old"), **{"": key("new")})
    assert isinstance(found.key, KeyFacts)
    assert isinstance(found.newest, KeyFacts)
    assert (found.key.version, found.newest.version) == ("old", "new")


def test_a_url_without_a_version_is_read_once() -> None:
    found = in_use(KEY_URL, **{"": key("new")})
    assert found.newest == found.key
    assert found.newest != NOT_READ


def test_a_key_or_a_vault_that_is_not_there_is_no_newest_version() -> None:
    assert isinstance(in_use(f"{KEY_URL}/old").newest, KeyAbsent)
    assert isinstance(in_use("https://other.vault.azure.net/keys/disk/old").newest, Unknown)
