"""The facts about workloads, their pods and their disruption budgets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from secure_redis.domain.observe.usage import ClearText, ConfigUse


@dataclass(frozen=True, slots=True)
class EnvFacts:
    """One env entry. `secret`, `key`: of a secretKeyRef, else None. `value`: of SERVICE_BINDING_ROOT only.

    `clear`: the connections without TLS that a literal value describes.
    """

    name: str
    secret: str | None = None
    key: str | None = None
    value: str | None = None
    clear: ClearText | None = None


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """One container of the pod template. `mounts`: pairs of volume and path. `config`: in the order of precedence."""

    name: str
    init: bool = False
    env: tuple[EnvFacts, ...] = ()
    mounts: tuple[tuple[str, str], ...] = ()
    config: tuple[ConfigUse, ...] = ()


@dataclass(frozen=True, slots=True)
class Owned:
    """The fields that a resource owns: all managedFields entries (Apply and Update) of its field manager.

    `annotations`: of the pod template. `env`: names by container whose `f:secretKeyRef` it owns. `mounts`: paths by
    container whose `f:name` it owns. `volumes`: whose `f:secret` it owns. `roots`: containers whose
    SERVICE_BINDING_ROOT was set (`f:value`) by the field manager of *any* SecureRedisCache: they share it.
    `applied`: the latest time of its entries, which Kubernetes renews when a value in one changes.
    Init containers are under the same maps: names are unique among all containers of a pod.
    """

    annotations: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()
    env: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mounts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    roots: frozenset[str] = frozenset()
    applied: datetime | None = None

    @property
    def anything(self) -> bool:
        """Whether the resource owns anything in the workload."""
        return bool(self.annotations or self.volumes or any(self.env.values()) or any(self.mounts.values()))


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """A Deployment, StatefulSet, DaemonSet or CronJob (of which the template is that of its jobs).

    `volumes`: pairs of name and Secret (None: another source). `rolled`: the controller observed this generation, and
    all replicas are updated and available, none of the old ones counted any more (a CronJob: always).
    `failed`: why the controller gave up (ProgressDeadlineExceeded, ReplicaFailure), from the status.
    `pod_selector`: the workload's own selector as the API's `labelSelector` parameter; empty for a CronJob, whose
    pods are those of the jobs that it owns.
    """

    kind: str
    name: str
    uid: str
    resource_version: str
    generation: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    template_annotations: Mapping[str, str] = field(default_factory=dict)
    pod_selector: str = ""
    containers: tuple[ContainerFacts, ...] = ()
    volumes: tuple[tuple[str, str | None], ...] = ()
    owned: Owned = field(default_factory=Owned)
    paused: bool = False
    update_strategy: str = "RollingUpdate"
    partition: int = 0
    deleting: bool = False
    rolled: bool = True
    failed: str | None = None
    replicas: int = 1
    template_labels: Mapping[str, str] = field(default_factory=dict)
    available: int | None = None  # pods that serve, as its controller counts them; None: not known
    surges: bool = False  # its strategy ends no pod before a new one is available
    writer: str | None = None  # the field manager that wrote it last, apart from the operator


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod that has not ended (neither Succeeded nor Failed). `version`: its version annotation."""

    name: str
    version: str | None = None
    started: datetime | None = None
    ready: bool = True
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class BudgetFacts:
    """A PodDisruptionBudget: disruptions allowed now, pods counted, and kind and name of the workloads it covers."""

    name: str
    allowed: int
    expected: int
    covers: frozenset[tuple[str, str]] = frozenset()
