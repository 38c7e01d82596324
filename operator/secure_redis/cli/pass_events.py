"""Connects the parts of a running operator: it gives the reports of each to the others."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.row import Trait
from secure_redis.api.resource import Key, key_of
from secure_redis.api.spec.spec import DriftSettings
from secure_redis.api.status import Status
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.watches import SecretWatches, WorkloadWatches
from secure_redis.reconciler.namespace_limits import NamespaceMembers
from secure_redis.reconciler.next_pass import NextPass
from secure_redis.reconciler.reconcile import Reconciler
from secure_redis.schedule.schedule import Schedule, Trigger
from secure_redis.telemetry.metrics import Metrics
from secure_redis.telemetry.rendering import collected_in_loop

Body = Mapping[str, Any]
Watches = Sequence[SecretWatches | WorkloadWatches]

_log = logging.getLogger(__name__)


class PassEvents:
    """Has one method per event. Call `connect` before the first one."""

    _schedule: Schedule
    _reconciler: Reconciler
    _watches: Watches

    def __init__(self, metrics: Metrics, members: NamespaceMembers, events: EventRecorder) -> None:
        self._metrics = metrics
        self._members = members
        self._events = events
        self._reasons: dict[Key, str | None] = {}  # why a resource was not Ready after its last pass
        self._measured: dict[Key, str] = {}  # the version whose status the metrics show

    def connect(self, schedule: Schedule, reconciler: Reconciler, watches: Watches) -> None:
        """Set who is given the events."""
        self._schedule = schedule
        self._reconciler = reconciler
        self._watches = watches
        self._metrics.watch_waiting(collected_in_loop(lambda: schedule.waiting))

    def introduced(self, body: Body) -> None:
        """A list showed the resource. The watch delivers it later."""
        self._members.put(body)
        for watches in self._watches:
            if isinstance(watches, SecretWatches):
                watches.introduce(body)

    def all_introduced(self) -> None:
        """The list has ended."""
        for watches in self._watches:
            if isinstance(watches, SecretWatches):
                watches.all_introduced()

    def delivered(self, kind: str | None, body: Body) -> None:
        """The watch of resources delivered an event."""
        if kind != "DELETED":
            self._members.put(body)
            self._measure(key_of(body), body)
            self._serve(body)
        self._schedule.event(kind, body)

    def written(self, key: Key, body: Body) -> None:
        """Deliver a body that a pass wrote."""
        self._measure(key, body)
        self._serve(body)
        self._schedule.written(key, body)

    def probed(self, key: Key) -> None:
        """A probe of the resource's endpoint found something else than the one before."""
        self._schedule.wake(key, None, Trigger.PROBE)

    def secret_changed(self, key: Key) -> None:
        """The resource's Secret changed."""
        self._schedule.wake(key, None, Trigger.SECRET)

    def workload_changed(self, key: Key) -> None:
        """One of the resource's workloads changed."""
        self._schedule.wake(key, None, Trigger.WORKLOAD)

    def passed(self, key: Key, trigger: Trigger, ended: NextPass, seconds: float) -> None:
        """A pass ended."""
        self._metrics.passed(key, trigger, ended.result, seconds, at=None if ended.failed else time.time())
        self._metrics.queue(self._schedule.resources, self._schedule.depth)
        fields = {"resource": str(key), "trigger": trigger, "result": ended.result, "seconds": round(seconds, 3)}
        ready = ended.ready
        if ready is not None:
            fields |= {"ready": ready.status, "reason": ready.reason, "generation": ready.generation}
            fields |= {} if ready.status == "True" else {"why": ready.message}
        _log.log(self._level(key, trigger, ended), "pass ended", extra=fields)

    def _level(self, key: Key, trigger: Trigger, ended: NextPass) -> int:
        """Choose WARNING for a new reason why a resource is not Ready, and DEBUG for a repetition by the clock."""
        ready = ended.ready
        reason = None if ready is None or ready.status == "True" else ready.reason
        new = reason is not None and not has(reason, Trait.PROGRESS) and reason != self._reasons.get(key)
        if ready is not None:
            self._reasons[key] = reason
        if new:
            return logging.WARNING
        return logging.DEBUG if trigger is Trigger.CLOCK and not ended.failed else logging.INFO

    def gone(self, key: Key) -> None:
        """Forget a resource that is gone and over which no pass runs any more."""
        self._reconciler.forget(key)
        self._members.forget(key)
        self._events.forget(key)
        self._reasons.pop(key, None)
        self._measured.pop(key, None)
        self._metrics.forget(key)
        for watches in self._watches:
            if isinstance(watches, SecretWatches):
                watches.unserve(key)

    def namespaces(self, namespaces: set[str]) -> None:
        """The set of namespaces with resources changed."""
        for watches in self._watches:
            watches.set_namespaces(namespaces)

    def _serve(self, body: Body) -> None:
        for watches in self._watches:
            if isinstance(watches, SecretWatches):
                watches.serve(body)

    def _measure(self, key: Key, body: Body) -> None:
        """Show a status in the metrics, once: the watch delivers again what a pass wrote."""
        version = body["metadata"]["resourceVersion"]
        if self._measured.get(key) == version:
            return
        self._measured[key] = version
        with suppress(ValidationError):  # written by another version: the next status is this operator's
            self._metrics.report(key, Status.model_validate(body.get("status") or {}), _drift_interval(body))


def _drift_interval(body: Body) -> float:
    """Return how often the resource is reconciled, in seconds; the default where its spec cannot be read."""
    with suppress(ValidationError):
        return float(DriftSettings.model_validate((body.get("spec") or {}).get("drift") or {}).interval_seconds)
    return float(DriftSettings().interval_seconds)
