"""`spec` as it was declared: frozen, typed, every default the safe one. `spec.persistence` is next door."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from secure_redis.api.spec.persistence import Persistence


class Mode(StrEnum):
    """Whether Azure is only read, or also changed."""

    VALIDATE = "Validate"
    PROVISION = "Provision"


class Profile(StrEnum):
    """How severe the rules are."""

    BASELINE = "Baseline"
    STRICT = "Strict"


class DeletionPolicy(StrEnum):
    """Whether the operator keeps or deletes a thing when the resource goes."""

    RETAIN = "Retain"
    DELETE = "Delete"


class Access(StrEnum):
    """`READ`: another party stores the key. `READ_WRITE`: the operator stores it."""

    READ = "Read"
    READ_WRITE = "ReadWrite"


class Format(StrEnum):
    """A group of entries of the published Secret, named for the clients that load it."""

    STANDARD = "Standard"
    SPRING = "Spring"
    CELERY = "Celery"
    STACK_EXCHANGE = "StackExchange"
    BULL = "Bull"
    ADDRESS = "Address"


class Probe(StrEnum):
    """Whether the endpoint is probed, to find out which protocols it really speaks."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class DriftClass(StrEnum):
    """The aspect that a difference endangers."""

    SECURITY = "Security"
    AVAILABILITY = "Availability"
    COSMETIC = "Cosmetic"


class WorkloadKind(StrEnum):
    """The kinds of workload that can be injected into."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    CRON_JOB = "CronJob"


class OtherConsumers(StrEnum):
    """Whether consumers other than this namespace's pods can hold a key: VMs, functions, other clusters."""

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


class MaintenanceWindow(_Part):
    """A window of every week in which Azure may maintain the cache. `start_hour`: UTC."""

    day: str
    start_hour: int = Field(alias="startHourUTC")
    duration_hours: int


class RedisProvision(_Part):
    """Fields of `Microsoft.Cache/redis` only. None and empty: the service's default, and not compared.

    `memory_reserved_mb`: of each shard.
    """

    sku: Sku
    redis_version: str | None = None
    zones: tuple[str, ...] = ()
    replicas: int | None = None
    shards: int | None = None
    eviction_policy: str | None = None
    memory_reserved_mb: int | None = Field(default=None, alias="memoryReservedMB")
    update_channel: str | None = None
    maintenance_windows: tuple[MaintenanceWindow, ...] = ()


class ManagedRedisProvision(_Part):
    """Fields of `Microsoft.Cache/redisEnterprise` only. None and empty: the service's default, and not compared."""

    sku: str
    clustering_policy: str
    high_availability: str = "Enabled"
    eviction_policy: str | None = None
    modules: tuple[str, ...] = ()
    maintenance_windows: tuple[MaintenanceWindow, ...] = ()


class CacheIdentity(_Part):
    """The cache's own managed identity. `type`: None, SystemAssigned, UserAssigned, or both with a comma."""

    type: str = "None"
    user_assigned_ids: tuple[str, ...] = Field(default=(), alias="userAssignedIDs")


class Provision(_Part):
    """The settings that are not security settings."""

    location: str
    tags: Mapping[str, str] = Field(default_factory=dict)
    identity: CacheIdentity | None = None  # None: not compared
    redis: RedisProvision | None = None
    managed_redis: ManagedRedisProvision | None = None


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
    """Who may reach the cache. `firewall_rules` empty: judged, not compared."""

    public_access: str = "Disabled"
    firewall_rules: tuple[FirewallRule, ...] = ()


class KeyVault(_Part):
    """Where the access key lies. `uri` without a trailing slash."""

    uri: str
    secret_name: str
    version: str | None = None
    access: Access = Access.READ


class Window(_Part):
    """When a change may begin. `schedule`: cron, five fields, in `time_zone` (IANA)."""

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

    key_vault: KeyVault
    rotation: Rotation = Rotation()


# An empty list is the same as an absent one, as everywhere in the spec.
_Formats = Annotated[tuple[Format, ...], AfterValidator(lambda chosen: chosen or (Format.STANDARD,))]


class Publish(StrEnum):
    """When a new Secret is published. `WhenCompliant`: not while a finding of severity High or above is open."""

    ALWAYS = "Always"
    WHEN_COMPLIANT = "WhenCompliant"


class Connection(_Part):
    """The published Secret. `keys`: names of standard entries by further name; `template`: texts by name."""

    secret_name: str | None = None
    database: int = 0
    formats: _Formats = (Format.STANDARD,)
    keys: Mapping[str, str] = Field(default_factory=dict)
    template: Mapping[str, str] = Field(default_factory=dict)
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    publish: Publish = Publish.ALWAYS
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
        """Whether a volume is declared."""
        return self.mount_path is not None or not self.env


class DriftSettings(_Part):
    """Which classes of drift are corrected and when, how often a pass runs, and which fields are left out.

    `windows` empty: at any time. `ignore`: paths, or parts of the spec above them.
    """

    correct: tuple[DriftClass, ...] = ()
    windows: tuple[Window, ...] = ()
    interval_seconds: int = 300
    ignore: tuple[str, ...] = ()


class Waiver(_Part):
    """A rule whose finding is accepted by `owner` for `reason` until the day `expires` begins (UTC)."""

    rule: str
    reason: str
    owner: str
    expires: date


class IdentitySettings(_Part):
    """The choice of the Azure identity."""

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
