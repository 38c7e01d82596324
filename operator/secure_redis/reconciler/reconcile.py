"""One pass over one resource: observe, assess, plan, act, report. No step calls back into an earlier one."""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import (
    Envelope,
    Key,
    SecureRedisCache,
    Unreadable,
    key_of,
    parse,
)
from secure_redis.api.status import Status
from secure_redis.azure.core.policies import correlation
from secure_redis.domain import steady_state
from secure_redis.domain.assess import assessment
from secure_redis.domain.assess.assessment import Assessment
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan import plan
from secure_redis.domain.plan.actions import (
    Action,
    ApplySecret,
    AzureAction,
    CacheAction,
    RemoveFinalizer,
    RemoveOwnerReference,
    WorkloadAction,
)
from secure_redis.domain.plan.brakes import Brake
from secure_redis.domain.plan.outcomes import Done, Failed, Outcome
from secure_redis.domain.plan.types import Plan, Settings
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.domain.report import annotations, evidence, limits_status, report, status, tampering
from secure_redis.kube.client import ApiFailure
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.resources import ResourceChanged, ResourceGone, Resources
from secure_redis.kube.secrets import Secrets
from secure_redis.reconciler.act import Executor
from secure_redis.reconciler.brakes import Brakes
from secure_redis.reconciler.cache_writes import CacheWrites, Overtaken
from secure_redis.reconciler.edge import LAST_WRITE_SECONDS
from secure_redis.reconciler.namespace_limits import NamespaceMembers
from secure_redis.reconciler.next_pass import Body, NextPass, after_report, ready_of
from secure_redis.reconciler.observe.observer import Observer
from secure_redis.reconciler.other_installs import OtherInstalls
from secure_redis.reconciler.pass_state import (
    PassState,
    keep_reads,
    keep_regeneration,
    lean,
)
from secure_redis.reconciler.unobserved import UnobservedResources
from secure_redis.reconciler.write_backoff import LONGEST_SECONDS
from secure_redis.telemetry import live_values

log = logging.getLogger(__name__)

LIMITED_SECONDS = 60.0  # until the next pass over a resource that is beyond its namespace's limits
CHANGED_SECONDS = 5.0  # until the next pass over a resource that was edited during the pass
MINOR_SECONDS = 10.0  # between two writes of a status in which only counts of pods differ
NEVER = NextPass(float("inf"))
_TOO_LATE = WriteFailure(
    Reason.PASS_DEADLINE, "this reconcile took too long to begin another write; the next one makes it"
)


@dataclass(frozen=True, slots=True)
class _Judged:
    """The results of observe and assess, and the plan that follows under the `brake`.

    `since`: when the observation began, for `CacheWrites`. `begun`: the monotonic time of that.
    """

    resource: SecureRedisCache
    observed: Observation
    assessed: Assessment
    brake: Brake
    todo: Plan
    since: int
    begun: float


@dataclass(frozen=True, slots=True)
class _Acted:
    """The resource as it was last written, and what came of each action."""

    resource: SecureRedisCache
    outcomes: tuple[Outcome, ...]

    @property
    def released(self) -> bool:
        """Whether a deleted resource has no finalizer of the operator any more: it goes without another pass."""
        return self.resource.deleting and any(
            isinstance(one, Done) and isinstance(one.action, RemoveFinalizer) for one in self.outcomes
        )


class Reconciler:
    """Takes resources through the steps of a pass. It keeps state of each; losing that state is always safe."""

    def __init__(
        self,
        *,
        settings: Settings,
        observer: Observer,
        executor: Executor,
        brakes: Brakes,
        members: NamespaceMembers,
        resources: Resources,
        secrets: Secrets,
        events: EventRecorder,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        written: Callable[[Key, Body], None],
        tampered: Callable[[], None] = lambda: None,
    ) -> None:
        """`written(key, body)`: called with every body that a pass wrote. No later pass may start from an older one.

        `tampered()`: called when a pass corrected what others changed.
        """
        self._settings = settings
        self._observer = observer
        self._executor = executor
        self._brakes = brakes
        self._members = members
        self._resources = resources
        self._secrets = secrets
        self._events = events
        self._now = now
        self._monotonic = monotonic
        self._written = written
        self._other_installs = OtherInstalls(resources, events, now, written)
        self._tampered = tampered
        self._pass_states: dict[Key, PassState] = {}
        self._cache_writes = CacheWrites(monotonic)
        self.unobserved = UnobservedResources(resources, now=now, written=written)

    async def run_pass(self, key: Key, body: Body, trigger: str) -> NextPass:
        """Run one pass. Raises nothing that the outside world causes."""
        resource = parse(body, self._settings.defaults)
        correlation.set(str(uuid4()))  # of this task: on every request to Azure and every audit record of the pass
        live_values.enter(str(key))
        try:
            envelope = resource.envelope if isinstance(resource, Unreadable) else resource
            if self._resources.served_elsewhere(envelope):
                return await self._other_installs.leave_alone(envelope)
            if self._resources.unclaimed(envelope):
                claimed = await self._resources.claim(envelope)
                self._written(key, claimed)
                resource = parse(claimed, self._settings.defaults)
            if isinstance(resource, Unreadable):
                return await self._report_unreadable(resource)
            beyond = None if resource.deleting else self._members.beyond_limits(key)
            if beyond is not None:
                limited = limits_status.status(resource, beyond, self._now())
                await self._write_status(resource, limited)
                return NextPass(LIMITED_SECONDS, ready=ready_of(limited), grows_to=LONGEST_SECONDS)
            return await self._reconcile(resource, trigger)
        except ResourceGone:
            self.forget(key)
            return NEVER
        except ResourceChanged:
            # A newer body comes through the watch; should it be lost, the next pass comes anyway.
            return NextPass(CHANGED_SECONDS, grows_to=LONGEST_SECONDS)
        except Overtaken:
            self._pass_states[key].direct = True
            return NextPass(CHANGED_SECONDS, grows_to=LONGEST_SECONDS)
        except ApiFailure as failure:
            log.warning("the API server refused a write", extra={"resource": str(key), "status": failure.status})
            return NextPass(0.0, failed=True, retry_after=failure.retry_after)

    async def check_steady(self, key: Key, version: str) -> NextPass | None:
        """Observe a resource whose last pass changed nothing. None: a whole pass is needed. Writes nothing.

        `version`: the resourceVersion of the newest body. This keeps everything that was read as fresh as a pass does.
        It leaves out only what would be assessed, planned and reported again with the same result
        (`domain.steady_state`).
        """
        pass_state = self._pass_states.get(key)
        if (
            pass_state is None
            or pass_state.steady is None
            or pass_state.steady[0] != version
            or self._members.beyond_limits(key) is not None
        ):
            return None
        steady, pass_state.steady = pass_state.steady[1], None
        correlation.set(str(uuid4()))
        live_values.enter(str(key))
        try:
            observed = await self._observer.observe(steady.resource, pass_state, self._now(), attribute_drift=False)
        except ApiFailure:
            return None  # the pass meets it again and reports it
        if pass_state.direct or pass_state.refresh or not steady.matches(observed, self._brakes.brake(key)):
            return None
        # The newer observation is equal, and its parts are those that the readers keep: the older ones can go.
        pass_state.steady = (version, replace(steady, observed=observed))
        self._observer.unchanged(key, observed.now)
        within = pass_state.next_pass_within
        return NextPass(
            steady.next_pass_in if within is None else min(steady.next_pass_in, within),
            ready=pass_state.ready,
            good_for=evidence.good_for(steady.next_pass_in),  # its interval
        )

    def forget(self, key: Key) -> None:
        """Drop the state of a resource that is gone."""
        self._pass_states.pop(key, None)
        self._observer.forget(key)
        self._brakes.forget(key)

    # --- the steps, in order ------------------------------------------------------------------------------------------

    async def _reconcile(self, resource: SecureRedisCache, trigger: str) -> NextPass:
        pass_state = self._pass_states.setdefault(resource.key, PassState())
        pass_state.steady = None
        for event in annotations.without_effect(resource, pass_state.unknown_annotations):
            await self._events.emit(resource, event.kind, event.reason, event.note, "Reconcile")
        pass_state.unknown_annotations = annotations.ineffective(resource)
        since, begun = self._cache_writes.observe(), self._monotonic()
        observed = await self._observer.observe(resource, pass_state, self._now())
        assessed = self._assess(resource, observed)
        keep_reads(resource, observed, assessed.credential.proven, pass_state, self._monotonic())
        brake, todo = self._plan(resource, observed, assessed, pass_state)
        judged = _Judged(resource, observed, assessed, brake, todo, since, begun)
        acted = await self._act(judged, trigger, pass_state)
        if acted.released:
            return await self._report_release(judged)
        return await self._report(judged, acted, pass_state)

    def _assess(self, resource: SecureRedisCache, observed: Observation) -> Assessment:
        settings = self._settings
        return assessment.assess(
            resource,
            observed,
            cluster_uid=settings.cluster_uid,
            ca=settings.ca,
            waiver_policy=settings.waiver_policy,
        )

    def _plan(
        self, resource: SecureRedisCache, observed: Observation, assessed: Assessment, pass_state: PassState
    ) -> tuple[Brake, Plan]:
        """Plan under the fleet's brakes. Nothing here awaits, so that two passes cannot spend the same allowance."""
        brake = self._brakes.brake(resource.key)
        todo = plan.plan(resource, observed, assessed, self._settings, brake)
        if self._brakes.note(resource, todo):  # this plan engaged the brake, which counts for it too
            todo = plan.plan(resource, observed, assessed, self._settings, self._brakes.brake(resource.key))
        pass_state.writes.begin(resource)
        now = self._monotonic()
        writes = (action for action in todo.actions if isinstance(action, AzureAction))
        held = any(pass_state.writes.held(resource, action, now) is not None for action in writes)
        self._brakes.settle(resource, todo, held=held)
        return brake, todo

    async def _act(self, judged: _Judged, trigger: str, pass_state: PassState) -> _Acted:
        """Perform the actions in order. The first that fails ends it, unless the others do not depend on it.

        Raises:
            ResourceChanged: the resource was edited in the middle of the pass, so that it cannot be read any more.
            Overtaken: another pass wrote the cache since this one observed it.

        """
        current, todo, outcomes, sent = judged.resource, judged.todo, list[Outcome](), list[Outcome]()
        for action in todo.actions:
            now = self._monotonic()
            held = (
                _TOO_LATE if now - judged.begun > LAST_WRITE_SECONDS else pass_state.writes.held(current, action, now)
            )
            if held is not None:
                outcomes.append(Failed(action, held))
                if not isinstance(action, WorkloadAction):
                    break
                continue
            on_cache = isinstance(action, CacheAction)
            with self._cache_writes.write(current.cache.key, judged.since) if on_cache else nullcontext():
                performed = await self._executor.perform(current, judged.observed, action, trigger)
            failure = performed.outcome.failure if isinstance(performed.outcome, Failed) else None
            pass_state.writes.record(current, action, failure, self._monotonic())
            outcomes.append(performed.outcome)
            sent.append(performed.outcome)
            if performed.body is not None:
                self._written(key_of(performed.body), performed.body)
                parsed = parse(performed.body, self._settings.defaults)
                if isinstance(parsed, Unreadable):  # the next pass reports it
                    raise ResourceChanged(current.key)
                current = parsed
            if isinstance(performed.outcome, Failed) and not _goes_on_without(action, current):
                break
        if todo.needs_fresh_read or any(isinstance(outcome.action, AzureAction) for outcome in outcomes):
            pass_state.direct = True
        keep_regeneration(judged.resource, judged.observed, tuple(sent), pass_state)
        return _Acted(current, tuple(outcomes))

    async def _report(self, judged: _Judged, acted: _Acted, pass_state: PassState) -> NextPass:
        """Write the status if it differs, then emit the events of the transitions."""
        resource, todo, outcomes = judged.resource, judged.todo, acted.outcomes
        observed = report.with_own_writes(resource, judged.observed, outcomes)
        published = observed is not judged.observed  # the Secret that this pass wrote is judged with everything else
        assessed = self._assess(resource, observed) if published else judged.assessed
        reported = report.report(resource, observed, assessed, todo, outcomes)
        pass_state.ready = ready_of(reported.status)
        tampered = tampering.repaired(resource, pass_state.in_place, judged.observed, assessed, outcomes)
        pass_state.in_place = tampering.in_place(resource, pass_state.in_place, observed, assessed, reported.status)
        for event in tampered:
            self._tampered()
            await self._events.emit(acted.resource, event.kind, event.reason, event.note, "Repair")
        due_in = pass_state.writes.due_in(acted.resource, outcomes, self._monotonic())
        if status.differs_in_pods_only(acted.resource.status, reported.status) and _recently(
            pass_state.reported_at, observed.now
        ):
            return after_report(resource, reported, pass_state.next_pass_within, pass_state.ready, due_in)
        if await self._write_status(acted.resource, reported.status):
            pass_state.reported_at = observed.now
        elif not (outcomes or pass_state.direct or pass_state.refresh):
            policy = self._settings.waiver_policy
            steady = steady_state.steady(resource, observed, assessed, todo, reported, judged.brake, policy)
            kept = None if steady is None else lean(steady)
            pass_state.steady = None if kept is None else (resource.resource_version, kept)
        for event in reported.events:
            await self._events.emit(acted.resource, event.kind, event.reason, event.note, "Reconcile")
        return after_report(resource, reported, pass_state.next_pass_within, pass_state.ready, due_in)

    async def _report_release(self, judged: _Judged) -> NextPass:
        """Emit the last event of a resource. Its status is not written any more."""
        resource, reason = judged.resource, judged.todo.released
        if reason is not None:
            await self._events.emit(resource, "Normal", reason, report.released(resource, reason), "Release")
        self.forget(resource.key)
        return NEVER

    # --- what is not a whole pass -------------------------------------------------------------------------------------

    async def _report_unreadable(self, resource: Unreadable) -> NextPass:
        """Report why the resource cannot be read. A deletion succeeds, and keeps what exists."""
        envelope = resource.envelope
        if envelope.deleting and envelope.has_finalizer:
            published = await self._secrets.published_by(envelope)
            if isinstance(published, Unknown) and not envelope.abandoned:
                why = Explanation(published.reason, published.message)
                await self._write_status(envelope, status.unreadable(resource, self._now(), why))
                return NextPass(60.0, failed=True)
            for secret in () if isinstance(published, Unknown) else published.secrets:
                await self._secrets.remove_owner_reference(envelope, RemoveOwnerReference(secret.name, secret.uid))
            await self._resources.remove_finalizer(envelope)
            return NEVER
        if envelope.deleting:
            return NEVER
        unreadable = status.unreadable(resource, self._now())
        await self._write_status(envelope, unreadable)
        return NextPass(3600.0, ready=ready_of(unreadable))

    async def _write_status(self, resource: Envelope, status: Status) -> bool:
        # A text may have arrived before the value that it quotes was read.
        masked = tuple(one.model_copy(update={"message": live_values.mask(one.message)}) for one in status.conditions)
        written = await self._resources.write_status(resource, status.model_copy(update={"conditions": masked}))
        if written is not None:
            self._written(resource.key, written)
        return written is not None


def _goes_on_without(action: Action, resource: SecureRedisCache) -> bool:
    """Whether the rest of the plan does not depend on this action.

    A deletion that could not publish the last key goes on: the Secret holds the earlier one, which stays valid.
    """
    return isinstance(action, WorkloadAction) or (resource.deleting and isinstance(action, ApplySecret))


def _recently(reported_at: datetime | None, now: datetime) -> bool:
    return reported_at is not None and (now - reported_at).total_seconds() < MINOR_SECONDS
