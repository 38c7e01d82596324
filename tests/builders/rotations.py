"""A small world of led rotation: a cache with two live keys, a vault, a Secret, pods, and an operator that can die.

The real functions make the reconciler's decisions; only what they act on is a model. A pod holds the key that the
Secret had when it started, and nothing else.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from types import UnionType
from typing import Any

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.assessment import assess
from secure_redis.domain.assess.key import needs_keys
from secure_redis.domain.assess.rotation_record import CREDENTIAL_ID
from secure_redis.domain.observe.keys import ListedKeys, VaultSecretAbsent, VaultSecretFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.actions import (
    Action,
    AddFinalizer,
    ApplySecret,
    CreateSecret,
    InjectWorkload,
    MarkKey,
    RegenerateKey,
    RemoveFinalizer,
    StoreKey,
    WorkloadAction,
)
from secure_redis.domain.plan.outcomes import Done, Failed, Outcome
from secure_redis.domain.plan.plan import plan
from secure_redis.domain.plan.rollout import waves
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report.report import Report, report, with_own_writes
from secure_redis.reconciler.pass_state import PassState, keep_regeneration
from tests.builders.rotation_stage import (
    LATE,
    LISTED,
    LOST,
    LOST_DONE,
    OK,
    REFUSED,
    SETTINGS,
    SETTLE,
    Died,
    Pod,
    Stage,
    at,
    facts,
    password,
)
from tests.builders.workloads import done, workload
from tests.builders.world import CLUSTER, IDENTITY, NOW, UID

NO_KEY = VaultSecretAbsent("secret 'orders-key' is not in the vault")


@dataclass
class World(Stage):
    """The stage, and the operator on it."""

    def observe(self) -> Observation:
        """Read once, and no more than the observer would read."""
        res, memory = self.resource(), self.memory
        vault: VaultSecretFacts | VaultSecretAbsent | Unknown = self.vault if self.versions else NO_KEY
        observed = Observation(
            now=self.now,
            identity=IDENTITY,
            cache=self.cache,
            cache_fresh=memory.direct,
            operation=self.operation,
            firewall_rules=NOT_READ,
            secret=self.secret,
        )
        if isinstance(self.cache, Redis):
            memory.direct = self.cache.provisioning_state != "Succeeded"
            observed = replace(observed, vault=vault)
            observed = self._with_keys(res, observed)
        workloads = tuple(self.workloads.values())
        if waves.needs_workloads(res, replace(observed, workloads=workloads)):
            version = self.secret.annotations.get(names.SECRET_VERSION) if self.secret is not None else None
            verify = required_reads.proves_pods(res, observed, self.settings)
            wanted = waves.required_pods(res, workloads, version, verify=verify)
            pods = {place: tuple(map(facts, (p for p in self.pods if p.of == place[1]))) for place in wanted}
            observed = replace(observed, workloads=self.workloads_unread or workloads, pods=pods, budgets=self.budgets)
        if required_reads.needs_consumers(res, observed, self.settings):
            consumers = tuple(facts(pod) for pod in self.pods if pod.of is None)
            observed = replace(observed, consumers=self.consumers_unread or consumers)
        return observed

    def _with_keys(self, res: SecureRedisCache, observed: Observation) -> Observation:
        memory, of = self.memory, required_reads.attempt_of(res, observed)
        age = 30.0 if required_reads.open_mark(res, observed) is not None else 3600.0
        held = memory.proven
        if held is not None and held[0] == self.vault.version and (self.now - held[2]).total_seconds() < age:
            observed = replace(observed, proven=held[1])
        elif needs_keys(res, IDENTITY, observed.vault, None, self.now):
            observed = replace(observed, keys=self.listed())
        if of is not None:
            # If another process asked for the regeneration, it did so before this process first found the mark.
            if memory.regeneration is None or memory.regeneration[0] != of:
                memory.regeneration = (of, self.now)
            observed = replace(observed, attempted=memory.regeneration[1])
        if not required_reads.needs_keys(res, observed, self.settings):
            return observed
        if observed.keys is NOT_READ:
            keys = self.listed()
            observed = replace(observed, keys=keys, proven=None if isinstance(keys, ListedKeys) else observed.proven)
        if required_reads.candidate(res, observed) is not None:
            observed = replace(observed, regenerated=self.accepts)
        return observed

    # --- one pass ---------------------------------------------------------------------------------------------------

    def look(self, *, dies: Callable[[int], bool] = lambda _: False) -> tuple[Plan, Report]:
        """One pass. `dies(n)`: whether the process ends before write number n (actions first, the status last).

        Raises Died then; what was written before stays.
        """
        res, observed, memory = self.resource(), self.observe(), self.memory
        assessed = assess(res, observed, cluster_uid=CLUSTER, ca=None)
        proven = assessed.credential.proven
        if proven is not None and observed.proven is None:
            memory.proven = (self.vault.version, proven, self.now)
        todo = plan(res, observed, assessed, self.settings)
        outcomes: list[Outcome] = []
        for number, action in enumerate(todo.actions):
            if dies(number):
                self.die()
                raise Died
            outcomes.append(self.perform(action))
            if isinstance(outcomes[-1], Failed) and not isinstance(action, WorkloadAction):
                break
        memory.direct = memory.direct or todo.needs_fresh_read or any(_azure(o.action) for o in outcomes)
        self._remember(res, observed, outcomes)
        published = with_own_writes(res, observed, outcomes)
        if published is not observed:  # what this pass published is judged with everything else
            observed = published
            assessed = assess(res, observed, cluster_uid=CLUSTER, ca=None)
        told = report(res, observed, assessed, todo, outcomes)
        if dies(len(todo.actions)):
            self.die()
            raise Died
        self.status = json.loads(json.dumps(told.status.document()))
        self.events += [(event.kind, event.reason, event.note) for event in told.events]
        return todo, told

    def looks(self, most: int = 30, *, until: Callable[["World"], bool] | None = None, roll: bool = True) -> "World":
        """Passes, a second apart, in which workloads roll (`roll`), until a condition holds or nothing changes."""
        for _ in range(most):
            if until is not None and until(self):
                return self
            self.look()
            if roll:
                for name in self.workloads:
                    self.roll(name, most=9)
            self.pass_time(1)
        assert until is None or until(self), (self.phase, self.rotation)
        return self

    def perform(self, action: Action) -> Outcome:
        """Do one write, or what its fate is."""
        fate = self.fate.pop(type(action), OK)
        if fate == REFUSED:
            return Failed(action, WriteFailure(Reason.AZURE_DENIED, "refused", permanent=False))
        if fate == LATE and isinstance(action, RegenerateKey):
            then = self.now + timedelta(seconds=SETTLE / 2)
            self.late.append((then, action.slot, self._attempt(), self.now, self._allowed(action.slot), self._asked()))
        elif fate != LOST:
            self._do(action)
        if fate != OK:
            return Failed(action, WriteFailure(Reason.AZURE_UNREACHABLE, "the answer was lost", maybe_done=True))
        return Done(action)

    def _do(self, action: Action) -> None:
        match action:
            case AddFinalizer() | RemoveFinalizer():
                self.finalizer = isinstance(action, AddFinalizer)
            case CreateSecret() | ApplySecret():
                self.secret = SecretFacts(
                    name=action.name,
                    uid="secret-uid",
                    resource_version="9",
                    type=names.SECRET_TYPE,
                    data=dict(action.data),
                    labels=dict(action.labels),
                    annotations=dict(action.annotations),
                    owner_uid=UID,
                    owner_name="orders",
                    owner_kind=names.KIND,
                    own_labels=frozenset(action.labels),
                    own_annotations=frozenset(action.annotations),
                )
            case InjectWorkload():
                self.workloads[action.name] = replace(done(self.workloads[action.name], action, self.now), rolled=False)
            case StoreKey():
                self._new_version(action.value, action.tags, expires=action.expires)
                if any(one.slot == action.tags.get(CREDENTIAL_ID) for one in self.regenerated):
                    self.stored_after_regeneration.add(self.vault.version)
            case MarkKey():
                at = next(i for i, one in enumerate(self.versions) if one.version == action.version)
                self.versions[at] = replace(self.versions[at], tags=dict(action.tags))
            case RegenerateKey():
                self._regenerate(action.slot, self._attempt(), self.now, self._allowed(action.slot), self._asked())
            case _:
                raise AssertionError(f"nothing else is planned in this world: {type(action).__name__}")

    def _remember(self, res: SecureRedisCache, observed: Observation, outcomes: list[Outcome]) -> None:
        state = PassState(regeneration=self.memory.regeneration)
        keep_regeneration(res, observed, tuple(outcomes), state)
        self.memory.regeneration = state.regeneration


def world(workloads: int = 1, unlisted: int = 0, other_consumers: str = "None", **more: Any) -> World:
    """A world at rest: the primary key is published, and `workloads` listed and `unlisted` pods hold it."""
    made = World(
        other_consumers=other_consumers,
        workloads={name: workload(name, replicas=2) for name in LISTED[:workloads]},
        **more,
    )
    made.look()
    made.pass_time(1)
    for name in made.workloads:
        made.start(name)
        made.start(name)
    made.looks(8)
    made.pass_time(60)
    for _ in range(unlisted):
        made.start()
    made.pass_time(3600)
    made.look()
    made.events.clear()
    return made


def step(made: World, *, roll: bool = True) -> list[str]:
    """Run one pass and return the names of its actions."""
    todo, _ = made.look()
    if roll:
        for name in made.workloads:
            made.roll(name, most=9)
    made.pass_time(1)
    return [type(action).__name__ for action in todo.actions]


def done_by(made: World, *kinds: type[Action] | UnionType, looks: int = 12) -> list[Action]:
    """Return the actions of these kinds in some passes."""
    found: list[Action] = []
    for _ in range(looks):
        todo, _ = made.look()
        found += [action for action in todo.actions if isinstance(action, kinds)]
        for name in made.workloads:
            made.roll(name, most=9)
        made.pass_time(1)
    return found


def asked(request: str = "please", until: str | None = None, **more: object) -> World:
    """A world in which a rotation was asked for and has come to a phase."""
    made = world(**more)  # type: ignore[arg-type]
    made.ask(request)
    return made.looks(until=lambda one: one.phase == until) if until else made


def _azure(action: Action) -> bool:
    return isinstance(action, StoreKey | MarkKey | RegenerateKey)


__all__ = [
    "LATE",
    "LISTED",
    "LOST",
    "LOST_DONE",
    "NOW",
    "REFUSED",
    "SETTINGS",
    "SETTLE",
    "Died",
    "Pod",
    "World",
    "asked",
    "at",
    "done_by",
    "facts",
    "password",
    "step",
    "world",
]
