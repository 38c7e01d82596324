"""The chain is read under grants, at its own slow cadence, by the real SDKs."""

from datetime import UTC, datetime

import pytest

from sandbox.azure.seeds.storage import StorageAccount, storage_scope
from secure_redis.api.azure_ids import StorageAccountID
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.governance.reads import Governance
from secure_redis.azure.keyvault.encryption_keys import KeyVaults
from secure_redis.azure.storage.accounts import StorageAccounts
from secure_redis.azure.storage.lookup import find_account
from secure_redis.domain.grants import Grant, GrantPolicy, Power
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.storage import BlobServiceFacts, StorageFacts
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.reconciler.observe.storage import StorageReader
from secure_redis.reconciler.pass_state import PassState

from .conftest import READ, Site

ON = {"rdb-backup-enabled": "true", "preferred-data-persistence-auth-method": "ManagedIdentity"}


class Room:
    """A cache that persists into an account, and an observer of it under `policy`."""

    def __init__(self, site: Site, policy: GrantPolicy | None = None) -> None:
        self.site, self.memory = site, PassState()
        resource_manager = ResourceManager(site.transport, site.credentials)
        self.observer = StorageReader(
            policy=policy or GrantPolicy(),
            accounts=StorageAccounts(resource_manager),
            vaults=KeyVaults(resource_manager, site.transport.cloud),
            governance=Governance(resource_manager),
            resource_manager=resource_manager,
            secrets=None,  # type: ignore[arg-type]  # never asked: nothing is to be set
            monotonic=site.clock,
            max_age=900.0,
        )
        self.account = storage_scope(site.subscription, site.group, site.name)
        account = StorageAccount(subscription=site.subscription, group=site.group, name=site.name)
        blob = f"https://{site.name}.blob.core.windows.net"
        site.control.seed(account)
        site.add_cache(
            sku={"name": "Premium", "family": "P", "capacity": 1},
            redis_configuration={**ON, "rdb-storage-connection-string": blob},
        )

    def resource(self) -> SecureRedisCache:
        meta = {"namespace": "shop", "name": "orders", "uid": "u", "resourceVersion": "1"}
        found = parse({"metadata": meta, "spec": {"resourceID": self.site.cache.text}})
        assert isinstance(found, SecureRedisCache)
        return found

    async def look(self) -> Observation:
        cache = await self.site.caches.read(self.site.identity, self.site.cache)
        assert isinstance(cache, Redis)
        observed = Observation(now=datetime(2026, 11, 24, tzinfo=UTC), identity=self.site.identity, cache=cache)
        return await self.observer.read(self.resource(), observed, cache, self.site.identity, self.memory)

    def asked(self) -> int:
        return self.site.requests("storageAccounts")


async def test_the_account_is_read_once_in_its_time(site: Site) -> None:
    site.allow(READ, "Microsoft.Storage/*/read")
    room = Room(site)
    observed = await room.look()
    assert isinstance(observed.storage, StorageFacts)
    assert observed.storage.account_id.key == room.account.lower()
    assert isinstance(observed.blob_service, BlobServiceFacts)
    first = room.asked()
    assert first == 2
    site.clock.now += 890
    await room.look()
    assert room.asked() == first
    site.clock.now += 20
    await room.look()
    assert room.asked() == 2 * first
    room.memory.refresh = True
    await room.look()
    assert room.asked() == 3 * first


async def test_an_unreadable_value_is_read_again_sooner(site: Site) -> None:
    site.allow(READ)
    room = Room(site)
    observed = await room.look()
    assert isinstance(observed.storage, Unknown)
    assert observed.storage.permission == "Microsoft.Storage/storageAccounts/read"
    site.allow("Microsoft.Storage/*/read")
    assert isinstance((await room.look()).storage, Unknown)
    site.clock.now += 61
    assert isinstance((await room.look()).storage, StorageFacts)


@pytest.mark.parametrize("granted", [False, True])
async def test_an_account_that_is_not_granted_is_not_read(site: Site, *, granted: bool) -> None:
    site.allow(READ, "Microsoft.Storage/*/read")
    subscription = f"/subscriptions/{site.subscription}"
    accounts = (f"{subscription}/resourceGroups/{site.group}",) if granted else ()
    cap = Grant(("shop",), frozenset({Power.OBSERVE}), caches=(subscription,), storage_accounts=accounts)
    room = Room(site, GrantPolicy(caps=(cap,)))
    observed = await room.look()
    if granted:
        assert isinstance(observed.storage, StorageFacts)
        return
    assert isinstance(observed.storage, Unknown)
    assert observed.storage.reason is Reason.NOT_GRANTED
    assert (room.asked(), site.requests("/resources"), observed.blob_service) == (0, 0, NOT_READ)


async def test_an_account_is_found_by_name_in_its_subscription_only(site: Site) -> None:
    site.allow("Microsoft.Storage/*/read")
    room, resource_manager = Room(site), ResourceManager(site.transport, site.credentials)
    found = await find_account(resource_manager, site.identity, site.subscription.upper(), site.name.upper())
    assert isinstance(found, StorageAccountID)
    assert found.key == room.account.lower()
    for subscription, name in (
        (site.subscription, "nosuchaccount"),
        (site.subscription, "x' or name eq 'y"),
        ("../x", site.name),
    ):
        assert isinstance(await find_account(resource_manager, site.identity, subscription, name), Unknown)
