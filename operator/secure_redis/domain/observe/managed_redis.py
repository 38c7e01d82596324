"""A Microsoft.Cache/redisEnterprise cluster with its default database, as Azure answered.

Source: docs/internals/azure-facts.md#cluster-and-database.
Azure Managed Redis (kind v2) and the retiring Enterprise and Enterprise Flash tiers (kind v1) are one resource type.
"""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

from secure_redis.domain.observe import governance
from secure_redis.domain.observe.cache import Cache, Retirement
from secure_redis.domain.observe.normalise import same_word
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown

# Enterprise and Enterprise Flash (docs/internals/azure-facts.md#retirement-dates).
RETIREMENT: Final = Retirement("Azure Cache for Redis Enterprise", date(2027, 3, 31), "no one")


@dataclass(frozen=True, slots=True)
class ManagedDatabase:
    """The database `default`, the only one that a cluster can have. Values are as answered.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedRedis(Cache):
    """A cluster. `database`: None where it has none yet, NotRead where only a list of clusters was read.

    `key_identity_type`: Azure's name for the kind of identity that reads the key. `kind`: v1 or v2.
    """

    NOUN: ClassVar[str] = "the cluster"
    READ: ClassVar[str] = "Microsoft.Cache/redisEnterprise/read"
    LIST_KEYS: ClassVar[str] = governance.LIST_MANAGED_KEYS
    OWN_DISKS: ClassVar[bool] = True
    GOVERNANCE: ClassVar[frozenset[str]] = frozenset()  # neither a schedule nor access policies
    # Docstring of Microsoft's SDK: null is returned for clusters of an old interface version, which do not have it.
    PUBLIC_ACCESS_UNSET: ClassVar[str] = "a cluster made with an old interface has no such setting"

    database: ManagedDatabase | Unknown | NotRead | None = NOT_READ
    resource_state: str | None = None
    kind: str | None = None
    high_availability: str | None = None
    cluster_redis_version: str | None = None
    key_identity_type: str | None = None

    @property
    def sku(self) -> str:
        """The SKU's name, which contains the size."""
        return self.sku_name

    @property
    def states(self) -> tuple[str, ...]:
        """The provisioning states of the cluster and of its database."""
        found = self._known
        return (self.provisioning_state,) if found is None else (self.provisioning_state, found.provisioning_state)

    @property
    def port_unknown(self) -> str | None:
        """The reason why the database, which has the port, is not known."""
        if isinstance(self.database, Unknown):
            return f"the database, and with it the port, could not be read: {self.database.message}"
        return None if isinstance(self.database, ManagedDatabase) else "the cluster has no database"

    @property
    def tls_port(self) -> int | None:
        """The database's one port; None where it is not known."""
        return None if self._known is None else self._known.port

    @property
    def plaintext_port(self) -> int | None:
        """The same port: it speaks TLS or not."""
        return self.tls_port

    @property
    def plaintext_open(self) -> bool | None:
        """Whether the database speaks without TLS."""
        return _opposite(None if self._known is None else self._known.client_protocol, "Encrypted")

    @property
    def access_keys_enabled(self) -> bool | None:
        """Whether the database accepts access keys."""
        return _opposite(None if self._known is None else self._known.access_keys, "Disabled")

    @property
    def can_persist(self) -> bool:
        """True: every tier persists, to disks of its own."""
        return True

    @property
    def can_span_zones(self) -> bool:
        """True: every tier can span availability zones."""
        return True

    @property
    def persists(self) -> bool | None:
        """Whether anything is written to the cluster's disks. None: not known.

        The answer has no `persistence` at all where it was never set (recorded traffic).
        """
        if isinstance(self.database, Unknown | NotRead):
            return None
        return self.database is not None and bool(self.database.rdb_enabled or self.database.aof_enabled)

    @property
    def geo_linked(self) -> tuple[str, ...]:
        """The other databases of an active geo-replication group."""
        return () if self._known is None else self._known.geo_linked

    @property
    def redis_version(self) -> str | None:
        """The database's version: recorded answers have it there, the API's examples in both places."""
        return (None if self._known is None else self._known.redis_version) or self.cluster_redis_version

    @property
    def retirement(self) -> Retirement | None:
        """The retirement of the tier (Enterprise_E…, EnterpriseFlash_F…); the newer tiers have no date."""
        return RETIREMENT if self.sku_name.lower().startswith("enterprise") else None

    @property
    def _known(self) -> ManagedDatabase | None:
        return self.database if isinstance(self.database, ManagedDatabase) else None


def _opposite(word: str | None, safe: str) -> bool | None:
    return None if word is None else not same_word(word, safe)
