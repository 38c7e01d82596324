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
)
from secure_redis.domain.plan.rotation import required_reads
from secure_redis.domain.report import limits_status, report, status
from secure_redis.kube.client import ApiFailure
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.resources import ResourceChanged, ResourceGone, Resources
from secure_redis.kube.secrets import Secrets
from secure_redis.reconciler.act import Actor
from secure_redis.reconciler.brakes import Brakes
from secure_redis.reconciler.cache_locks import Turn
from secure_redis.reconciler.memory import Memory, SharedSpecs
from secure_redis.reconciler.namespace_limits import Roster
from secure_redis.reconciler.next_pass import Next
from secure_redis.reconciler.observe.observer import Observer

log = logging.getLogger(__name__)

Body = Mapping[str, Any]
ANOTHERS_SECONDS = 60.0  # until it is asked again whether another install serves a resource
LIMITED_SECONDS = 60.0  # until it is asked again whether a resource is within its namespace's limits
MINOR_SECONDS = 10.0  # between two writes of a status in which only counts of pods differ


class Corridor:
    """Walks resources through the corridor. Holds what passes remember; nothing of it is needed to be right."""

    def __init__(
        self,
        *,
        settings: types.Settings,
        observer: Observer,
        actor: Callable[[Callable[[Body], SecureRedisCache]], Actor],
        brakes: Brakes,
        roster: Roster,
        resources: Resources,
        secrets: Secrets,
        events: EventRecorder,
        now: Callable[[], datetime],
        written: Callable[[Key, Body], None],
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._brakes = brakes
        self._roster = roster
        self._resources = resources
        self._secrets = secrets
        self._events = events
        self._now = now
        self._tell = written
        self._actor = actor(self._take)
        self._memories: dict[Key, Memory] = {}
        self._specs = SharedSpecs()
        self._caches: dict[str, tuple[asyncio.Lock, int]] = {}

    async def run_pass(self, key: Key, body: Body, trigger: str) -> Next:
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
            beyond = None if resource.deleting else self._roster.why_not(key)
            if beyond is not None:
                await self._write(resource, limits_status.status(resource, beyond, self._now()))
                return Next(LIMITED_SECONDS)
            return await self._walk(resource, trigger)
        except ResourceGone:
            self.forget(key)
            return Next(float("inf"))
        except ResourceChanged:
            # A newer body is on its way through the watch; should it be lost, look again anyway.
            return Next(5.0)
        except ApiFailure as failure:
            log.warning("the API server refused a write", extra={"resource": str(key), "status": failure.status})
            return Next(10.0, failed=True, retry_after=failure.retry_after)

    async def look(self, key: Key, version: str) -> Next | None:
        """Look at a resource whose last pass came to nothing; None: a whole pass is needed. Writes nothing.

        `version`: the resourceVersion of the newest body. Looking keeps everything that was read as fresh as a pass
        does; only what would be judged, planned and told anew, to the same end, is left out (`domain.steady_state`).
        """
        memory = self._memories.get(key)
        if memory is None or memory.rest is None or memory.rest[0] != version or self._roster.why_not(key) is not None:
            return None
        rest, memory.rest = memory.rest[1], None
        correlation.set(str(uuid4()))
        try:
            seen = await self._observer.observe(rest.resource, memory)
        except ApiFailure:
            return None  # the pass meets it again and says so
        if memory.direct or memory.refresh or not rest.holds(seen, self._brakes.brake(key)):
            return None
        memory.rest = (version, rest)
        within = memory.look_within
        return Next(rest.next_look if within is None else min(rest.next_look, within))

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._memories.pop(key, None)
        self._observer.forget(key)
        self._brakes.forget(key)

    async def _walk(self, resource: SecureRedisCache, trigger: str) -> Next:
        memory = self._memories.setdefault(resource.key, Memory())
        memory.rest = None
        settings = self._settings
        async with self._one_writer(resource):
            seen = await self._observer.observe(resource, memory)
            means = assessment.assess(
                resource, seen, cluster_uid=settings.cluster_uid, ca=settings.ca, floor=settings.floor
            )
            seen = await self._observer.who(resource, seen, means, memory)
            self._observer.remember(resource, seen, means.credential.proven, memory)
            brake = self._brakes.brake(resource.key)
            todo = self._plan(resource, seen, means)
            current, outcomes = await self._actor.act(resource, seen, todo.actions, trigger)
        if todo.look_closer or any(isinstance(outcome.action, AzureAction) for outcome in outcomes):
            memory.direct = True
        _remember_regeneration(resource, todo, outcomes, seen.now, memory)
        if outcomes:  # else nothing is known that was not judged already
            seen = report.afterwards(resource, seen, outcomes)
            means = assessment.assess(
                resource, seen, cluster_uid=settings.cluster_uid, ca=settings.ca, floor=settings.floor
            )
        told = report.report(resource, seen, means, todo, outcomes)
        if any(isinstance(o, Done) and isinstance(o.action, RemoveFinalizer) for o in outcomes):
            if todo.released is not None:
                await self._events.emit(
                    resource, "Normal", todo.released, report.released(resource, todo.released), "Release"
                )
            self.forget(resource.key)
            return Next(float("inf"))
        if current is None:
            self.forget(resource.key)
            return Next(float("inf"))
        if status.minor(current.status, told.status) and _recently(memory.told_at, seen.now):
            return _next(told, memory)
        if await self._write(current, told.status):
            memory.told_at = seen.now
        elif not (outcomes or memory.direct or memory.refresh):
            found = steady_state.rest(resource, seen, means, todo, told, brake, settings.floor)
            memory.rest = None if found is None else (resource.resource_version, self._specs.lean(found))
        for event in told.events:
            await self._events.emit(current, event.kind, event.reason, event.note, "Reconcile")
        return _next(told, memory)

    def _plan(self, resource: SecureRedisCache, seen: Observation, means: assessment.Assessment) -> types.Plan:
        """The plan, under the fleet's brakes. Nothing here awaits, so that two passes cannot spend the same."""
        todo = plan.plan(resource, seen, means, self._settings, self._brakes.brake(resource.key))
        if self._brakes.note(resource, todo):
            todo = plan.plan(resource, seen, means, self._settings, self._brakes.brake(resource.key))
        self._brakes.settle(resource, todo)
        return todo

    def _one_writer(self, resource: SecureRedisCache) -> AbstractAsyncContextManager[Any]:
        """Two resources that provision one cache take turns, so that the second sees the first's tag."""
        if resource.spec.mode is not Mode.PROVISION:
            return nullcontext()
        return Turn(self._caches, resource.cache.key)

    async def _leave(self, resource: Envelope) -> Next:
        """Two installs would each lead a rotation, and regenerate what the other one has just stored: only one acts."""
        note = (
            f"this resource is served by the operator whose Lease is {resource.operator}; uninstall one of the two, "
            f"or, if that one is gone for good, remove the annotation {names.OPERATOR}"
        )
        log.warning("left to another install", extra={"resource": str(resource.key), "install": resource.operator})
        await self._events.emit(resource, "Warning", Reason.OPERATED_BY_ANOTHER, note, "Reconcile")
        return Next(ANOTHERS_SECONDS)

    async def _unreadable(self, resource: Unreadable) -> Next:
        """Nothing is acted on, but nothing is held either: a deletion goes through and keeps what is there."""
        envelope = resource.envelope
        if envelope.deleting:
            published = await self._secrets.published_by(envelope)
            if isinstance(published, Unknown):
                return Next(60.0, failed=True)
            for secret in published:
                await self._secrets.release(envelope, ReleaseSecret(secret.name, secret.uid))
            await self._resources.remove_finalizer(envelope)
            return Next(float("inf"))
        await self._write(envelope, status.unreadable(resource, self._now()))
        return Next(3600.0)

    async def _write(self, resource: Envelope, status: Status) -> bool:
        written = await self._resources.write_status(resource, status)
        if written is not None:
            self._tell(resource.key, written)
        return written is not None

    def _take(self, body: Body) -> SecureRedisCache:
        self._tell(key_of(body), body)
        resource = parse(body)
        if isinstance(resource, Unreadable):  # edited in the middle of the pass: the next one says so
            raise ResourceChanged(key_of(body))
        return resource


def _next(told: report.Report, memory: Memory) -> Next:
    """When to look again; earlier where something of the surroundings is still to be read."""
    after = told.next_look if told.failed or memory.look_within is None else min(told.next_look, memory.look_within)
    return Next(after, told.failed, told.retry_after)


def _recently(told_at: datetime | None, now: datetime) -> bool:
    return told_at is not None and (now - told_at).total_seconds() < MINOR_SECONDS


def _remember_regeneration(
    resource: SecureRedisCache, todo: types.Plan, outcomes: tuple[Outcome, ...], now: datetime, memory: Memory
) -> None:
    """What a crash would make us forget: that nothing was asked of Azure yet for the intent that is recorded now."""
    asked = next((outcome for outcome in outcomes if isinstance(outcome.action, RegenerateKey)), None)
    of = required_reads.occasion_of(resource)
    if asked is not None and of is not None:
        clear = isinstance(asked, Failed) and not asked.maybe_done
        memory.regeneration = (of, None if clear else now)
    if of is not None and any(isinstance(o, Done) and isinstance(o.action, MarkKey) for o in outcomes):
        memory.regeneration = (of, None)  # none is asked for before its mark is there, and it was not
    following = required_reads.occasion_in(todo.rotation.status) if todo.rotation is not None else None
    if following is not None and following != of:
        memory.regeneration = (following, None)
