"""`SecureRedisCache` as the rest of the code sees it: frozen, typed, parsed once."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from secure_redis.api import names
from secure_redis.api.reasons import Reason
from secure_redis.api.resource_id import CacheID, InvalidResourceID
from secure_redis.api.status import Status


class Key(NamedTuple):
    """A resource's namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class InvalidSpec(ValueError):
    """The spec says something the operator must not act on; `reason` and text go to the status."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Mode(StrEnum):
    """Whether Azure is only looked at, or also changed."""

    VALIDATE = "Validate"
    PROVISION = "Provision"


class DeletionPolicy(StrEnum):
    """What becomes of a thing when the resource goes."""

    RETAIN = "Retain"
    DELETE = "Delete"


class Access(StrEnum):
    """`READ`: somebody else stores the key. `READ_WRITE`: the operator stores it."""

    READ = "Read"
    READ_WRITE = "ReadWrite"


class DriftClass(StrEnum):
    """What a difference endangers."""

    SECURITY = "Security"
    AVAILABILITY = "Availability"
    COSMETIC = "Cosmetic"


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        populate_by_name=True,
        extra="ignore",
        alias_generator=lambda field: to_camel(field).replace("Tls", "TLS").replace("Ip", "IP").replace("Uri", "URI"),
    )


class Sku(_Part):
    """SKU as declared: the family follows from the name (C for Basic and Standard, P for Premium)."""

    name: str
    capacity: int

    @property
    def family(self) -> str:
        """`P` for Premium, else `C`."""
        return "P" if self.name == "Premium" else "C"


class RedisProvision(_Part):
    """What only `Microsoft.Cache/redis` has at creation."""

    sku: Sku
    redis_version: str | None = None
    zones: tuple[str, ...] = ()
    replicas: int | None = None
    shards: int | None = None


class CacheIdentity(_Part):
    """The cache's own managed identity."""

    type: str = "None"
    user_assigned_ids: tuple[str, ...] = Field(default=(), alias="userAssignedIDs")


class Provision(_Part):
    """What is not a security setting."""

    location: str
    tags: Mapping[str, str] = Field(default_factory=dict)
    identity: CacheIdentity = CacheIdentity()
    redis: RedisProvision | None = None


class Transport(_Part):
    """TLS: there is no field for a plaintext port."""

    minimum_tls_version: str = "1.2"


class FirewallRule(_Part):
    """An IPv4 range that may connect while public access is on."""

    name: str
    start_ip: str = Field(alias="startIP")
    end_ip: str = Field(alias="endIP")


class Network(_Part):
    """Who may reach the cache. `firewall_rules=None`: judged, not compared."""

    public_access: str = "Disabled"
    firewall_rules: tuple[FirewallRule, ...] | None = None


class KeyVault(_Part):
    """Where the access key lies. `uri` without a trailing slash."""

    uri: str = Field(alias="uri")
    secret_name: str
    version: str | None = None
    access: Access = Access.READ


class Authentication(_Part):
    """How applications authenticate."""

    type: str = "AccessKey"
    key_vault: KeyVault


class Connection(_Part):
    """The published Secret."""

    secret_name: str | None = None
    database: int = 0
    keys: Mapping[str, str] = Field(default_factory=dict)
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN


class DriftSettings(_Part):
    """Which classes of drift are corrected, and how often is looked."""

    correct: tuple[DriftClass, ...] = ()
    interval_seconds: int = 300


class IdentitySettings(_Part):
    """Whose Azure identity is used."""

    service_account_name: str | None = None


class Spec(_Part):
    """The whole spec."""

    resource_id: str = Field(alias="resourceID")
    mode: Mode = Mode.VALIDATE
    identity: IdentitySettings = IdentitySettings()
    provision: Provision | None = None
    transport: Transport = Transport()
    network: Network = Network()
    authentication: Authentication | None = None
    connection: Connection = Connection()
    drift: DriftSettings = DriftSettings()
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN


@dataclass(frozen=True, slots=True)
class SecureRedisCache:
    """One resource as the API server stored it, parsed. `requests` holds our own annotations only."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    finalizers: tuple[str, ...]
    requests: Mapping[str, str]
    spec: Spec
    cache: CacheID
    status: Status

    @property
    def secret_name(self) -> str:
        """The name of the Secret that is published."""
        return self.spec.connection.secret_name or self.key.name

    @property
    def paused(self) -> bool:
        """Whether all writes are stopped by annotation."""
        return self.requests.get(names.PAUSED, "").lower() == "true"

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer is on the object."""
        return names.FINALIZER in self.finalizers


def key_of(body: Mapping[str, Any]) -> Key:
    """Namespace and name of an object as the API server delivers it."""
    meta = body["metadata"]
    return Key(meta["namespace"], meta["name"])


def parse(body: Mapping[str, Any]) -> SecureRedisCache:
    """Parse an object as the API server delivers it.

    Raises:
        InvalidSpec: the schema was bypassed or an older CRD let something through.

    """
    meta = body["metadata"]
    try:
        spec = Spec.model_validate(body.get("spec") or {})
        status = Status.model_validate(body.get("status") or {})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidSpec(Reason.INVALID_SPEC, f"spec.{where}: {first['msg']}") from None
    try:
        cache = CacheID.parse(spec.resource_id)
    except InvalidResourceID as error:
        raise InvalidSpec(Reason.INVALID_RESOURCE_ID, f"spec.resourceID: {error}") from None
    annotations = meta.get("annotations") or {}
    return SecureRedisCache(
        key=key_of(body),
        uid=meta["uid"],
        generation=int(meta.get("generation") or 0),
        resource_version=meta["resourceVersion"],
        deleting="deletionTimestamp" in meta,
        finalizers=tuple(meta.get("finalizers") or ()),
        requests={name: annotations[name] for name in names.REQUESTS if name in annotations},
        spec=spec,
        cache=cache,
        status=status,
    )
