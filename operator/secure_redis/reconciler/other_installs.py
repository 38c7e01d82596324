"""Passes over resources that another install of the operator has claimed: left alone, and Unknown if it is gone."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import Envelope, Key
from secure_redis.domain.report import evidence
from secure_redis.kube.events import EventRecorder
from secure_redis.kube.resources import Resources
from secure_redis.reconciler.next_pass import Body, NextPass, ready_of
from secure_redis.reconciler.write_backoff import LONGEST_SECONDS

_log = logging.getLogger(__name__)

_GONE_SECONDS: Final = 60.0  # until the next pass over a resource that no install serves


class OtherInstalls:
    """Two installs would each lead a rotation, and regenerate what the other one has just stored: only one acts."""

    def __init__(
        self,
        resources: Resources,
        events: EventRecorder,
        now: Callable[[], datetime],
        written: Callable[[Key, Body], None],
    ) -> None:
        """`written(key, body)`: called with the body after a write."""
        self._resources = resources
        self._events = events
        self._now = now
        self._written = written

    async def leave_alone(self, resource: Envelope) -> NextPass:
        """Leave the resource to the install that claims it. Report Unknown if that install does not run.

        Raises:
            ApiFailure: the API server did not answer, or did not take the status.
            ResourceChanged: another party wrote the resource meanwhile.
            ResourceGone: it was deleted.

        """
        standing = await self._resources.standing(resource)
        if standing.gone is not None:
            return await self._report_unserved(resource, standing.gone)
        note = (
            f"this resource is served by the operator whose Lease is {resource.operator}. Uninstall one of the two. "
            f"If that one is permanently gone, remove the annotation {names.OPERATOR}"
        )
        _log.warning("left to another install", extra={"resource": str(resource.key), "install": resource.operator})
        await self._events.emit(resource, "Warning", Reason.OPERATED_BY_ANOTHER, note, "Reconcile")
        return NextPass(standing.again_in, grows_to=LONGEST_SECONDS)

    async def _report_unserved(self, resource: Envelope, why: str) -> NextPass:
        """Report that no operator observes the resource. A person takes it over: the other install can come back."""
        note = (
            f"no operator serves this resource: {why}. If the operator that the annotation {names.OPERATOR} names is "
            "permanently gone, remove the annotation, and this operator takes the resource over"
        )
        reported = evidence.unserved(resource, self._now(), note)
        body = await self._resources.write_status(resource, reported)
        if body is not None:
            self._written(resource.key, body)
            _log.warning("no install serves a resource", extra={"resource": str(resource.key), "why": why})
            await self._events.emit(resource, "Warning", Reason.OPERATOR_GONE, note, "Reconcile")
        return NextPass(_GONE_SECONDS, ready=ready_of(reported), grows_to=LONGEST_SECONDS)
