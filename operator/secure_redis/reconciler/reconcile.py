"""One pass over one resource: observe, assess, plan, act, report. No step calls back."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from typing import Any
from uuid import uuid4

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import (
    Envelope,
    Key,
    SecureRedisCache,
    Unreadable,
    key_of,
    parse,
)
from secure_redis.api.spec.spec import Mode
from secure_redis.api.status import Status
from secure_redis.azure.core.policies import correlation
from secure_redis.domain import steady_state
from secure_redis.domain.assess import assessment
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan import plan, types
from secure_redis.domain.plan.actions import (
    AzureAction,
    Done,
    Failed,
    MarkKey,
    Outcome,
    RegenerateKey,
    ReleaseSecret,
    RemoveFinalizer,
    WorkloadAction,
)
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.domain.report import limits_status, report, status
from secure_redis.kube.client import ApiFailure
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.resources import ResourceChanged, ResourceGone, Resources
from secure_redis.kube.secrets import Secrets
from secure_redis.reconciler.act import Executor
from secure_redis.reconciler.brakes import Brakes
from secure_redis.reconciler.cache_locks import Turn
from secure_redis.reconciler.namespace_limits import NamespaceMembers
from secure_redis.reconciler.next_pass import NextPass
from secure_redis.reconciler.observe.observer import Observer
from secure_redis.reconciler.pass_state import PassState, SharedSpecs

log = logging.getLogger(__name__)

Body = Mapping[str, Any]
ANOTHERS_SECONDS = 60.0  # until it is asked again whether another install serves a resource
LIMITED_SECONDS = 60.0  # until it is asked again whether a resource is within its namespace's limits
MINOR_SECONDS = 10.0  # between two writes of a status in which only counts of pods differ


class Reconciler:
    """Walks resources through the corridor. Holds what passes remember; nothing of it is needed to be right."""

    def __init__(
        self,
        *,
        settings: types.Settings,
        observer: Observer,
        executor: Executor,
        brakes: Brakes,
        members: NamespaceMembers,
        resources: Resources,
        secrets: Secrets,
        events: EventRecorder,
        now: Callable[[], datetime],
        written: Callable[[Key, Body], None],
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._brakes = brakes
        self._members = members
        self._resources = resources
        self._secrets = secrets
        self._events = events
        self._now = now
        self._tell = written
        self._executor = executor
        self._pass_states: dict[Key, PassState] = {}
        self._specs = SharedSpecs()
        self._caches: dict[str, tuple[asyncio.Lock, int]] = {}

    async def run_pass(self, key: Key, body: Body, trigger: str) -> NextPass:
        """One pass. Never raises for what the world does; what is our own fault is logged and looked at again."""
        resource = parse(body)
        correlation.set(str(uuid4()))  # of this task: on every request to Azure and every audit record of the pass
        try:
            envelope = resource.envelope if isinstance(resource, Unreadable) else resource
            if self._resources.anothers(envelope):
                return await self._leave(envelope)
            if self._resources.unclaimed(envelope):
                claimed = await self._resources.claim(envelope)
                self._tell(key, claimed)
                resource = parse(claimed)
            if isinstance(resource, Unreadable):
                return await self._unreadable(resource)
            beyond = None if resource.deleting else self._members.why_not(key)
            if beyond is not None:
                await self._write(resource, limits_status.status(resource, beyond, self._now()))
                return NextPass(LIMITED_SECONDS)
            return await self._walk(resource, trigger)
        except ResourceGone:
            self.forget(key)
            return NextPass(float("inf"))
        except ResourceChanged:
            # A newer body is on its way through the watch; should it be lost, look again anyway.
            return NextPass(5.0)
        except ApiFailure as failure:
            log.warning("the API server refused a write", extra={"resource": str(key), "status": failure.status})
            return NextPass(10.0, failed=True, retry_after=failure.retry_after)

    async def look(self, key: Key, version: str) -> NextPass | None:
        """Look at a resource whose last pass came to nothing; None: a whole pass is needed. Writes nothing.

        `version`: the resourceVersion of the newest body. Looking keeps everything that was read as fresh as a pass
        does; only what would be judged, planned and told anew, to the same end, is left out (`domain.steady_state`).
        """
        pass_state = self._pass_states.get(key)
        if (
            pass_state is None
            or pass_state.rest is None
            or pass_state.rest[0] != version
            or self._members.why_not(key) is not None
        ):
            return None
        rest, pass_state.rest = pass_state.rest[1], None
        correlation.set(str(uuid4()))
        try:
            observed = await self._observer.observe(rest.resource, pass_state)
        except ApiFailure:
            return None  # the pass meets it again and says so
        if pass_state.direct or pass_state.refresh or not rest.holds(observed, self._brakes.brake(key)):
            return None
        pass_state.rest = (version, rest)
        within = pass_state.look_within
        return NextPass(rest.next_look if within is None else min(rest.next_look, within))

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._pass_states.pop(key, None)
        self._observer.forget(key)
        self._brakes.forget(key)

    async def _walk(self, resource: SecureRedisCache, trigger: str) -> NextPass:
        pass_state = self._pass_states.setdefault(resource.key, PassState())
        pass_state.rest = None
        settings = self._settings
        async with self._one_writer(resource):
            observed = await self._observer.observe(resource, pass_state)
            assessed = assessment.assess(
                resource,
                observed,
                cluster_uid=settings.cluster_uid,
                ca=settings.ca,
                waiver_policy=settings.waiver_policy,
            )
            observed = await self._observer.who(resource, observed, assessed, pass_state)
            self._observer.remember(resource, observed, assessed.credential.proven, pass_state)
            brake = self._brakes.brake(resource.key)
            todo = self._plan(resource, observed, assessed)
            current, outcomes = await self._act(resource, observed, todo, trigger)
        if todo.look_closer or any(isinstance(outcome.action, AzureAction) for outcome in outcomes):
            pass_state.direct = True
        _remember_regeneration(resource, todo, outcomes, observed.now, pass_state)
        if outcomes:  # else nothing is known that was not judged already
            observed = report.with_own_writes(resource, observed, outcomes)
            assessed = assessment.assess(
                resource,
                observed,
                cluster_uid=settings.cluster_uid,
                ca=settings.ca,
                waiver_policy=settings.waiver_policy,
            )
        told = report.report(resource, observed, assessed, todo, outcomes)
        if any(isinstance(o, Done) and isinstance(o.action, RemoveFinalizer) for o in outcomes):
            if todo.released is not None:
                await self._events.emit(
                    resource, "Normal", todo.released, report.released(resource, todo.released), "Release"
                )
            self.forget(resource.key)
            return NextPass(float("inf"))
        if status.differs_in_pods_only(current.status, told.status) and _recently(pass_state.told_at, observed.now):
            return _next(told, pass_state)
        if await self._write(current, told.status):
            pass_state.told_at = observed.now
        elif not (outcomes or pass_state.direct or pass_state.refresh):
            found = steady_state.rest(resource, observed, assessed, todo, told, brake, settings.waiver_policy)
            pass_state.rest = None if found is None else (resource.resource_version, self._specs.lean(found))
        for event in told.events:
            await self._events.emit(current, event.kind, event.reason, event.note, "Reconcile")
        return _next(told, pass_state)

    def _plan(self, resource: SecureRedisCache, observed: Observation, assessed: assessment.Assessment) -> types.Plan:
        """The plan, under the fleet's brakes. Nothing here awaits, so that two passes cannot spend the same."""
        todo = plan.plan(resource, observed, assessed, self._settings, self._brakes.brake(resource.key))
        if self._brakes.note(resource, todo):
            todo = plan.plan(resource, observed, assessed, self._settings, self._brakes.brake(resource.key))
        self._brakes.settle(resource, todo)
        return todo

    async def _act(
        self, resource: SecureRedisCache, observed: Observation, todo: types.Plan, trigger: str
    ) -> tuple[SecureRedisCache, tuple[Outcome, ...]]:
        """Perform the actions in order. The first that fails ends it, except for workloads: they do not depend on it.

        Returns the resource as it was last written, and what came of each action.
        """
        outcomes: list[Outcome] = []
        for action in todo.actions:
            performed = await self._executor.perform(resource, observed, action, trigger)
            outcomes.append(performed.outcome)
            if performed.body is not None:
                resource = self._report_written(performed.body)
            if isinstance(performed.outcome, Failed) and not isinstance(action, WorkloadAction):
                break
        return resource, tuple(outcomes)

    def _one_writer(self, resource: SecureRedisCache) -> AbstractAsyncContextManager[Any]:
        """Two resources that provision one cache take turns, so that the second sees the first's tag."""
        if resource.spec.mode is not Mode.PROVISION:
            return nullcontext()
        return Turn(self._caches, resource.cache.key)

    async def _leave(self, resource: Envelope) -> NextPass:
        """Two installs would each lead a rotation, and regenerate what the other one has just stored: only one acts."""
        note = (
            f"this resource is served by the operator whose Lease is {resource.operator}; uninstall one of the two, "
            f"or, if that one is gone for good, remove the annotation {names.OPERATOR}"
        )
        log.warning("left to another install", extra={"resource": str(resource.key), "install": resource.operator})
        await self._events.emit(resource, "Warning", Reason.OPERATED_BY_ANOTHER, note, "Reconcile")
        return NextPass(ANOTHERS_SECONDS)

    async def _unreadable(self, resource: Unreadable) -> NextPass:
        """Nothing is acted on, but nothing is held either: a deletion goes through and keeps what is there."""
        envelope = resource.envelope
        if envelope.deleting:
            published = await self._secrets.published_by(envelope)
            if isinstance(published, Unknown):
                return NextPass(60.0, failed=True)
            for secret in published:
                await self._secrets.release(envelope, ReleaseSecret(secret.name, secret.uid))
            await self._resources.remove_finalizer(envelope)
            return NextPass(float("inf"))
        await self._write(envelope, status.unreadable(resource, self._now()))
        return NextPass(3600.0)

    async def _write(self, resource: Envelope, status: Status) -> bool:
        written = await self._resources.write_status(resource, status)
        if written is not None:
            self._tell(resource.key, written)
        return written is not None

    def _report_written(self, body: Body) -> SecureRedisCache:
        """Report a body that this pass wrote to the schedule: no later pass starts from an older one."""
        self._tell(key_of(body), body)
        resource = parse(body)
        if isinstance(resource, Unreadable):  # edited in the middle of the pass: the next one says so
            raise ResourceChanged(key_of(body))
        return resource


def _next(told: report.Report, pass_state: PassState) -> NextPass:
    """When to look again; earlier where something of the surroundings is still to be read."""
    after = (
        told.next_look if told.failed or pass_state.look_within is None else min(told.next_look, pass_state.look_within)
    )
    return NextPass(after, told.failed, told.retry_after)


def _recently(told_at: datetime | None, now: datetime) -> bool:
    return told_at is not None and (now - told_at).total_seconds() < MINOR_SECONDS


def _remember_regeneration(
    resource: SecureRedisCache, todo: types.Plan, outcomes: tuple[Outcome, ...], now: datetime, pass_state: PassState
) -> None:
    """What a crash would make us forget: that nothing was asked of Azure yet for the intent that is recorded now."""
    asked = next((outcome for outcome in outcomes if isinstance(outcome.action, RegenerateKey)), None)
    of = required_reads.attempt_of(resource)
    if asked is not None and of is not None:
        clear = isinstance(asked, Failed) and not asked.maybe_done
        pass_state.regeneration = (of, None if clear else now)
    if of is not None and any(isinstance(o, Done) and isinstance(o.action, MarkKey) for o in outcomes):
        pass_state.regeneration = (of, None)  # none is asked for before its mark is there, and it was not
    following = required_reads.attempt_in(todo.rotation.status) if todo.rotation is not None else None
    if following is not None and following != of:
        pass_state.regeneration = (following, None)
