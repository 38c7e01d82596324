"""The common part of a cache of any service, as Azure answered."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Final

from secure_redis.api.azure_ids import CacheID, Service
from secure_redis.domain.observe.normalise import is_busy, same_word, zones

# Since then, tenants that never had a cache cannot create one of a retiring kind
# (docs/internals/azure-facts.md#retirement-dates).
CLOSED_TO_NEW_TENANTS: Final = date(2026, 4, 1)
# The lowest version of TLS that counts as safe.
LOWEST_TLS: Final = (1, 2)
FEWEST_ZONES: Final = 2  # of a cache that survives the failure of one


class PublicAddress(StrEnum):
    """Whether the cache answers on its public address. NONE: it is inside a virtual network, so it has none."""

    OPEN = "Open"
    CLOSED = "Closed"
    NONE = "None"
    NOT_REPORTED = "NotReported"


@dataclass(frozen=True, slots=True)
class PrivateEndpoint:
    """A private endpoint connection: `status` is Approved, Pending, Rejected or Disconnected."""

    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Retirement:
    """The retirement of a product by Microsoft. `on`: the last day; remaining caches are disabled after it.

    `creators`: who can still create a cache of it.
    """

    product: str
    on: date
    creators: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache(ABC):
    """A cache of any service. None: Azure did not report the value, which is never the same as safe.

    `key_url`: of the customer-managed key that encrypts the cache's own disks; None: Microsoft manages the key, or the
    cache has no disks of its own. `key_identity`: the ARM id of the user-assigned identity that reads that key.
    """

    # True of every cache of a service, whether or not this one could be read.
    NOUN: ClassVar[str]  # what messages call it
    READ: ClassVar[str]  # the permission to read one
    LIST_KEYS: ClassVar[str]  # the permission to list its access keys
    OWN_DISKS: ClassVar[bool]  # whether it persists to disks of its own, and not to a storage account
    GOVERNANCE: ClassVar[frozenset[str]]  # the fields of an observation that only some services have
    SETTINGS: ClassVar[tuple[str, ...]]  # the resources with its settings, as paths below its id
    LOGS: ClassVar[str]  # the one whose logs show its clients
    PUBLIC_ACCESS_UNSET: ClassVar[str]  # why Azure leaves out whether public access is on
    ONE_PORT: ClassVar[bool]  # whether a cache has one port, which speaks TLS or not
    KEY_SWITCH_CUTS: ClassVar[bool]  # whether switching access keys on cuts every connection
    KEYS_DISABLED: ClassVar[str]  # how to have access keys again, where they are off
    PRIVATE_LINK: ClassVar[str]  # how clients reach a cache of the service privately

    resource_id: CacheID
    location: str
    sku_name: str
    provisioning_state: str
    host_name: str | None = None
    minimum_tls_version: str | None = None
    public_network_access: str | None = None
    subnet_id: str | None = None  # of the virtual network that the cache is injected into
    private_endpoints: tuple[PrivateEndpoint, ...] = ()
    authentication_disabled: bool | None = None  # whether the cache requires no password at all
    entra_enabled: bool | None = None
    identity_type: str | None = None
    zones: tuple[str, ...] = ()
    redundancy: str | None = None  # None, LR (local), ZR (zones)
    key_url: str | None = None
    key_identity: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    api_version: str | None = None  # the newest that its region serves; None: the operator uses one for all regions

    @property
    def service(self) -> Service:
        """The service that the cache is of."""
        return self.resource_id.service

    @property
    @abstractmethod
    def sku(self) -> str:
        """Tier and size as one text."""

    @property
    @abstractmethod
    def states(self) -> tuple[str, ...]:
        """The provisioning states of all parts that must serve, the cache's own first."""

    @property
    def busy_state(self) -> str | None:
        """The state that shows that Azure works on a part of the cache; None: it takes writes."""
        return next((state for state in self.states if is_busy(state)), None)

    @property
    def never_served(self) -> bool:
        """Whether a creation by the operator did not get far enough for the cache to have any data."""
        return False

    @property
    @abstractmethod
    def port_unknown(self) -> str | None:
        """The reason why the part that has the port is not known; None: it is known."""

    @property
    @abstractmethod
    def tls_port(self) -> int | None:
        """The port that clients connect to."""

    @property
    @abstractmethod
    def plaintext_port(self) -> int | None:
        """The port that could answer without TLS; a service with one port has only that."""

    @property
    @abstractmethod
    def plaintext_open(self) -> bool | None:
        """Whether clients can connect without TLS."""

    @property
    @abstractmethod
    def access_keys_enabled(self) -> bool | None:
        """Whether clients can connect with an access key."""

    @property
    def keys_are_off(self) -> bool:
        """Whether no access key can work, by what Azure reports; then none is listed."""
        return self.access_keys_enabled is False

    @property
    @abstractmethod
    def can_persist(self) -> bool:
        """Whether the tier can persist data."""

    @property
    @abstractmethod
    def can_span_zones(self) -> bool:
        """Whether the tier can span availability zones."""

    @property
    @abstractmethod
    def persists(self) -> bool | None:
        """Whether data is persisted."""

    @property
    @abstractmethod
    def geo_linked(self) -> tuple[str, ...]:
        """The ARM ids of its geo-replication links."""

    @property
    @abstractmethod
    def redis_version(self) -> str | None:
        """The version of Redis that runs."""

    @property
    @abstractmethod
    def retirement(self) -> Retirement | None:
        """The retirement of caches of this service and tier; None: no date is announced."""

    @property
    def cluster_policy(self) -> str | None:
        """How clients find the node of a key: NoCluster, EnterpriseCluster or OSSCluster. None: not a setting here."""
        return None

    @property
    def server_name(self) -> str | None:
        """The name that certificates of the nodes are for, where the nodes announce themselves by address."""
        return None

    @property
    def has_approved_private_endpoint(self) -> bool:
        """Whether at least one private endpoint connection is approved."""
        return any(same_word(endpoint.status, "Approved") for endpoint in self.private_endpoints)

    @property
    def in_virtual_network(self) -> bool:
        """Whether Azure reports a subnet that the cache is injected into."""
        return self.subnet_id is not None

    @property
    def public_address(self) -> PublicAddress:
        """Whether the public address answers. In a virtual network `publicNetworkAccess` has no effect.

        Source: docs/internals/azure-facts.md#properties-and-defaults.
        """
        if self.in_virtual_network:
            return PublicAddress.NONE
        if self.public_network_access is None:
            return PublicAddress.NOT_REPORTED
        return PublicAddress.CLOSED if same_word(self.public_network_access, "Disabled") else PublicAddress.OPEN

    @property
    def unreachable(self) -> bool:
        """Whether no network path leads to the cache, by what Azure itself reports."""
        return self.public_address is PublicAddress.CLOSED and not self.has_approved_private_endpoint

    @property
    def has_private_address(self) -> bool:
        """Whether clients reach the cache at a private address."""
        return self.in_virtual_network or self.has_approved_private_endpoint

    @property
    def zones_used(self) -> tuple[str, ...] | None:
        """The availability zones that the cache runs in, sorted; empty: none. None: Azure did not report it."""
        return zones(self.zones) or None

    @property
    def spans_zones(self) -> bool | None:
        """Whether the cache survives the failure of one availability zone. None: not known."""
        if same_word(self.redundancy, "ZR"):
            return True
        used = self.zones_used
        if used is None:
            return None if self.redundancy is None else False
        return len(used) >= FEWEST_ZONES


@dataclass(frozen=True, slots=True)
class CacheAbsent:
    """A cache for which Azure answered 404 to a direct read. `confirmed`: twice, the configured time apart."""

    confirmed: bool
    message: str
    group_missing: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """A write to the cache, or to a firewall rule of it, that the Activity Log reports.

    `operation`: its id, which the events of one operation share. `own`: the operator wrote.
    """

    caller: str
    at: datetime
    operation: str | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """The last long-running operation this process started on the cache; none survives a restart."""

    status: str  # InProgress | Succeeded | Failed | Canceled
    code: str | None = None
    message: str | None = None
