"""`SecureRedisCache` as the rest of the code sees it: frozen, typed, parsed once."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from secure_redis.api import names
from secure_redis.api.persistence import Persistence
from secure_redis.api.reasons import Reason
from secure_redis.api.resource_id import CacheID, InvalidResourceID
from secure_redis.api.status import Status

REFRESH_LIMIT = 1024  # characters, as the schema bounds status.lastHandled


class Key(NamedTuple):
    """A resource's namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Mode(StrEnum):
    """Whether Azure is only looked at, or also changed."""

    VALIDATE = "Validate"
    PROVISION = "Provision"


class Profile(StrEnum):
    """How severe the rules are."""

    BASELINE = "Baseline"
    STRICT = "Strict"


class DeletionPolicy(StrEnum):
    """What becomes of a thing when the resource goes."""

    RETAIN = "Retain"
    DELETE = "Delete"


class Access(StrEnum):
    """`READ`: somebody else stores the key. `READ_WRITE`: the operator stores it."""

    READ = "Read"
    READ_WRITE = "ReadWrite"


class Probe(StrEnum):
    """Whether the endpoint is connected to, to see what it really speaks."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class DriftClass(StrEnum):
    """What a difference endangers."""

    SECURITY = "Security"
    AVAILABILITY = "Availability"
    COSMETIC = "Cosmetic"


class WorkloadKind(StrEnum):
    """What can be injected into."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    CRON_JOB = "CronJob"


class OtherConsumers(StrEnum):
    """Whether anybody but this namespace's pods can hold a key of the cache: VMs, functions, other clusters."""

    POSSIBLE = "Possible"
    NONE = "None"


class Restart(StrEnum):
    """How a new key reaches running pods. `NONE` with `reloads_files`: they re-read the mounted files themselves."""

    ROLLING = "Rolling"
    ON_DELETE = "OnDelete"
    NONE = "None"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore", alias_generator=to_camel)


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

    minimum_tls_version: str = Field(default="1.2", alias="minimumTLSVersion")
    probe: Probe = Probe.ENABLED


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

    uri: str
    secret_name: str
    version: str | None = None
    access: Access = Access.READ


class Window(_Part):
    """When a scheduled rotation may begin. `schedule`: cron, five fields, in `time_zone` (IANA)."""

    schedule: str
    duration_minutes: int
    time_zone: str = "UTC"


class Rotation(_Part):
    """When keys are regenerated, what must be over before one is, and how a new one is rolled out."""

    interval_days: int | None = None
    windows: tuple[Window, ...] = ()
    other_consumers: OtherConsumers = OtherConsumers.POSSIBLE
    minimum_overlap_hours: int = 48
    max_concurrent_workloads: int = 1
    deadline_minutes: int = 30


class Authentication(_Part):
    """How applications authenticate."""

    type: str = "AccessKey"
    key_vault: KeyVault
    rotation: Rotation = Rotation()


class Connection(_Part):
    """The published Secret."""

    secret_name: str | None = None
    database: int = 0
    keys: Mapping[str, str] = Field(default_factory=dict)
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN


class EnvVar(_Part):
    """An environment variable that takes its value from one key of the Secret."""

    name: str
    key: str


class Requirement(_Part):
    """One expression of a label selector. `operator`: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(_Part):
    """Labels that a workload must have, besides the consenting one."""

    match_labels: Mapping[str, str] = Field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()


class Workload(_Part):
    """One entry: whom the Secret is injected into, and in which form.

    `containers` empty: all. Neither `env` nor `mount_path`: the Service Binding form.
    """

    id: str
    kind: WorkloadKind
    name: str | None = None
    selector: LabelSelector | None = None
    containers: tuple[str, ...] = ()
    init_containers: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    mount_path: str | None = None
    restart: Restart = Restart.ROLLING
    reloads_files: bool = False

    @property
    def mounts(self) -> bool:
        """Whether a volume is wanted."""
        return self.mount_path is not None or not self.env


class DriftSettings(_Part):
    """Which classes of drift are corrected, how often is looked, and which fields are left out (paths, or above)."""

    correct: tuple[DriftClass, ...] = ()
    interval_seconds: int = 300
    ignore: tuple[str, ...] = ()


class Waiver(_Part):
    """A rule whose finding is accepted by `owner` for `reason` until the day `expires` begins (UTC)."""

    rule: str
    reason: str
    owner: str
    expires: date


class IdentitySettings(_Part):
    """Whose Azure identity is used."""

    service_account_name: str | None = None


class Spec(_Part):
    """The whole spec."""

    resource_id: str = Field(alias="resourceID")
    mode: Mode = Mode.VALIDATE
    profile: Profile = Profile.BASELINE
    identity: IdentitySettings = IdentitySettings()
    provision: Provision | None = None
    transport: Transport = Transport()
    network: Network = Network()
    persistence: Persistence | None = None
    authentication: Authentication | None = None
    connection: Connection = Connection()
    workloads: tuple[Workload, ...] = ()
    drift: DriftSettings = DriftSettings()
    waivers: tuple[Waiver, ...] = ()
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every object of our kind has, whether or not its spec can be read."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    finalizers: tuple[str, ...]
    requests: Mapping[str, str]  # our own annotations only
    status: Status

    @property
    def paused(self) -> bool:
        """Whether all writes are stopped by annotation."""
        return self.requests.get(names.PAUSED, "").lower() == "true"

    @property
    def refresh(self) -> str | None:
        """The value of the refresh request, as far as the status can hold it."""
        value = self.requests.get(names.REFRESH)
        return None if value is None else value[:REFRESH_LIMIT]

    @property
    def refresh_asked(self) -> bool:
        """Whether a look past all caches is asked for. A value present at the first look counts as handled."""
        handled = self.status.last_handled
        return self.refresh is not None and handled is not None and self.refresh != handled.refresh

    @property
    def rotate(self) -> str | None:
        """The value of the rotation request, as far as the status can hold it."""
        value = self.requests.get(names.ROTATE)
        return None if value is None else value[:REFRESH_LIMIT]

    @property
    def rotation_asked(self) -> str | None:
        """The rotation that is asked for and not answered. A value present at the first look counts as answered."""
        handled = self.status.last_handled
        return self.rotate if self.rotate and handled is not None and self.rotate != handled.rotate else None

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer is on the object."""
        return names.FINALIZER in self.finalizers


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureRedisCache(Envelope):
    """One resource as the API server stored it, parsed."""

    spec: Spec
    cache: CacheID

    @property
    def secret_name(self) -> str:
        """The name of the Secret that is published."""
        return self.spec.connection.secret_name or self.key.name


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A resource whose spec says something the operator must not act on; reason and text go to the status."""

    envelope: Envelope
    reason: Reason
    message: str


def key_of(body: Mapping[str, Any]) -> Key:
    """Namespace and name of an object as the API server delivers it."""
    meta = body["metadata"]
    return Key(meta["namespace"], meta["name"])


def parse(body: Mapping[str, Any]) -> SecureRedisCache | Unreadable:
    """Parse an object as the API server delivers it.

    `Unreadable`: the schema was bypassed, or an older CRD let something through.
    """
    envelope = _envelope(body)
    try:
        spec = Spec.model_validate(body.get("spec") or {})
        cache = CacheID.parse(spec.resource_id)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return Unreadable(envelope, Reason.INVALID_SPEC, f"spec.{where}: {first['msg']}")
    except InvalidResourceID as error:
        return Unreadable(envelope, Reason.INVALID_RESOURCE_ID, f"spec.resourceID: {error}")
    known = {field.name: getattr(envelope, field.name) for field in fields(envelope)}
    return SecureRedisCache(**known, spec=spec, cache=cache)


def _envelope(body: Mapping[str, Any]) -> Envelope:
    meta = body["metadata"]
    annotations = meta.get("annotations") or {}
    try:
        status = Status.model_validate(body.get("status") or {})
    except ValidationError:  # written by another version: it is written anew as a whole
        status = Status()
    return Envelope(
        key=key_of(body),
        uid=meta["uid"],
        generation=int(meta.get("generation") or 0),
        resource_version=meta["resourceVersion"],
        deleting="deletionTimestamp" in meta,
        finalizers=tuple(meta.get("finalizers") or ()),
        requests={name: annotations[name] for name in names.REQUESTS if name in annotations},
        status=status,
    )
