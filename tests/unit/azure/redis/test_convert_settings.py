"""The cache's redisConfiguration on persistence and memory; connection strings stop at the wall."""

from typing import Any

import pytest

from secure_redis.azure.redis.convert import cache_facts
from secure_redis.domain.observe.redis import PersistenceFacts, Redis

CACHE_ID = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g/providers/Microsoft.Cache/Redis/c"
MASKED = (
    "DefaultEndpointsProtocol=https;BlobEndpoint=https://shopdata.blob.core.windows.net/;AccountName=ShopData;"
    "AccountKey=[key hidden]"
)


def facts(settings: dict[str, Any], **properties: Any) -> Redis:
    sku = {"name": "Premium", "family": "P", "capacity": 1}
    said = {"sku": sku, "provisioningState": "Succeeded", "redisConfiguration": settings, **properties}
    return cache_facts({"id": CACHE_ID, "location": "West Europe", "properties": said})


def test_a_value_that_was_never_set_is_unknown() -> None:
    bare = facts({})
    assert bare.persistence == PersistenceFacts()
    assert not bare.persistence.on
    assert (bare.memory_reserved_mb, bare.eviction_policy, bare.update_channel) == (None, None, None)


def test_snapshots_into_an_account_by_key() -> None:
    found = facts(
        {"rdb-backup-enabled": "True", "rdb-backup-frequency": "60", "rdb-storage-connection-string": MASKED}
    ).persistence
    assert found == PersistenceFacts(
        rdb=True, rdb_frequency_minutes=60, account="shopdata", endpoint="shopdata.blob.core.windows.net"
    )
    assert found.on
    assert "hidden" not in repr(found)


def test_append_only_files_by_managed_identity_in_another_subscription() -> None:
    found = facts(
        {
            "aof-backup-enabled": "true",
            "rdb-backup-enabled": "false",
            "aof-storage-connection-string-0": "https://shopdata.blob.core.windows.net",
            "preferred-data-persistence-auth-method": "ManagedIdentity",
            "storage-subscription-id": "s",
        }
    ).persistence
    assert found == PersistenceFacts(
        rdb=False,
        aof=True,
        authentication="ManagedIdentity",
        account="shopdata",
        subscription="s",
        endpoint="shopdata.blob.core.windows.net",
    )
    assert found.on


RDB, AOF_0, AOF_1 = (
    "rdb-storage-connection-string",
    "aof-storage-connection-string-0",
    "aof-storage-connection-string-1",
)


@pytest.mark.parametrize(
    ("settings", "account"),
    [
        # The data does not go to the account that the other kind once named.
        ({"aof-backup-enabled": "true", RDB: "AccountName=old", AOF_0: "AccountName=new"}, "new"),
        ({"rdb-backup-enabled": "true", RDB: "AccountName=new", AOF_0: "AccountName=old"}, "new"),
        ({"aof-backup-enabled": "true", RDB: "AccountName=old"}, None),
        ({"rdb-backup-enabled": "false", RDB: "AccountName=old"}, "old"),
        # Two places at the same time, or one that is not understood, cannot be followed.
        ({"aof-backup-enabled": "true", AOF_0: "AccountName=one", AOF_1: "AccountName=one"}, "one"),
        ({"aof-backup-enabled": "true", AOF_0: "AccountName=one", AOF_1: "AccountName=two"}, None),
        ({"aof-backup-enabled": "true", AOF_0: "AccountName=one", AOF_1: "something"}, None),
        (
            {"aof-backup-enabled": "true", AOF_0: "AccountName=one", AOF_1: "AccountName=one;BlobEndpoint=https://x"},
            None,
        ),
    ],
)
def test_the_account_is_that_of_the_kind_that_is_on(settings: dict[str, Any], account: str | None) -> None:
    assert facts(settings).persistence.account == account


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("AccountName=a1b;AccountKey=[key hidden]", None),
        ("AccountName=a1b;EndpointSuffix=core.Windows.net", "a1b.blob.core.windows.net"),
        ("AccountName=a1b;BlobEndpoint=https://evil.example/;EndpointSuffix=core.windows.net", "evil.example"),
        ("AccountName=a1b;BlobEndpoint=http://a1b.blob.core.windows.net", "http://a1b.blob.core.windows.net"),
    ],
)
def test_an_endpoint_of_its_own_is_kept(text: str, endpoint: str | None) -> None:
    found = facts({"rdb-backup-enabled": "true", RDB: text}).persistence
    assert (found.account, found.endpoint) == ("a1b", endpoint)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[key hidden]",
        "SomeAccountName=shopdata",
        "AccountName=x;y",
        "https://evil/?https://a.blob.core.windows.net",
    ],
)
def test_a_string_that_names_no_account_is_none(text: str) -> None:
    found = facts({"rdb-backup-enabled": "true", "rdb-storage-connection-string": text}).persistence
    assert (found.on, found.account) == (True, None)


def test_memory_and_updates() -> None:
    found = facts({"maxmemory-reserved": "642", "maxmemory-policy": "allkeys-lru"}, updateChannel="Preview")
    assert (found.memory_reserved_mb, found.eviction_policy, found.update_channel) == (642, "allkeys-lru", "Preview")
    assert facts({"maxmemory-reserved": "much"}).memory_reserved_mb is None
