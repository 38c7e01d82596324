"""A Microsoft.Cache/redis cache as Azure answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from secure_redis.api.azure_ids import CacheID


@dataclass(frozen=True, slots=True)
class PersistenceFacts:
    """From redisConfiguration, of which Azure leaves out what was never set.

    Sources: docs/internals/azure-facts.md#properties-and-defaults and
    docs/internals/azure-facts.md#how-answers-differ-from-requests.

    `rdb`, `aof`: None where the key is absent, which is off. `authentication`: `SAS` (also where absent) or
    `ManagedIdentity`.
    `account`: the storage account's name from the masked connection string or the blob URL, never the string itself.
    `subscription`: of the account, where it is not the cache's own. `endpoint`: the host of its blobs, where said.
    """

    rdb: bool | None = None
    aof: bool | None = None
    rdb_frequency_minutes: int | None = None
    authentication: str | None = None
    account: str | None = None
    subscription: str | None = None
    endpoint: str | None = None

    @property
    def on(self) -> bool:
        """Whether the cache writes its data to a storage account."""
        return bool(self.rdb or self.aof)


@dataclass(frozen=True, slots=True)
class PrivateEndpoint:
    """A private endpoint connection: `status` is Approved, Pending, Rejected or Disconnected."""

    name: str
    status: str


@dataclass(frozen=True, slots=True)
class FirewallRuleFacts:
    """A firewall rule as Azure holds it (`name` without the cache's prefix)."""

    name: str
    start_ip: str
    end_ip: str


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """A cache as Azure answered. `None`: the answer did not say; that is not the same as safe."""

    resource_id: CacheID
    location: str
    sku_name: str
    sku_family: str
    sku_capacity: int
    provisioning_state: str
    host_name: str | None = None
    tls_port: int | None = None
    plaintext_port: int | None = None
    redis_version: str | None = None
    non_tls_port_enabled: bool | None = None
    minimum_tls_version: str | None = None
    public_network_access: str | None = None
    access_keys_disabled: bool | None = None
    authentication_disabled: bool | None = None  # redisConfiguration.authnotrequired
    entra_enabled: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    replicas: int | None = None
    shards: int | None = None
    subnet_id: str | None = None
    identity_type: str | None = None
    user_assigned_ids: tuple[str, ...] = ()
    principal_id: str | None = None  # object id of the system-assigned identity
    user_assigned_principals: Mapping[str, str] = field(default_factory=dict)  # object ids by ARM id, as answered
    private_endpoints: tuple[PrivateEndpoint, ...] = ()
    linked_servers: tuple[str, ...] = ()  # ARM ids of the geo-replication links
    persistence: PersistenceFacts = field(default_factory=PersistenceFacts)
    memory_reserved_mb: int | None = None  # redisConfiguration.maxmemory-reserved
    eviction_policy: str | None = None  # redisConfiguration.maxmemory-policy
    update_channel: str | None = None  # Stable, Preview

    @property
    def has_approved_private_endpoint(self) -> bool:
        """Whether at least one private endpoint connection is approved."""
        return any(endpoint.status.lower() == "approved" for endpoint in self.private_endpoints)


@dataclass(frozen=True, slots=True)
class CacheAbsent:
    """Azure answered 404 to a direct read. `confirmed`: twice, the wanted time apart."""

    confirmed: bool
    message: str
    group_missing: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Somebody's write to the cache, as the Activity Log tells it. `application`: the client id, of an application."""

    caller: str
    at: datetime
    application: str | None = None


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """The last long-running operation this process started on the cache; none survives a restart."""

    status: str  # InProgress | Succeeded | Failed | Canceled
    code: str | None = None
    message: str | None = None
