"""Convert the answers about Microsoft.Cache/redisEnterprise to facts. Absent values stay None."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from secure_redis.api.azure_ids import CacheID, InvalidResourceID, Service
from secure_redis.azure.core.answers import (
    Malformed,
    elements,
    flag,
    mapping,
    number,
    port,
    principals,
    private_endpoints,
    text,
)
from secure_redis.domain.observe.governance import AccessAssignmentFacts
from secure_redis.domain.observe.managed_redis import MaintenanceWindow, ManagedDatabase, ManagedRedis

MAINTENANCE_SINCE: Final = "2025-08-01"  # a preview of that day is the first that has maintenanceConfiguration

STRINGS_SINCE: Final = "2026-05-01"  # a preview of that day is the first that has accessString
EVERYTHING: Final = "+@all ~*"


def cluster_facts(body: object, api_version: str | None = None) -> ManagedRedis:
    """Convert the JSON of a GET or of a list's item to a cluster; its database is another object.

    `api_version`: with which it was read directly; None: it is the item of a list.

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
        user_assigned_ids=tuple(mapping(mapping(answer.get("identity")).get("userAssignedIdentities"))),
        user_assigned_principals=dict(principals(mapping(answer.get("identity")))),
        maintenance_windows=_windows(properties, api_version),
        api_version=api_version,
    )


def is_whole(item: Mapping[str, Any]) -> bool:
    """Whether a list's item contains as much of a cluster as a GET.

    A GET always has the private endpoint connections, an empty list where there are none (recorded traffic). The API's
    example of a list has no such field. An item without it must not be taken for a cluster without endpoints.
    """
    return isinstance(mapping(item.get("properties")).get("privateEndpointConnections"), list)


def database_facts(body: object) -> ManagedDatabase:
    """Convert the JSON of a GET to the database `default`.

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
        modules=tuple(
            name for one in elements(properties.get("modules")) if (name := text(mapping(one).get("name"))) is not None
        ),
        defer_upgrade=text(properties.get("deferUpgrade")),
    )


def assignment_facts(body: object, api_version: str) -> AccessAssignmentFacts:
    """Convert a list's item to an assignment. One that was made without an accessString permits everything.

    Raises:
        Malformed: no name or object id.

    """
    answer = mapping(body)
    properties = mapping(answer.get("properties"))
    # The name of a child can start with the names above it: `cluster/default/name`.
    name = (text(answer.get("name")) or "").rpartition("/")[2]
    object_id = text(mapping(properties.get("user")).get("objectId"))
    if not name or object_id is None:
        raise Malformed("an access policy assignment without a name or an object id")
    return AccessAssignmentFacts(
        name,
        text(properties.get("accessPolicyName")) or "default",
        object_id,
        permissions=(text(properties.get("accessString")) or EVERYTHING) if api_version >= STRINGS_SINCE else None,
    )


def scaling_options(body: object) -> tuple[str, ...]:
    """Convert the answer of listSkusForScaling to the names of the SKUs that Azure offers for the cluster.

    Raises:
        Malformed: the answer has no list of SKUs.

    """
    found = mapping(body).get("skus")
    if not isinstance(found, list):
        raise Malformed("the answer has no list of SKUs")
    return tuple(name for one in found if (name := text(mapping(one).get("name"))) is not None)


def _windows(properties: Mapping[str, Any], api_version: str | None) -> tuple[MaintenanceWindow, ...] | None:
    """Read the maintenance windows. None: this version has none. Absent in one that has them: none is set."""
    if api_version is None or api_version < MAINTENANCE_SINCE:
        return None
    given = elements(mapping(properties.get("maintenanceConfiguration")).get("maintenanceWindows"))
    found = (
        (
            text(mapping(mapping(one).get("schedule")).get("dayOfWeek")),
            number(mapping(one).get("startHourUtc")),
            text(mapping(one).get("duration")),
        )
        for one in given
    )
    return tuple(
        MaintenanceWindow(day, hour, duration) for day, hour, duration in found if day and duration and hour is not None
    )


def _linked(properties: Mapping[str, Any]) -> Iterable[str]:
    for one in elements(mapping(properties.get("geoReplication")).get("linkedDatabases")):
        identifier = text(mapping(one).get("id"))
        if identifier is not None:
            yield identifier
