"""From Azure's answers about Microsoft.Cache/redisEnterprise to our facts. What an answer does not say stays None."""

from collections.abc import Iterable, Mapping
from typing import Any

from secure_redis.api.azure_ids import CacheID, InvalidResourceID, Service
from secure_redis.azure.core.answers import (
    Malformed,
    elements,
    flag,
    mapping,
    port,
    private_endpoints,
    text,
)
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis


def cluster_facts(body: object) -> ManagedRedis:
    """A cluster from the JSON of a GET or of a list's item; its database is another object.

    Raises:
        Malformed: no id of a cluster, SKU or provisioning state.

    """
    answer, properties = mapping(body), mapping(mapping(body).get("properties"))
    try:
        resource_id = CacheID.parse(text(answer.get("id")) or "")
    except InvalidResourceID as error:
        raise Malformed(f"the answer's resource id is not that of a cluster: {error}") from None
    if resource_id.service is not Service.MANAGED_REDIS:
        raise Malformed("the answer's resource id is not that of a Microsoft.Cache/redisEnterprise")
    sku, state = text(mapping(answer.get("sku")).get("name")), text(properties.get("provisioningState"))
    if sku is None:
        raise Malformed("the answer has no SKU")
    if state is None:
        raise Malformed("the answer has no provisioning state")
    key = mapping(mapping(properties.get("encryption")).get("customerManagedKeyEncryption"))
    reader = mapping(key.get("keyEncryptionKeyIdentity"))
    return ManagedRedis(
        resource_id=resource_id,
        location=text(answer.get("location")) or "",
        sku_name=sku,
        provisioning_state=state,
        resource_state=text(properties.get("resourceState")),
        kind=text(answer.get("kind")),
        host_name=text(properties.get("hostName")),
        minimum_tls_version=text(properties.get("minimumTlsVersion")),
        public_network_access=text(properties.get("publicNetworkAccess")),
        high_availability=text(properties.get("highAvailability")),
        redundancy=text(properties.get("redundancyMode")),
        cluster_redis_version=text(properties.get("redisVersion")),
        key_url=text(key.get("keyEncryptionKeyUrl")),
        key_identity=text(reader.get("userAssignedIdentityResourceId")),
        key_identity_type=text(reader.get("identityType")),
        identity_type=text(mapping(answer.get("identity")).get("type")),
        zones=tuple(str(zone) for zone in elements(answer.get("zones"))),
        tags={str(tag): str(value) for tag, value in mapping(answer.get("tags")).items()},
        private_endpoints=tuple(private_endpoints(properties)),
    )


def is_whole(item: Mapping[str, Any]) -> bool:
    """Whether a list's item tells as much of a cluster as a GET does.

    A GET always has the private endpoint connections, an empty list where there are none (recorded traffic); the API's
    example of a list has no such field, and an item without it must not be taken for a cluster without endpoints.
    """
    return isinstance(mapping(item.get("properties")).get("privateEndpointConnections"), list)


def database_facts(body: object) -> ManagedDatabase:
    """The database `default` from the JSON of a GET.

    Raises:
        Malformed: no provisioning state.

    """
    properties = mapping(mapping(body).get("properties"))
    state = text(properties.get("provisioningState"))
    if state is None:
        raise Malformed("the answer has no provisioning state")
    persistence = mapping(properties.get("persistence"))
    return ManagedDatabase(
        provisioning_state=state,
        resource_state=text(properties.get("resourceState")),
        client_protocol=text(properties.get("clientProtocol")),
        port=port(properties.get("port")),
        access_keys=text(properties.get("accessKeysAuthentication")),
        redis_version=text(properties.get("redisVersion")),
        clustering_policy=text(properties.get("clusteringPolicy")),
        eviction_policy=text(properties.get("evictionPolicy")),
        rdb_enabled=flag(persistence.get("rdbEnabled")),
        rdb_frequency=text(persistence.get("rdbFrequency")),
        aof_enabled=flag(persistence.get("aofEnabled")),
        geo_linked=tuple(_linked(properties)),
    )


def _linked(properties: Mapping[str, Any]) -> Iterable[str]:
    for one in elements(mapping(properties.get("geoReplication")).get("linkedDatabases")):
        identifier = text(mapping(one).get("id"))
        if identifier is not None:
            yield identifier
