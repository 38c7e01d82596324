"""A Microsoft.Cache/redisEnterprise cluster with its default database, as Azure answered.

Source: docs/internals/azure-facts.md#cluster-and-database.
Azure Managed Redis (kind v2) and the retiring Enterprise and Enterprise Flash tiers (kind v1) are one resource type.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar, Final

from secure_redis.api.names import ALLOW_DISRUPTION, CREATION_INCOMPLETE, CREATION_TAG
from secure_redis.domain.observe import governance
from secure_redis.domain.observe.cache import Cache, Retirement
from secure_redis.domain.observe.normalise import is_busy, same_id, same_word, tag
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown

_SKU = re.compile(
    r"(?:Balanced_B|MemoryOptimized_M|ComputeOptimized_X|FlashOptimized_A)([0-9]{1,5})", re.IGNORECASE | re.ASCII
)
_NEVER_LINKED = re.compile(r"(?:Balanced_B[01]$|FlashOptimized_)", re.IGNORECASE)
# Enterprise and Enterprise Flash (docs/internals/azure-facts.md#retirement-dates).
RETIREMENT: Final = Retirement("Azure Cache for Redis Enterprise", date(2027, 3, 31), "no one")


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """A window of every week in which Azure may maintain the cluster, as answered: Monday, 22 (UTC), PT6H."""

    day: str
    start_hour: int
    duration: str


@dataclass(frozen=True, slots=True)
class ManagedDatabase:
    """The database `default`, the only one that a cluster can have. Values are as answered.

    `client_protocol`: Encrypted or Plaintext. `access_keys`: Enabled or Disabled. `defer_upgrade`: Deferred or
    NotDeferred.
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
    modules: tuple[str, ...] = ()  # names
    defer_upgrade: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedRedis(Cache):
    """A cluster. `database`: None where it has none yet, NotRead where only a list of clusters was read.

    `key_identity_type`: Azure's name for the kind of identity that reads the key. `kind`: v1 or v2.
    """

    NOUN: ClassVar[str] = "the cluster"
    READ: ClassVar[str] = "Microsoft.Cache/redisEnterprise/read"
    LIST_KEYS: ClassVar[str] = governance.LIST_MANAGED_KEYS
    OWN_DISKS: ClassVar[bool] = True
    # Its maintenance windows come with the cluster, and what an assignment permits with the assignment.
    GOVERNANCE: ClassVar[frozenset[str]] = frozenset({"access_assignments"})
    SETTINGS: ClassVar[tuple[str, ...]] = ("", "/databases/default")
    LOGS: ClassVar[str] = "/databases/default"
    # Docstring of Microsoft's SDK: null is returned for clusters of an old interface version, which do not have it.
    PUBLIC_ACCESS_UNSET: ClassVar[str] = "a cluster made with an old interface has no such setting"
    ONE_PORT: ClassVar[bool] = True
    KEY_SWITCH_CUTS: ClassVar[bool] = True
    KEYS_DISABLED: ClassVar[str] = (
        "access keys are disabled on the cluster's database (accessKeysAuthentication), so no key works. Enable them "
        "with az redisenterprise database update --access-keys-auth Enabled, or in mode Provision annotate "
        f"{ALLOW_DISRUPTION}: authentication.accessKeys, which cuts every connection once. Or remove "
        "spec.authentication"
    )
    PRIVATE_LINK: ClassVar[str] = (
        "create a private endpoint for it (group redisEnterprise, zone privatelink.redis.azure.net) and approve it"
    )

    database: ManagedDatabase | Unknown | NotRead | None = NOT_READ
    resource_state: str | None = None
    kind: str | None = None
    high_availability: str | None = None
    cluster_redis_version: str | None = None
    key_identity_type: str | None = None
    user_assigned_ids: tuple[str, ...] = ()
    user_assigned_principals: Mapping[str, str] = field(default_factory=dict)  # object ids by ARM id, as answered
    # None: the interface version that was read does not show them, or only a list of clusters was read.
    maintenance_windows: tuple[MaintenanceWindow, ...] | None = None

    def principal_of(self, identity_id: str | None) -> str | None:
        """Return the object id of one of the cluster's user-assigned identities. None: it does not have this one."""
        return next((one for name, one in self.user_assigned_principals.items() if same_id(name, identity_id)), None)

    @property
    def sku(self) -> str:
        """The SKU's name, which contains the size."""
        return self.sku_name

    @property
    def states(self) -> tuple[str, ...]:
        """The provisioning states of the cluster and of its database."""
        found = self.known_database
        return (self.provisioning_state,) if found is None else (self.provisioning_state, found.provisioning_state)

    @property
    def busy_state(self) -> str | None:
        """The state that shows that Azure works on the cluster or its database, or that it does not serve yet.

        An operation can end before the resource state is Running
        (docs/internals/azure-facts.md#states-of-managed-redis).
        """
        working = (state for state in self.serving_states if not _rests(state))
        return next((state for state in self.states if is_busy(state)), None) or next(working, None)

    @property
    def serving_states(self) -> tuple[str, ...]:
        """The resource states of the cluster and of its database, as far as they are known: whether they serve."""
        known = self.known_database
        found = (self.resource_state, None if known is None else known.resource_state)
        return tuple(state for state in found if state is not None)

    @property
    def never_served(self) -> bool:
        """Whether the operator's creation of the cluster did not get as far as its database, so that it has no data."""
        return self.database is None and tag(self.tags, CREATION_TAG) == CREATION_INCOMPLETE

    @property
    def port_unknown(self) -> str | None:
        """The reason why the database, which has the port, is not known."""
        if isinstance(self.database, Unknown):
            return f"the database, and with it the port, could not be read: {self.database.message}"
        return None if isinstance(self.database, ManagedDatabase) else "the cluster has no database"

    @property
    def tls_port(self) -> int | None:
        """The database's one port; None where it is not known."""
        return None if self.known_database is None else self.known_database.port

    @property
    def plaintext_port(self) -> int | None:
        """The same port: it speaks TLS or not."""
        return self.tls_port

    @property
    def cluster_policy(self) -> str | None:
        """How clients find the node of a key."""
        return None if self.known_database is None else self.known_database.clustering_policy

    @property
    def server_name(self) -> str | None:
        """The host, with OSSCluster: its nodes announce themselves by address, and their certificate has the name."""
        host = self.host_name
        return host.lower() if host is not None and same_word(self.cluster_policy, "OSSCluster") else None

    @property
    def plaintext_open(self) -> bool | None:
        """Whether the database speaks without TLS."""
        return _opposite(None if self.known_database is None else self.known_database.client_protocol, "Encrypted")

    @property
    def access_keys_enabled(self) -> bool | None:
        """Whether the database accepts access keys."""
        return _opposite(None if self.known_database is None else self.known_database.access_keys, "Disabled")

    @property
    def keys_are_off(self) -> bool:
        """Whether no access key can work: only Enabled is on. False also while the database is not known."""
        return self.known_database is not None and self.access_keys_enabled is not True

    @property
    def can_persist(self) -> bool:
        """True: every tier persists, to disks of its own."""
        return True

    @property
    def can_span_zones(self) -> bool:
        """True: every tier can span availability zones."""
        return True

    @property
    def spans_zones(self) -> bool | None:
        """Whether Azure reports that the nodes lie in several zones. Azure chooses them: `zones` shows nothing."""
        return None if self.redundancy is None else same_word(self.redundancy, "ZR")

    @property
    def can_replicate(self) -> bool:
        """Whether the tier can be in a geo-replication group (docs/internals/azure-facts.md#cluster-and-database)."""
        return _NEVER_LINKED.match(self.sku_name.strip()) is None

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
        return () if self.known_database is None else self.known_database.geo_linked

    @property
    def redis_version(self) -> str | None:
        """The database's version: recorded answers have it there, the API's examples in both places."""
        known = self.known_database
        return (None if known is None else known.redis_version) or self.cluster_redis_version

    @property
    def retirement(self) -> Retirement | None:
        """The retirement of the tier (Enterprise_E…, EnterpriseFlash_F…); the newer tiers have no date."""
        return RETIREMENT if self.sku_name.lower().startswith("enterprise") else None

    @property
    def known_database(self) -> ManagedDatabase | None:
        """The database, where there is one and it was read."""
        return self.database if isinstance(self.database, ManagedDatabase) else None


def size_gb(sku: str) -> int | None:
    """Return the number in a SKU's name, which is about its memory in GB; None: not a SKU of Azure Managed Redis."""
    found = _SKU.fullmatch(sku.strip())
    return None if found is None else int(found.group(1))


def _rests(state: str) -> bool:
    """Whether a resource state does not pass by itself: Running, Disabled, and those that end with Failed."""
    word = state.strip().lower()
    return word in {"running", "disabled"} or word.endswith("failed")


def _opposite(word: str | None, safe: str) -> bool | None:
    return None if word is None else not same_word(word, safe)
