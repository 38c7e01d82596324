"""How the operator reads Microsoft.Cache/redisEnterprise, and that it finds what Microsoft's SDK finds."""

from typing import Any

import pytest
from azure.mgmt.redisenterprise.models import Cluster, Database

from sandbox.azure.seeds.managed_redis import customer_key, managed_scope
from sandbox.azure.seeds.seeds import PrivateEndpoint, RoleAssignment, group_scope
from sandbox.azure.seeds.storage import VaultKey
from sandbox.azure.state.faults import Fault
from secure_redis.api.azure_ids import CacheID
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.failures import Denied, Missing, NotFound
from secure_redis.azure.core.resource_manager import ResourceManager
from secure_redis.azure.governance.reads import Governance
from secure_redis.azure.inventory import Inventory
from secure_redis.azure.keyvault.encryption_keys import KeyVaults
from secure_redis.azure.managed_redis.client import (
    READ_CLUSTER,
    READ_DATABASE,
    ManagedCaches,
)
from secure_redis.azure.managed_redis.versions import VERSIONS
from secure_redis.domain.observe import cache, unknown
from secure_redis.domain.observe.cache import CacheAbsent
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.storage import KeyAbsent, KeyFacts, KeyVaultFacts
from secure_redis.domain.observe.unknown import Unknown

from .conftest import Site
from .managed_support import add, cluster_id

EVERYTHING = (READ_CLUSTER, READ_DATABASE)


async def test_a_cluster_and_its_database(site: Site, clusters: ManagedCaches) -> None:
    site.allow(*EVERYTHING)
    where = add(
        site,
        tags={"team": "shop"},
        zones=("1", "2"),
        identity={"type": "UserAssigned", "userAssignedIdentities": {"/id": {}}},
        properties={"encryption": customer_key("https://v.test/keys/k/1", "/id"), "publicNetworkAccess": "Disabled"},
        private_endpoints=(PrivateEndpoint(name="pe", status="Pending"),),
        database={"persistence": {"aofEnabled": True, "aofFrequency": "1s"}},
    )
    found = await clusters.read(site.identity, where)
    assert isinstance(found, ManagedRedis)
    assert found.resource_id == where
    assert (found.sku_name, found.kind, found.location) == ("Balanced_B5", "v2", "West Europe")
    assert (found.minimum_tls_version, found.public_network_access) == ("1.2", "Disabled")
    assert (found.provisioning_state, found.resource_state, found.redundancy) == ("Succeeded", "Running", "ZR")
    assert (found.key_url, found.key_identity) == ("https://v.test/keys/k/1", "/id")
    assert (found.key_identity_type, found.identity_type) == ("userAssignedIdentity", "UserAssigned")
    assert (found.zones, found.tags) == (("1", "2"), {"team": "shop"})
    assert found.private_endpoints == (cache.PrivateEndpoint("pe", "Pending"),)
    assert found.database is unknown.NOT_READ
    database = await clusters.database(site.identity, where)
    assert database == ManagedDatabase(
        provisioning_state="Succeeded",
        resource_state="Running",
        client_protocol="Encrypted",
        port=10000,
        access_keys="Enabled",
        redis_version="7.4",
        clustering_policy="OSSCluster",
        eviction_policy="VolatileLRU",
        defer_upgrade="NotDeferred",
        aof_enabled=True,
    )
    versions = {tuple(r.query.values()) for r in site.control.log.requests(site.mark, path="redisEnterprise")}
    assert versions == {(VERSIONS[0],)}
    assert site.control.log.writes(site.mark) == []


async def test_microsofts_models_read_the_same(site: Site, clusters: ManagedCaches) -> None:
    """The wire names of our conversion are those of the SDK: each value is set apart and found by both."""
    site.allow(*EVERYTHING)
    where = add(
        site,
        properties={"encryption": customer_key("https://v.test/keys/k", "/id"), "redisVersion": "7.4.1"},
        database={
            "persistence": {"rdbEnabled": True, "rdbFrequency": "6h"},
            "geoReplication": {"groupNickname": "g", "linkedDatabases": [{"id": "/other", "state": "Linked"}]},
        },
    )
    resource_manager = ResourceManager(site.transport, site.credentials)
    cluster = Cluster.deserialize(dict(await resource_manager.get(site.identity, where.text, VERSIONS[-1])))  # type: ignore[arg-type]
    database = Database.deserialize(
        dict(await resource_manager.get(site.identity, f"{where.text}/databases/default", VERSIONS[-1]))  # type: ignore[arg-type]
    )
    ours, of_it = await clusters.read(site.identity, where), await clusters.database(site.identity, where)
    assert isinstance(ours, ManagedRedis)
    assert isinstance(of_it, ManagedDatabase)
    key: Any = cluster.encryption and cluster.encryption.customer_managed_key_encryption
    assert (ours.key_url, ours.key_identity) == (
        key.key_encryption_key_url,
        key.key_encryption_key_identity.user_assigned_identity_resource_id,
    )
    assert (ours.host_name, ours.redis_version, ours.redundancy) == (
        cluster.host_name,
        cluster.redis_version,
        cluster.redundancy_mode,
    )
    assert ours.high_availability == cluster.high_availability
    theirs: Any = database
    assert (of_it.client_protocol, of_it.port, of_it.access_keys) == (
        theirs.client_protocol,
        theirs.port,
        theirs.access_keys_authentication,
    )
    assert (of_it.rdb_enabled, of_it.rdb_frequency, of_it.aof_enabled) == (
        theirs.persistence.rdb_enabled,
        theirs.persistence.rdb_frequency,
        theirs.persistence.aof_enabled,
    )
    assert list(of_it.geo_linked) == [one.id for one in theirs.geo_replication.linked_databases]


@pytest.mark.parametrize("code", ["ResourceNotFound", "NotFound"])
async def test_a_cluster_without_a_database(site: Site, clusters: ManagedCaches, code: str) -> None:
    site.control.settings.change(managed_missing_database_code=code)
    site.allow(*EVERYTHING)
    where = add(site, database=None)
    assert await clusters.database(site.identity, where) is None


async def test_fields_missing_from_an_answer_are_not_invented(site: Site, clusters: ManagedCaches) -> None:
    site.allow(*EVERYTHING)
    where = add(
        site,
        absent=("minimumTlsVersion", "publicNetworkAccess", "redundancyMode", "hostName"),
        database_absent=("clientProtocol", "accessKeysAuthentication", "port"),
    )
    found, database = await clusters.read(site.identity, where), await clusters.database(site.identity, where)
    assert isinstance(found, ManagedRedis)
    assert (found.minimum_tls_version, found.public_network_access, found.redundancy) == (None, None, None)
    assert (found.key_url, found.host_name) == (None, None)
    assert isinstance(database, ManagedDatabase)
    assert (database.client_protocol, database.access_keys, database.port) == (None, None, None)
    assert (database.rdb_enabled, database.aof_enabled) == (None, None)


async def test_refusals_name_the_right_that_is_lacking(site: Site, clusters: ManagedCaches) -> None:
    where = add(site)
    found = await clusters.read(site.identity, where)
    assert isinstance(found, Unknown)
    assert (found.reason, found.permission) == (Reason.AZURE_DENIED, READ_CLUSTER)
    assert isinstance(await clusters.walk(site.identity, site.subscription), Denied)
    site.allow(READ_CLUSTER)
    database = await clusters.database(site.identity, where)
    assert isinstance(database, Unknown)
    assert (database.reason, database.permission) == (Reason.AZURE_DENIED, READ_DATABASE)


async def test_absence_throttling_and_nonsense(site: Site, clusters: ManagedCaches) -> None:
    site.allow(*EVERYTHING)
    missing = await clusters.read(site.identity, cluster_id(site))
    assert isinstance(missing, NotFound)
    assert missing.what is Missing.RESOURCE
    elsewhere = CacheID.parse(managed_scope(site.subscription, "none", "x"))
    gone = await clusters.read(site.identity, elsewhere)
    assert isinstance(gone, NotFound)
    assert gone.what is Missing.GROUP
    where = add(site)
    with site.control.faults.during(Fault(path="redisEnterprise", body={"value": "?"}, status=200, times=2)):
        assert isinstance(await clusters.read(site.identity, where), Unknown)
        assert isinstance(await clusters.database(site.identity, where), Unknown)
    with site.control.faults.during(Fault(path="redisEnterprise", status=429, headers={"Retry-After": "7"})):
        throttled = await clusters.read(site.identity, where)
        assert isinstance(throttled, Unknown)
        assert (throttled.reason, throttled.retry_after) == (Reason.AZURE_THROTTLED, 7.0)


async def test_one_list_serves_every_cluster_of_a_subscription(site: Site, clusters: ManagedCaches) -> None:
    site.allow(*EVERYTHING)
    site.control.settings.change(page_size=2)
    wanted = [add(site, f"{site.name}{number}") for number in range(5)]
    inventory = Inventory(clusters, site.clock)
    for where in wanted:
        found = await inventory.cache(site.identity, where, max_age=60)
        assert isinstance(found, ManagedRedis)
        assert found.resource_id.name == where.name
    assert site.requests("redisEnterprise") == 3  # pages


async def test_a_list_that_shows_less_is_not_believed(site: Site, clusters: ManagedCaches) -> None:
    """An item without its private endpoint connections is not a cluster without any: it is read directly."""
    site.allow(*EVERYTHING)
    site.control.settings.change(managed_list_is_whole=False)
    where = add(site, private_endpoints=(PrivateEndpoint(name="pe"),))
    found = await Inventory(clusters, site.clock).cache(site.identity, where, max_age=60)
    assert isinstance(found, ManagedRedis)
    assert found.has_approved_private_endpoint
    assert site.requests("redisEnterprise") == 2


async def test_an_identity_of_one_group_and_one_of_one_cluster(site: Site, clusters: ManagedCaches) -> None:
    where = add(site)
    inventory = Inventory(clusters, site.clock)
    site.allow(*EVERYTHING, scope=where.text)
    assert isinstance(await inventory.cache(site.identity, where, max_age=60), ManagedRedis)
    site.control.access.unassign(site.object_id)
    site.control.seed(
        RoleAssignment(
            object_id=site.object_id, scope=group_scope(site.subscription, site.group), actions=(READ_CLUSTER,)
        )
    )
    again = Inventory(clusters, site.clock)
    assert isinstance(await again.cache(site.identity, where, max_age=60), ManagedRedis)
    site.control.managed_redis.delete(site.name)
    site.clock.now += 61
    gone = await again.cache(site.identity, where, max_age=60)
    assert isinstance(gone, CacheAbsent)
    assert not gone.confirmed
    site.clock.now += 61
    assert (await again.cache(site.identity, where, max_age=60)) == CacheAbsent(True, gone.message)


async def test_the_key_that_a_cluster_names(site: Site) -> None:
    vaults = KeyVaults(ResourceManager(site.transport, site.credentials), site.transport.cloud)
    site.allow("Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/keys/*/read", scope=site.vault_scope)
    site.allow("Microsoft.KeyVault/vaults/keys/read", scope=site.vault_scope)
    site.control.seed(VaultKey(vault=site.name, name="disk", version="0" * 32, enabled=False))
    for url in (f"{site.vault}/keys/disk", f"{site.vault}/keys/disk/{'0' * 32}"):
        found = await vaults.of_url(site.identity, site.subscription, url)
        assert isinstance(found.vault, KeyVaultFacts)
        assert isinstance(found.key, KeyFacts)
        assert found.key.enabled is False
    missing = await vaults.of_url(site.identity, site.subscription, f"{site.vault}/keys/none")
    assert isinstance(missing.key, KeyAbsent)
    for url in ("https://evil.example/keys/disk", "not a url", f"{site.vault}/secrets/disk", f"{site.vault}/keys"):
        refused = await vaults.of_url(site.identity, site.subscription, url)
        assert isinstance(refused.vault, Unknown), url
        assert isinstance(refused.key, Unknown), url


async def test_the_governance_of_a_cluster(site: Site) -> None:
    around = Governance(ResourceManager(site.transport, site.credentials))
    where = add(site)
    site.control.managed_redis.update(site.name, diagnostics={"kept": {"workspaceId": "/w", "logs": []}})
    site.allow("*/read")
    diagnostics = await around.diagnostics(site.identity, where)
    assert isinstance(diagnostics, tuple)
    assert [one.name for one in diagnostics] == ["kept"]
    assert await around.locks(site.identity, where) == ()
    assert isinstance(await around.role_assignments(site.identity, where), tuple)
