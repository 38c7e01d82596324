"""The facts about workloads, their pods and their disruption budgets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, Flag, auto

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
    pods are those of the jobs that it owns. `ordered`: a StatefulSet with the policy OrderedReady.
    `update_revision`: the revision of a StatefulSet's current template, as its controller reports it.
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
    ordered: bool = False
    update_revision: str | None = None


class Reads(Flag):
    """How a container takes the Secret. The kubelet renews `FILES`, but neither `ENV` nor `SUB_PATH`."""

    NOTHING = 0
    ENV = auto()
    FILES = auto()
    SUB_PATH = auto()


class Obstacle(Enum):
    """Why a pod does not start, in words that stay the same while Kubernetes tries again."""

    GATED = "has scheduling gates, which the party that set them has to remove"
    UNSCHEDULED = "is not scheduled: see its events for the resources, selectors and taints that do not fit"
    IMAGE = "cannot pull its image: correct the image, or the Secret for its registry"
    CONFIGURATION = "names a Secret, a ConfigMap or a key that is missing"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container of a pod (init, sidecar, main or ephemeral), as the kubelet reports it.

    `started`: a process of it ran at least once. `first_start`: when the first one did; None: it is not known, because
    Kubernetes reports only the last two. `running`: a process of it runs now.
    """

    name: str
    reads: Reads = Reads.ENV
    started: bool = True
    first_start: datetime | None = None
    running: bool = True


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod. `version`: its version annotation. `uses`: its spec names the Secret of the resource.

    `started`: when the kubelet accepted the pod, before it read anything for it; a pod that no kubelet has accepted yet
    has the time of its creation here, and `accepted` is False. `bound`: a node is assigned. `ends`: when its grace
    period is over, of a pod that is being deleted. `revision`: that of its StatefulSet's or DaemonSet's template.
    """

    name: str
    version: str | None = None
    started: datetime | None = None
    ready: bool = True
    deleting: bool = False
    ends: datetime | None = None
    uses: bool = True
    bound: bool = True
    accepted: bool = True
    phase: str = "Running"
    containers: tuple[ContainerState, ...] = (ContainerState("main"),)
    obstacle: Obstacle | None = None
    revision: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the pod is over for good. An end that its own containers contradict is none: its node may be lost."""
        return self.phase in ("Succeeded", "Failed") and not any(one.running for one in self.containers)


@dataclass(frozen=True, slots=True)
class SecretUser:
    """A workload whose pod template names a Secret, or a pod that has not ended and uses one.

    `workload`: kind and name of the workload that a pod belongs to; None for a workload and for any other pod.
    """

    secret: str
    kind: str
    name: str
    workload: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class BudgetFacts:
    """A PodDisruptionBudget: disruptions allowed now, pods counted, and kind and name of the workloads it covers."""

    name: str
    allowed: int
    expected: int
    covers: frozenset[tuple[str, str]] = frozenset()
