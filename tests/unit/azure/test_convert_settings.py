"""What the cache's redisConfiguration says of persistence and memory; connection strings stop at the wall."""

from typing import Any

import pytest

from secure_redis.azure.convert import cache_facts
from secure_redis.domain.observation import CacheFacts
from secure_redis.domain.persistence_facts import PersistenceFacts

CACHE_ID = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g/providers/Microsoft.Cache/Redis/c"
MASKED = (
    "DefaultEndpointsProtocol=https;BlobEndpoint=https://shopdata.blob.core.windows.net/;AccountName=ShopData;"
    "AccountKey=[key hidden]"
)


def facts(settings: dict[str, Any], **properties: Any) -> CacheFacts:
    sku = {"name": "Premium", "family": "P", "capacity": 1}
    said = {"sku": sku, "provisioningState": "Succeeded", "redisConfiguration": settings, **properties}
    return cache_facts({"id": CACHE_ID, "location": "West Europe", "properties": said})


def test_what_was_never_set_is_not_known() -> None:
    bare = facts({})
    assert bare.persistence == PersistenceFacts()
    assert not bare.persistence.on
    assert (bare.memory_reserved_mb, bare.eviction_policy, bare.update_channel) == (None, None, None)


def test_snapshots_into_an_account_by_key() -> None:
    found = facts(
        {"rdb-backup-enabled": "True", "rdb-backup-frequency": "60", "rdb-storage-connection-string": MASKED}
    ).persistence
    assert found == PersistenceFacts(rdb=True, rdb_frequency_minutes=60, account="shopdata")
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
        rdb=False, aof=True, authentication="ManagedIdentity", account="shopdata", subscription="s"
    )
    assert found.on


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
