"""Reports resources whose state no pass could find out: passes fail, or none is made in time."""

import logging
from collections.abc import Callable
from datetime import datetime

from secure_redis.api.resource import Envelope, Key, envelope
from secure_redis.api.status import Status
from secure_redis.domain.report import evidence
from secure_redis.kube.resources import ResourceGone, Resources
from secure_redis.reconciler.next_pass import Body

log = logging.getLogger(__name__)


class UnobservedResources:
    """Writes the status only, and only where it differs. A pass that runs meanwhile writes nothing over it."""

    def __init__(
        self, resources: Resources, *, now: Callable[[], datetime], written: Callable[[Key, Body], None]
    ) -> None:
        """`written(key, body)`: called with the body after the write."""
        self._resources = resources
        self._now = now
        self._written = written

    async def report_failed(self, key: Key, body: Body, error: str) -> None:
        """Report Unknown on every safety condition. `error`: the class of the exception that ended the last pass.

        Raises:
            ApiFailure: the API server did not take the status.
            ResourceChanged: another party wrote the resource; what is reported may still be so.

        """
        resource = envelope(body)
        await self._write(key, resource, evidence.failed(resource, self._now(), error))

    async def report_expired(self, key: Key, body: Body) -> None:
        """Report Unknown on every condition that was good. Raises as `report_failed`."""
        resource = envelope(body)
        status = evidence.expired(resource, self._now())
        if status != resource.status:
            log.warning("no reconcile has observed a resource in time", extra={"resource": str(key)})
        await self._write(key, resource, status)

    async def _write(self, key: Key, resource: Envelope, status: Status) -> None:
        if self._resources.served_elsewhere(resource):
            return  # its status is the other install's
        try:
            written = await self._resources.write_status(resource, status)
        except ResourceGone:
            return
        if written is not None:
            self._written(key, written)
