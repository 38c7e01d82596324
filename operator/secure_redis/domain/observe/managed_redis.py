"""A Microsoft.Cache/redisEnterprise cluster with its default database, as Azure answered.

Source: docs/internals/azure-facts.md#cluster-and-database.
Azure Managed Redis (kind v2) and the retiring Enterprise and Enterprise Flash tiers (kind v1) are one resource type.
`None` always means that the answer did not say; that is never the same as safe.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from secure_redis.api.azure_ids import CacheID
from secure_redis.domain.observe.redis import PrivateEndpoint
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown


@dataclass(frozen=True, slots=True)
class ManagedDatabase:
    """The database `default`, the only one there can be. Words as answered.

    `client_protocol`: Encrypted or Plaintext. `access_keys`: Enabled or Disabled.
    """

    provisioning_state: str
    resource_state: str | None = None  # Running, Disabled, … : whether it serves
    client_protocol: str | None = None
    port: int | None = None
    access_keys: str | None = None
    redis_version: str | None = None
    clustering_policy: str | None = None
    eviction_policy: str | None = None
    rdb_enabled: bool | None = None
    rdb_frequency: str | None = None  # 1h, 6h, 12h
    aof_enabled: bool | None = None
    geo_linked: tuple[str, ...] = ()  # ARM ids of the other databases of an active geo-replication group


@dataclass(frozen=True, slots=True)
class ManagedFacts:
    """A cluster. `database`: None where it has none yet; a list of clusters tells nothing of it (NotRead).

    `key_url`: of a customer-managed key; None: Microsoft-managed. `key_identity`: the ARM id of the user-assigned
    identity that reads the key, `key_identity_type` the answer's word for its kind. `kind`: v1 or v2.
    """

    resource_id: CacheID
    location: str
    sku_name: str
    provisioning_state: str
    database: ManagedDatabase | Unknown | NotRead | None = NOT_READ
    resource_state: str | None = None
    kind: str | None = None
    host_name: str | None = None
    minimum_tls_version: str | None = None
    public_network_access: str | None = None
    high_availability: str | None = None
    redundancy: str | None = None  # None, LR (local), ZR (zones)
    redis_version: str | None = None
    key_url: str | None = None
    key_identity: str | None = None
    key_identity_type: str | None = None
    identity_type: str | None = None
    zones: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    private_endpoints: tuple[PrivateEndpoint, ...] = ()

    @property
    def retiring(self) -> bool:
        """Whether it is of a tier that Microsoft retires (Enterprise_E…, EnterpriseFlash_F…)."""
        return self.sku_name.lower().startswith("enterprise")

    @property
    def has_approved_private_endpoint(self) -> bool:
        """Whether at least one private endpoint connection is approved."""
        return any(endpoint.status.lower() == "approved" for endpoint in self.private_endpoints)

    @property
    def port(self) -> int | None:
        """The one port that the database is reached at; None where it is not known."""
        return self.database.port if isinstance(self.database, ManagedDatabase) else None

    @property
    def persists(self) -> bool | None:
        """Whether anything is written to the cluster's disks. None: not known.

        The answer has no `persistence` at all where it was never set (recorded traffic).
        """
        if isinstance(self.database, Unknown | NotRead):
            return None
        return self.database is not None and bool(self.database.rdb_enabled or self.database.aof_enabled)
