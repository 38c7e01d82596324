"""A Microsoft.Cache/redis cache as Azure answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, Final

from secure_redis.domain.observe import governance
from secure_redis.domain.observe.cache import Cache, Retirement
from secure_redis.domain.observe.normalise import identity_kinds, same_word, zones
from secure_redis.domain.observe.tier import PREMIUM, Isolation, Size

# Basic, Standard and Premium (docs/internals/azure-facts.md#retirement-dates).
RETIREMENT: Final = Retirement("Azure Cache for Redis", date(2028, 9, 30), "no tenant without one")


@dataclass(frozen=True, slots=True)
class PersistenceFacts:
    """The persistence settings in redisConfiguration. Azure omits what was never set.

    Sources: docs/internals/azure-facts.md#properties-and-defaults and
    docs/internals/azure-facts.md#how-answers-differ-from-requests.

    `rdb`, `aof`: None where the key is absent, which is off. `authentication`: `SAS` (also where absent) or
    `ManagedIdentity`.
    `account`: the storage account's name from the masked connection string or the blob URL, never the string itself.
    `subscription`: of the account, where it is not the cache's own. `endpoint`: the host of its blobs, where reported.
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

    @property
    def by_identity(self) -> bool:
        """Whether the cache writes as a managed identity.

        Absent is a connection string (docs/internals/azure-facts.md#properties-and-defaults).
        """
        return same_word(self.authentication, "ManagedIdentity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis(Cache):
    """A cache with its redisConfiguration. None: Azure did not report the value, which is never the same as safe."""

    NOUN: ClassVar[str] = "the cache"
    READ: ClassVar[str] = "Microsoft.Cache/redis/read"
    LIST_KEYS: ClassVar[str] = governance.LIST_KEYS
    OWN_DISKS: ClassVar[bool] = False
    GOVERNANCE: ClassVar[frozenset[str]] = frozenset({"patch_schedule", "access_assignments", "access_policies"})
    SETTINGS: ClassVar[tuple[str, ...]] = ("",)
    LOGS: ClassVar[str] = ""
    PUBLIC_ACCESS_UNSET: ClassVar[str] = "Azure's default is Enabled"
    ONE_PORT: ClassVar[bool] = False
    KEY_SWITCH_CUTS: ClassVar[bool] = False
    KEYS_DISABLED: ClassVar[str] = (
        "access keys are disabled on the cache (disableAccessKeyAuthentication), so no key works; enable them or "
        "remove spec.authentication"
    )
    PRIVATE_LINK: ClassVar[str] = "create a private endpoint for it and approve it"

    sku_family: str
    sku_capacity: int
    tls_port: int | None = None
    plaintext_port: int | None = None
    plaintext_open: bool | None = None  # enableNonSslPort
    access_keys_enabled: bool | None = None
    redis_version: str | None = None
    replicas: int | None = None
    shards: int | None = None
    user_assigned_ids: tuple[str, ...] = ()
    principal_id: str | None = None  # object id of the system-assigned identity
    user_assigned_principals: Mapping[str, str] = field(default_factory=dict)  # object ids by ARM id, as answered
    geo_linked: tuple[str, ...] = ()
    persistence: PersistenceFacts = field(default_factory=PersistenceFacts)
    memory_reserved_mb: int | None = None  # redisConfiguration.maxmemory-reserved
    eviction_policy: str | None = None  # redisConfiguration.maxmemory-policy
    update_channel: str | None = None  # Stable, Preview
    zonal_allocation: str | None = None  # zonalAllocationPolicy: Automatic, UserDefined, NoZones
    instance_zones: tuple[str | None, ...] = ()  # of each node; None: its zone is not reported

    @property
    def sku(self) -> str:
        """Tier and size, such as `Premium P1`."""
        return f"{self.sku_name} {self.sku_family}{self.sku_capacity}"

    @property
    def size(self) -> Size:
        """Tier and size as facts are known of them."""
        return Size(self.sku_name, self.sku_capacity)

    @property
    def isolation(self) -> Isolation:
        """Whether the cache runs on machines of its own."""
        return self.size.isolation

    @property
    def premium(self) -> bool:
        """Whether the tier is Premium, which alone persists, spans zones and replicates to another region."""
        return same_word(self.sku_name, PREMIUM)

    @property
    def identity_kinds(self) -> frozenset[str]:
        """The kinds of managed identity that the cache has, in lower case; empty: none."""
        return identity_kinds(self.identity_type)

    @property
    def zones_used(self) -> tuple[str, ...] | None:
        """The zones that were declared for the cache, else those that its nodes report. None: not known.

        Without `zones` the service may have chosen them (docs/internals/azure-facts.md#tiers).
        """
        if self.zones:
            return zones(self.zones)
        if same_word(self.zonal_allocation, "NoZones"):
            return ()
        found = [zone for zone in self.instance_zones if zone]
        return zones(found) if found and len(found) == len(self.instance_zones) else None

    @property
    def states(self) -> tuple[str, ...]:
        """The provisioning state: a cache has no other part."""
        return (self.provisioning_state,)

    @property
    def port_unknown(self) -> str | None:
        """None: the ports are part of the answer."""
        return None

    @property
    def can_persist(self) -> bool:
        """Whether the tier can persist data."""
        return self.premium

    @property
    def can_span_zones(self) -> bool:
        """Whether the tier can span availability zones."""
        return self.premium

    @property
    def persists(self) -> bool:
        """Whether the cache writes its data to a storage account."""
        return self.persistence.on

    @property
    def retirement(self) -> Retirement:
        """The retirement of the service, whatever the tier."""
        return RETIREMENT
