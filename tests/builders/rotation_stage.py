"""The parts of the world of `rotations`, and what people, Azure and the cluster's controllers do to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.status import RotationStatus
from secure_redis.domain.assess.key import PROVIDER_ADDRESS
from secure_redis.domain.assess.rotation_record import CREDENTIAL_ID, digest
from secure_redis.domain.grants import Grant, GrantPolicy, Power, SkuLimit, VaultScope
from secure_redis.domain.observe.cache import CacheAbsent, OperationFacts
from secure_redis.domain.observe.keys import (
    AuthenticationResult,
    ListedKeys,
    Proven,
    Slot,
    VaultSecretFacts,
)
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.observe.workloads import BudgetFacts, ContainerState, PodFacts, WorkloadFacts
from secure_redis.domain.plan.actions import Action
from secure_redis.domain.plan.rotation.regeneration_mark import RegenerationMark
from secure_redis.domain.plan.types import Settings
from tests.builders import passes
from tests.builders.passes import OWNER
from tests.builders.workloads import ENTRY
from tests.builders.world import AUTHENTICATION, CACHE_ID, CLUSTER, NOW, SUBSCRIPTION, VAULT

SETTLE: Final = 60.0
POLICY: Final = GrantPolicy(
    caps=(
        Grant(
            namespaces=("*",),
            powers=frozenset(Power),
            caches=(f"/subscriptions/{SUBSCRIPTION}",),
            vaults=(VaultScope(VAULT),),
            storage_accounts=(f"/subscriptions/{SUBSCRIPTION}",),
            locations=("westeurope",),
            largest_sku=SkuLimit("Premium", 1),
        ),
    )
)
SETTINGS: Final = Settings(cluster_uid=CLUSTER, policy=POLICY, regeneration_settle=SETTLE)
TAGS: Final = {PROVIDER_ADDRESS: CACHE_ID}
READ_WRITE: Final = {**AUTHENTICATION["keyVault"], "access": "ReadWrite"}
LISTED: Final = ("checkout", "basket")
UNSTARTED: Final = ContainerState("main", started=False, running=False)
LONGEST_START: Final = timedelta(minutes=4)  # a kubelet's two requests to the runtime

# The fate of the next write of a kind: done or not, and the answer that the operator gets.
OK, REFUSED, LOST, LOST_DONE, LATE = "done", "refused", "lost, not done", "lost, done", "lost, done later"


class Died(Exception):
    """The operator's process ended in mid-pass."""


@dataclass
class Pod:
    """A pod. `key`: what it holds. `of`: its listed workload; None: it uses the Secret unlisted.

    `state`: other facts than those of a pod that runs since it was accepted. `read_at`: when its kubelet read the key
    for a container whose start is not reported yet.
    """

    name: str
    key: str
    started: datetime
    of: str | None = None
    version: str | None = None
    state: dict[str, Any] = field(default_factory=dict)
    read_at: datetime | None = None


@dataclass
class Remembered:
    """The memory of the operator's process; lost when it dies."""

    regeneration: tuple[str, datetime | None] | None = None
    proven: tuple[str, Proven, datetime] | None = None
    direct: bool = False
    existed: bool = False  # a pass read the cache
    absent_since: datetime | None = None  # the first 404 of an unbroken row of them


@dataclass
class Regeneration:
    """One that we asked for and that took effect. `consumers`: pods that held only what it killed."""

    slot: Slot
    attempt: str
    request: str | None
    consumers: tuple[str, ...]
    sent: datetime
    done: datetime
    undisturbed: bool
    allowed: bool  # by otherConsumers, when it was asked for
    forced: bool  # the annotation said that no pod is waited for


@dataclass
class Stage:
    """Everything but the operator. Rotations begin with the primary key in the vault, the Secret and all pods."""

    other_consumers: str = "None"
    workloads: dict[str, WorkloadFacts] = field(default_factory=dict)
    rotation_spec: dict[str, Any] = field(default_factory=dict)
    key_vault: dict[str, Any] = field(default_factory=lambda: dict(READ_WRITE))
    annotations: dict[str, str] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    cache: Redis | CacheAbsent | Unknown = field(default_factory=lambda: passes.cache(tags=OWNER))
    settings: Settings = SETTINGS
    now: datetime = NOW
    memory: Remembered = field(default_factory=Remembered)
    pods: list[Pod] = field(default_factory=list)
    secret: SecretFacts | None = None
    finalizer: bool = False
    operation: OperationFacts | None = None
    accepts: AuthenticationResult | Unknown = AuthenticationResult.ACCEPTED
    unlistable: Unknown | None = None  # instead of the listed keys
    consumers_unread: Unknown | None = None
    workloads_unread: Unknown | None = None
    budgets: tuple[BudgetFacts, ...] = ()
    # By kind of action: what becomes of the next one.
    fate: dict[type[Action], str] = field(default_factory=dict)
    # When, slot, attempt, …
    late: list[tuple[datetime, Slot, str, datetime, bool, tuple[str | None, bool]]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # every value that the annotation had
    stored_after_regeneration: set[str] = field(default_factory=set)  # versions of the vault, by the operator
    regenerated: list[Regeneration] = field(default_factory=list)
    disturbed: datetime = NOW - timedelta(days=1)  # when another person last changed a key or the vault's value
    events: list[tuple[str, str, str]] = field(default_factory=list)
    every_key: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.count = 0
        self.keys = {slot: self._new_key() for slot in Slot}
        self.versions: list[VaultSecretFacts] = []
        self.pod_count = 0
        self.store(Slot.PRIMARY, at=NOW - timedelta(days=1))
        self.disturbed = NOW - timedelta(days=1)

    # --- what others do ---------------------------------------------------------------------------------------------

    def store(self, slot: Slot, at: datetime | None = None, tags: Mapping[str, str] | None = None) -> None:
        """A person stores a live key, tagged as Microsoft's functions do."""
        said = {**TAGS, CREDENTIAL_ID: str(slot), **(tags or {})}
        self._new_version(SecretStr(self.keys[slot]), said, at=at)
        self.disturbed = self.now

    def portal(self, slot: Slot) -> None:
        """A person regenerates a key in the portal."""
        self.keys[slot] = self._new_key()
        self.disturbed = self.now

    def start(self, of: str | None = None) -> Pod:
        """A pod starts: it holds what the Secret has now."""
        assert self.secret is not None
        self.pod_count += 1
        version = None
        if of is not None:
            version = self.workloads[of].template_annotations.get(names.version_annotation("orders"))
        pod = Pod(f"{of or 'unlisted'}-{self.pod_count}", password(self.secret), self.now, of, version)
        self.pods.append(pod)
        return pod

    def start_waiting(self, of: str | None = None, **state: Any) -> Pod:
        """A pod starts, and none of its containers does: it holds nothing yet. `state`: other facts about it."""
        pod = self.start(of)
        pod.key, pod.state = "", {"phase": "Pending", "ready": False, "containers": (UNSTARTED,), **state}
        return pod

    def read(self, pod: Pod) -> None:
        """The kubelet reads the Secret for a container, and reports its start four minutes later at the latest."""
        assert self.secret is not None
        if pod.state and pod.read_at is None:
            pod.key, pod.read_at = password(self.secret), self.now
            # A kubelet reads only for pods of its node, and accepts them before.
            pod.state = {**pod.state, "bound": True, "accepted": True}

    def report_start(self, pod: Pod, at: datetime) -> None:
        """The kubelet reports that the container started."""
        if pod.read_at is not None:
            pod.read_at, pod.state = None, {"containers": (ContainerState("main", first_start=at),)}

    def restart(self, pod: Pod) -> None:
        """A pod is replaced."""
        self.pods.remove(pod)
        self.start(pod.of)

    def roll(self, name: str, most: int = 1) -> None:
        """The controllers bring up to `most` pods of a workload to its template."""
        wanted = self.workloads[name].template_annotations.get(names.version_annotation("orders"))
        behind = [pod for pod in self.pods if pod.of == name and pod.version != wanted]
        for pod in behind[:most]:
            self.restart(pod)
        if len(behind) <= most:
            self.workloads[name] = replace(self.workloads[name], rolled=True)

    def ask(self, request: str | None) -> None:
        """The annotation that asks for a rotation is set, or taken away."""
        self._annotate(names.ROTATE, request)
        self.requests += [] if request is None else [request]

    def approve(self, version: str | None = None) -> None:
        """A person states that no one uses the other key."""
        self._annotate(names.APPROVE_ROTATION, version or self.vault.version)

    def pause(self, paused: bool) -> None:
        """All writes are paused, or go on."""
        self._annotate(names.PAUSED, "true" if paused else None)

    def change_cache(self, **changes: Any) -> None:
        """Something about the cache is otherwise."""
        assert isinstance(self.cache, Redis)
        self.cache = replace(self.cache, **changes)

    def pass_time(self, seconds: float) -> None:
        """Time goes by, and what was asked of Azure and not answered happens."""
        until = self.now + timedelta(seconds=seconds)
        for due in sorted(self.late):
            if due[0] <= until:
                self.late.remove(due)
                self.now = max(self.now, due[0])
                self._regenerate(*due[1:])
        self.now = until
        for pod in self.pods:
            if pod.read_at is not None and until - pod.read_at > LONGEST_START:
                self.report_start(pod, pod.read_at + LONGEST_START)

    def die(self) -> None:
        """The process ends; another one begins."""
        self.memory = Remembered()

    # --- observations -----------------------------------------------------------------------------------------------

    @property
    def vault(self) -> VaultSecretFacts:
        """The current version."""
        return self.versions[-1]

    @property
    def rotation(self) -> RotationStatus | None:
        """status.rotation as it is written."""
        return self.resource().status.rotation

    @property
    def phase(self) -> str | None:
        """Its phase."""
        return self.rotation.phase if self.rotation is not None else None

    @property
    def reason(self) -> str | None:
        """Its reason."""
        return self.rotation.reason if self.rotation is not None else None

    @property
    def handled(self) -> str | None:
        """The last answered request."""
        last = self.resource().status.last_handled
        return last.rotate if last is not None else None

    def declared(self) -> dict[str, Any]:
        """The spec, without the cache's id."""
        settings = {"otherConsumers": self.other_consumers, **self.rotation_spec}
        spec: dict[str, Any] = {"authentication": {"keyVault": self.key_vault, "rotation": settings}}
        if self.workloads:
            spec["workloads"] = [{**ENTRY, "id": name, "name": name} for name in self.workloads]
        return spec

    def resource(self) -> SecureRedisCache:
        """The resource as the API server delivers it."""
        return passes.resource(
            self.declared(), annotations=self.annotations, status=self.status, finalizer=self.finalizer
        )

    def listed(self) -> ListedKeys | Unknown:
        """Both keys as Azure lists them."""
        if self.unlistable is not None:
            return self.unlistable
        return ListedKeys(SecretStr(self.keys[Slot.PRIMARY]), SecretStr(self.keys[Slot.SECONDARY]))

    # --- small things -------------------------------------------------------------------------------------------------

    def _allowed(self, slot: Slot) -> bool:
        """Return whether no unseen consumer holds the key of this slot. The status is no evidence."""
        emergency = self.annotations.get(names.ROTATE, "").startswith(names.EMERGENCY)
        if self.other_consumers == "None" or emergency:
            return True
        if self.vault.tags.get(CREDENTIAL_ID) == slot or self.vault.created is None:
            return False
        approved = self.annotations.get(names.APPROVE_ROTATION) == self.vault.version
        over = self.now - self.vault.created >= timedelta(hours=48)
        return approved or (self.vault.version in self.stored_after_regeneration and over)

    def _asked(self) -> tuple[str | None, bool]:
        """The request that the mark names, and whether the annotation forces it now."""
        mark = RegenerationMark.on(self.vault.tags)
        request = next((one for one in self.requests if mark is not None and digest(one) == mark.request), None)
        forced = (request or "").startswith(names.EMERGENCY_FORCE) and request == self.annotations.get(names.ROTATE)
        return request, forced

    def _regenerate(
        self, slot: Slot, attempt: str, sent: datetime, allowed: bool, asked: tuple[str | None, bool]
    ) -> None:
        old, self.keys[slot] = self.keys[slot], self._new_key()
        consumers = tuple(pod.name for pod in self.pods if pod.key == old)
        undisturbed = self.disturbed < sent
        self.regenerated.append(
            Regeneration(slot, attempt, asked[0], consumers, sent, self.now, undisturbed, allowed, asked[1])
        )

    def _attempt(self) -> str:
        mark = RegenerationMark.on(self.vault.tags)
        return mark.attempt if mark is not None else ""

    def _annotate(self, name: str, value: str | None) -> None:
        self.annotations = {k: v for k, v in self.annotations.items() if k != name}
        if value is not None:
            self.annotations[name] = value

    def _new_key(self) -> str:
        self.count += 1
        key = f"K{self.count:06d}".ljust(43, "x") + "="
        self.every_key.add(key)
        return key

    def _new_version(
        self, value: SecretStr, tags: Mapping[str, str], at: datetime | None = None, expires: datetime | None = None
    ) -> None:
        self.versions.append(
            passes.vault(
                value.get_secret_value(),
                version=f"{len(self.versions) + 1:032x}",
                tags=dict(tags),
                created=at or self.now,
                expires=expires,
            )
        )


def password(secret: SecretFacts) -> str:
    """The key that a Secret holds."""
    return secret.data["password"].get_secret_value().decode()


def facts(pod: Pod) -> PodFacts:
    """A pod as it is listed."""
    plain = PodFacts(pod.name, pod.version, pod.started, containers=(ContainerState("main", first_start=pod.started),))
    return replace(plain, **pod.state)


def at(text: str) -> datetime:
    """A time of the status."""
    return datetime.fromisoformat(text).astimezone(UTC)
