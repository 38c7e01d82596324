"""Managed Redis clusters and their database with azure-mgmt-redisenterprise, unmodified."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.redisenterprise.aio import RedisEnterpriseManagementClient

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.managed_redis import ManagedCluster, customer_key, managed_scope
from sandbox.azure.state.faults import Fault
from tests.contract.conftest import GROUP, OBJECT, OTHER_TENANT, SUBSCRIPTION, Sdk

NAME = "orders"
SCOPE = managed_scope(SUBSCRIPTION, GROUP, NAME)
KEY = "https://shop.vault.azure.net/keys/disk/0123456789abcdef0123456789abcdef"


def managed(sdk: Sdk, subscription: str = SUBSCRIPTION, **kwargs: Any) -> Any:
    return RedisEnterpriseManagementClient(
        sdk.credential(),
        subscription,
        sdk.control.endpoints.management,
        credential_scopes=[sdk.control.endpoints.management_scope],
        transport=sdk.transport,
        retry_total=0,
        **kwargs,
    )


def seed(name: str = NAME, **changes: Any) -> ManagedCluster:
    return ManagedCluster(subscription=SUBSCRIPTION, group=GROUP, name=name, **changes)


async def test_a_cluster_as_its_models_understand_it(sdk: Sdk, control: Control) -> None:
    control.seed(seed(tags={"team": "shop"}, private_endpoints=(seeds.PrivateEndpoint(name="pe"),)))
    async with managed(sdk) as client:
        found = await client.redis_enterprise.get(GROUP, NAME.upper())
    assert (found.id, found.kind, found.sku.name, found.location) == (SCOPE, "v2", "Balanced_B5", "West Europe")
    assert found.host_name == f"orders.westeurope.managedredis.{control.endpoints.domain}"
    assert (found.minimum_tls_version, found.public_network_access) == ("1.2", "Enabled")
    assert (found.provisioning_state, found.resource_state, found.redundancy_mode) == ("Succeeded", "Running", "ZR")
    assert (found.tags, found.identity.type, found.encryption) == ({"team": "shop"}, "None", None)
    (endpoint,) = found.private_endpoint_connections
    assert endpoint.private_link_service_connection_state.status == "Approved"
    assert control.log.writes() == []


async def test_its_database(sdk: Sdk, control: Control) -> None:
    persistence = {"rdbEnabled": True, "rdbFrequency": "12h"}
    control.seed(seed(database={"persistence": persistence, "accessKeysAuthentication": "Enabled"}))
    async with managed(sdk) as client:
        found = await client.databases.get(GROUP, NAME, "default")
        listed = [one.name async for one in client.databases.list_by_cluster(GROUP, NAME)]
    assert found.id == f"{SCOPE}/databases/default"
    assert (found.client_protocol, found.port, found.redis_version) == ("Encrypted", 10000, "7.4")
    assert (found.access_keys_authentication, found.clustering_policy) == ("Enabled", "OSSCluster")
    assert (found.persistence.rdb_enabled, found.persistence.rdb_frequency) == (True, "12h")
    assert found.persistence.aof_enabled is None
    assert listed == ["default"]


# The provider of clusters answers itself, with a time in US form.
PROVIDER = (
    r"It may already have been deleted\. CorrelationID=\S+ RequestID=\S+ Timestamp=\d\d/\d\d/\d{4} [\d:]{8} \(UTC\)"
)


async def test_every_property_can_be_changed_and_taken_away(sdk: Sdk, control: Control) -> None:
    control.seed(seed(sku={"name": "Enterprise_E10", "capacity": 2}, zones=("1", "2")))
    control.managed_redis.update(
        NAME,
        {"encryption": customer_key(KEY, "/id"), "minimumTlsVersion": "1.0", "provisioningState": "Updating"},
        database={"clientProtocol": "Plaintext"},
        absent=["publicNetworkAccess"],
        database_absent=["accessKeysAuthentication"],
    )
    async with managed(sdk) as client:
        found = await client.redis_enterprise.get(GROUP, NAME)
        database = await client.databases.get(GROUP, NAME, "default")
    key = found.encryption.customer_managed_key_encryption
    assert key.key_encryption_key_url == KEY
    assert key.key_encryption_key_identity.user_assigned_identity_resource_id == "/id"
    assert (found.kind, found.sku.capacity, found.zones) == ("v1", 2, ["1", "2"])
    assert (found.minimum_tls_version, found.public_network_access) == ("1.0", None)
    assert found.provisioning_state == "Updating"
    assert (database.client_protocol, database.access_keys_authentication) == ("Plaintext", None)
    control.managed_redis.delete_database(NAME)
    async with managed(sdk) as client:
        with pytest.raises(ResourceNotFoundError, match=PROVIDER):
            await client.databases.get(GROUP, NAME, "default")
    control.managed_redis.delete(NAME)
    assert control.managed_redis.get(NAME) is None


async def test_lists_are_paged_and_show_what_may_be_read(sdk: Sdk, control: Control) -> None:
    control.settings.change(page_size=2)
    control.seed(*(seed(f"c{number}") for number in range(5)))
    async with managed(sdk) as client:
        every = [one.name async for one in client.redis_enterprise.list()]
        here = [one async for one in client.redis_enterprise.list_by_resource_group(GROUP)]
    assert every == [one.name for one in here] == ["c0", "c1", "c2", "c3", "c4"]
    assert here[0].private_endpoint_connections == []
    control.settings.change(managed_list_is_whole=False)
    async with managed(sdk) as client:
        here = [one async for one in client.redis_enterprise.list_by_resource_group(GROUP)]
    assert here[0].private_endpoint_connections is None


@pytest.mark.parametrize(("version", "public", "keys"), [("2024-10-01", None, None), ("2025-04-01", None, "Enabled")])
async def test_older_interfaces_know_less(
    sdk: Sdk, control: Control, version: str, public: str | None, keys: str | None
) -> None:
    control.seed(seed())
    async with managed(sdk, api_version=version) as client:
        found = await client.redis_enterprise.get(GROUP, NAME)
        assert (found.public_network_access, found.kind) == (public, "v2" if keys else None)
        assert (await client.databases.get(GROUP, NAME, "default")).access_keys_authentication == keys


async def test_refusals(sdk: Sdk, control: Control) -> None:
    control.seed(seed())
    async with managed(sdk) as client:
        with pytest.raises(ResourceNotFoundError, match=PROVIDER):
            await client.redis_enterprise.get(GROUP, "none")
        with (
            control.settings.during(managed_provider_words=False),
            pytest.raises(ResourceNotFoundError, match="redisEnterprise/none"),
        ):
            await client.redis_enterprise.get(GROUP, "none")
        with pytest.raises(ResourceNotFoundError, match="ResourceGroupNotFound"):
            await client.redis_enterprise.get("none", NAME)
        with pytest.raises(ResourceNotFoundError, match=PROVIDER):
            await client.databases.get(GROUP, NAME, "other")
        throttling = Fault(path="redisEnterprise", status=429, headers={"Retry-After": "7"})
        with control.faults.during(throttling), pytest.raises(HttpResponseError) as throttled:
            await client.redis_enterprise.get(GROUP, NAME)
        assert (throttled.value.status_code, sdk.headers(throttled.value)["Retry-After"]) == (429, "7")
        control.access.unassign(OBJECT)
        control.seed(
            seeds.RoleAssignment(object_id=OBJECT, scope=SCOPE, actions=("Microsoft.Cache/redisEnterprise/read",))
        )
        assert (await client.redis_enterprise.get(GROUP, NAME)).id == SCOPE
        with pytest.raises(HttpResponseError, match="redisEnterprise/databases/read"):
            await client.databases.get(GROUP, NAME, "default")
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            [one async for one in client.redis_enterprise.list()]
    async with managed(sdk, api_version="2020-01-01") as client:
        with pytest.raises(HttpResponseError, match="NoRegisteredProviderFound"):
            await client.redis_enterprise.get(GROUP, NAME)
    other = "7d2c5f5e-0000-4000-8000-00000000eeef"
    control.seed(seeds.Subscription(id=other, tenant=OTHER_TENANT))
    async with managed(sdk, other) as client:
        with pytest.raises(HttpResponseError, match="InvalidAuthenticationTokenTenant"):
            await client.redis_enterprise.get(GROUP, NAME)
