"""Finds out whether the install of the operator that claims a resource still runs, by its Lease."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from secure_redis.api import names
from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.kube.lease import boot_time

LIVE_SECONDS: Final = 60.0  # until the Lease of an install that renews it is read again
_READ_SECONDS: Final = 5.0  # one read serves all resources with this claim
_LEAST_DURATION: Final = 15.0  # seconds: the shipped duration, also for a Lease that no process holds, or that is gone
_LONGEST_DURATION: Final = 60.0  # a party that can write a Lease cannot put the decision off for ever
_KEPT: Final = 256  # claims; anyone who may annotate a resource can name any
# The name of each install's Lease is the same, so a claim differs in its namespace only (a DNS label).
_CLAIM: Final = re.compile(r"([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)/" + re.escape(names.MANAGER))


class Standing(NamedTuple):
    """Whether a claim counts. `gone`: why no operator serves the resource; None: the install runs, or may run.

    `again_in`: seconds until another check can decide differently.
    """

    gone: str | None
    again_in: float = LIVE_SECONDS


@dataclass(slots=True)
class _Observed:
    """A Lease as this process observed it. `version`: empty if no process holds it. Times by the boot-time clock."""

    version: str
    since: float  # when this version was first observed
    read: float
    duration: float
    denied: bool = False


class Installs:
    """Observes the Leases of other installs. Only the time between two own reads counts, never a remote clock.

    This never takes a resource over: an install that cannot renew its Lease for a while may still have a request under
    way, and it continues when it can.
    """

    def __init__(self, client: KubeClient, clock: Callable[[], float] = boot_time) -> None:
        self._client = client
        self._clock = clock
        self._observed: dict[str, _Observed] = {}

    async def look(self, claim: str) -> Standing:
        """Return whether the install that this claim names still runs.

        Raises:
            ApiFailure: the API server did not answer.

        """
        match = _CLAIM.fullmatch(claim)
        if match is None:
            return Standing("the annotation names no Lease of an operator")
        found = await self._read(match[1])
        lease = f"the Lease {claim}"
        if found.denied and found.read - found.since >= found.duration:
            return Standing(f"this operator may not read {lease}: it needs the verb get on leases of that name")
        if found.read - found.since < found.duration:
            return Standing(None, LIVE_SECONDS if found.version and found.read > found.since else found.duration)
        if not found.version:
            return Standing(f"{lease} does not exist, or has no holder")
        return Standing(f"{lease} was not renewed for its whole duration")

    async def _read(self, namespace: str) -> _Observed:
        before, began = self._observed.get(namespace), self._clock()
        if before is not None and began - before.read < _READ_SECONDS:
            return before
        version, duration, denied = "", _LEAST_DURATION, False
        try:
            lease = await self._client.get(paths.lease(namespace, names.MANAGER))
        except ApiFailure as failure:
            denied = failure.status == 403
            if not denied and failure.status != 404:
                raise
        else:
            spec = lease.get("spec") or {}
            duration = min(max(float(spec.get("leaseDurationSeconds") or 0), _LEAST_DURATION), _LONGEST_DURATION)
            version = str(lease["metadata"]["resourceVersion"]) if spec.get("holderIdentity") else ""
        if before is not None and before.version == version and before.denied == denied:
            before.read, before.duration = began, duration
            return before
        now = self._clock()  # after the answer: the time that counts is never too long
        self._observed.pop(namespace, None)
        while len(self._observed) >= _KEPT:
            del self._observed[next(iter(self._observed))]
        self._observed[namespace] = _Observed(version, now, now, duration, denied)
        return self._observed[namespace]
