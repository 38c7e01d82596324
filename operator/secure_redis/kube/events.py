"""Write events on resources: on transitions only, bounded, and without delaying a pass.

They are core/v1. `kubectl describe` and `kubectl get events --sort-by=.lastTimestamp` sort by `lastTimestamp`, which
events.k8s.io/v1 calls deprecatedLastTimestamp and refuses in a create (docs/internals/kubernetes-facts.md#events).
"""

import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

from secure_redis.api import names
from secure_redis.api.resource import Envelope, Key
from secure_redis.api.times import rfc3339
from secure_redis.kube import paths
from secure_redis.kube.client import ApiFailure, KubeClient
from secure_redis.telemetry.redaction import redact

_log = logging.getLogger(__name__)

NOTE_LIMIT: Final = 1024  # bytes, by the API
BURST: Final = 20  # events of one resource at the same time; then one each REFILL_SECONDS
REFILL_SECONDS: Final = 60.0
REPEAT_SECONDS: Final = 3600.0  # the same event again only after this


class EventRecorder:
    """Writes events. The same (type, reason, note) of a resource is written once an hour; a resource has a budget."""

    def __init__(
        self,
        client: KubeClient,
        instance: str,
        clock: Callable[[], float],
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._instance = instance[:128] or "unknown"
        self._clock = clock
        self._wall = wall
        self._written: dict[Key, dict[tuple[str, str, str], float]] = {}
        self._budget: dict[Key, tuple[float, float]] = {}

    async def emit(
        self, resource: Envelope, kind: Literal["Normal", "Warning"], reason: str, note: str, action: str
    ) -> None:
        """Write one event. A failure is only logged: the status reports the same."""
        note = _cut(redact(note))
        if not self._may(resource.key, (kind, reason, note)):
            return
        namespace, name = resource.key
        now = self._wall()
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name[:200]}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "firstTimestamp": rfc3339(now),
            "lastTimestamp": rfc3339(now),
            "count": 1,
            "source": {"component": names.MANAGER},
            "reportingComponent": f"{names.GROUP}/{names.MANAGER}",
            "reportingInstance": self._instance,
            "type": kind,
            "reason": reason,
            "action": action,
            "message": note,
            "involvedObject": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "namespace": namespace,
                "name": name,
                "uid": resource.uid,
                "resourceVersion": resource.resource_version,
            },
        }
        try:
            await self._client.create(paths.events(namespace), body)
        except ApiFailure as failure:
            _log.info("an event was not written", extra={"resource": str(resource.key), "why": failure.message})

    def forget(self, key: Key) -> None:
        """Drop the records of a resource that is gone."""
        self._written.pop(key, None)
        self._budget.pop(key, None)

    def _may(self, key: Key, what: tuple[str, str, str]) -> bool:
        now = self._clock()
        written = self._written.setdefault(key, {})
        for old in [event for event, at in written.items() if now - at >= REPEAT_SECONDS]:
            del written[old]
        tokens, at = self._budget.get(key, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - at) / REFILL_SECONDS)
        allowed = what not in written and tokens >= 1.0
        self._budget[key] = (tokens - 1.0 if allowed else tokens, now)
        if allowed:
            written[what] = now
        return allowed


def _cut(note: str) -> str:
    encoded = note.encode()
    if len(encoded) <= NOTE_LIMIT:
        return note
    return encoded[: NOTE_LIMIT - 3].decode(errors="ignore") + "…"
