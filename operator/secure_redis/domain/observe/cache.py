"""The common part of a cache of any service, as Azure answered."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import ClassVar, Final

from secure_redis.api.azure_ids import CacheID, Service
from secure_redis.domain.observe.normalise import same_word

# Since then, tenants that never had a cache cannot create one of a retiring kind
# (docs/internals/azure-facts.md#retirement-dates).
CLOSED_TO_NEW_TENANTS: Final = date(2026, 4, 1)


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
    READ: ClassVar[str]  # the right to read one
    LIST_KEYS: ClassVar[str]  # the right to list its access keys
    OWN_DISKS: ClassVar[bool]  # whether it persists to disks of its own, and not to a storage account
    GOVERNANCE: ClassVar[frozenset[str]]  # the fields of an observation that only some services have
    PUBLIC_ACCESS_UNSET: ClassVar[str]  # why Azure leaves out whether public access is on

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
    def has_approved_private_endpoint(self) -> bool:
        """Whether at least one private endpoint connection is approved."""
        return any(same_word(endpoint.status, "Approved") for endpoint in self.private_endpoints)

    @property
    def public_access_off(self) -> bool:
        """Whether Azure reports that the public address does not answer."""
        return same_word(self.public_network_access, "Disabled")

    @property
    def unreachable(self) -> bool:
        """Whether no network path leads to the cache, by what Azure itself reports."""
        return self.public_access_off and not self.has_approved_private_endpoint and self.subnet_id is None


@dataclass(frozen=True, slots=True)
class CacheAbsent:
    """A cache for which Azure answered 404 to a direct read. `confirmed`: twice, the configured time apart."""

    confirmed: bool
    message: str
    group_missing: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """A write to the cache that the Activity Log reports. `application`: the client id, if an application wrote."""

    caller: str
    at: datetime
    application: str | None = None


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """The last long-running operation this process started on the cache; none survives a restart."""

    status: str  # InProgress | Succeeded | Failed | Canceled
    code: str | None = None
    message: str | None = None
