"""From answers about Microsoft.Cache/redisEnterprise to facts, as recorded traffic and the API's examples have them."""

import copy
from typing import Any

import pytest

from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.managed_redis.convert import cluster_facts, database_facts, is_whole
from secure_redis.domain.observe.cache import PrivateEndpoint
from secure_redis.domain.observe.unknown import NOT_READ

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop"
ID = f"{GROUP}/providers/Microsoft.Cache/redisEnterprise/x"
# The shape of a recorded GET (Azure Service Operator, Test_Cache_RedisEnterprise_20250701_CRUD).
CLUSTER: dict[str, Any] = {
    "location": "West US 2",
    "name": "x",
    "id": ID,
    "type": "Microsoft.Cache/redisEnterprise",
    "kind": "v2",
    "tags": {"environment": "test"},
    "sku": {"name": "Balanced_B0"},
    "properties": {
        "minimumTlsVersion": "1.2",
        "hostName": "x.westus2.redis.azure.net",
        "provisioningState": "Succeeded",
        "resourceState": "Running",
        "privateEndpointConnections": [],
        "highAvailability": "Enabled",
        "redundancyMode": "ZR",
        "publicNetworkAccess": "Enabled",
    },
    "identity": {"type": "None"},
}
DATABASE: dict[str, Any] = {
    "name": "default",
    "id": f"{ID}/databases/default",
    "type": "Microsoft.Cache/redisEnterprise/databases",
    "properties": {
        "clientProtocol": "Encrypted",
        "port": 10000,
        "provisioningState": "Updating",
        "resourceState": "Updating",
        "clusteringPolicy": "OSSCluster",
        "evictionPolicy": "VolatileLRU",
        "deferUpgrade": "NotDeferred",
        "redisVersion": "7.4",
        "accessKeysAuthentication": "Enabled",
    },
}


def changed(body: dict[str, Any], **properties: Any) -> dict[str, Any]:
    other = copy.deepcopy(body)
    other["properties"].update(properties)
    return other


def test_a_recorded_cluster() -> None:
    found = cluster_facts(CLUSTER)
    assert (found.kind, found.sku_name, found.host_name) == ("v2", "Balanced_B0", "x.westus2.redis.azure.net")
    assert (found.private_endpoints, found.zones, found.redis_version) == ((), (), None)
    assert (found.key_url, found.key_identity, found.retirement) == (None, None, None)
    assert found.database is NOT_READ
    assert is_whole(CLUSTER)


def test_a_recorded_database() -> None:
    found = database_facts(DATABASE)
    assert (found.client_protocol, found.port, found.access_keys) == ("Encrypted", 10000, "Enabled")
    assert (found.rdb_enabled, found.aof_enabled, found.geo_linked) == (None, None, ())


@pytest.mark.parametrize("given", [None, {}, "x"])
def test_the_list_of_the_apis_example_is_not_whole(given: Any) -> None:
    """It has no private endpoint connections at all, which is not the same as none."""
    shorter = copy.deepcopy(CLUSTER)
    if given is None:
        del shorter["properties"]["privateEndpointConnections"]
    else:
        shorter["properties"]["privateEndpointConnections"] = given
    assert not is_whole(shorter)


def test_connections_keep_their_state() -> None:
    state = {"privateLinkServiceConnectionState": {"status": "Rejected"}}
    listed = [{"name": "a", "properties": state}, {"name": "b"}, "nonsense"]
    found = cluster_facts(changed(CLUSTER, privateEndpointConnections=listed))
    assert found.private_endpoints == (
        PrivateEndpoint("a", "Rejected"),
        PrivateEndpoint("b", "Unknown"),
        PrivateEndpoint("", "Unknown"),
    )
    assert not found.has_approved_private_endpoint


@pytest.mark.parametrize(
    "key", [{}, None, {"customerManagedKeyEncryption": {}}, {"customerManagedKeyEncryption": None}]
)
def test_an_empty_encryption_is_a_key_of_microsofts(key: Any) -> None:
    """The API description: an empty object is Microsoft-managed encryption."""
    assert cluster_facts(changed(CLUSTER, encryption=key)).key_url is None


@pytest.mark.parametrize("port", [0, 65536, "10000", True, None])
def test_a_port_that_is_none(port: Any) -> None:
    assert database_facts(changed(DATABASE, port=port)).port is None


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {**CLUSTER, "id": ID.replace("redisEnterprise", "redis")},
        {**CLUSTER, "id": "x"},
        {**CLUSTER, "sku": None},
        changed(CLUSTER, provisioningState=None),
    ],
)
def test_an_answer_that_is_no_cluster(body: Any) -> None:
    with pytest.raises(Malformed):
        cluster_facts(body)


@pytest.mark.parametrize("body", [None, {}, {"properties": []}, changed(DATABASE, provisioningState=7)])
def test_an_answer_that_is_no_database(body: Any) -> None:
    with pytest.raises(Malformed):
        database_facts(body)
