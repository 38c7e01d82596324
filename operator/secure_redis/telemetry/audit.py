"""Audit records: one per write to Azure, a vault, a Secret or a workload, with names and never with values."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from secure_redis.api.resource import Envelope

LOGGER: Final = "secure_redis.audit"

_log = logging.getLogger(LOGGER)


class Auditor:
    """Writes audit records to the logger `secure_redis.audit`, at INFO whatever the log level, and counts them."""

    def __init__(self, count: Callable[[str, str], None] = lambda action, result: None) -> None:
        self._count = count
        _log.setLevel(logging.INFO)

    def record(
        self,
        *,
        resource: Envelope,
        action: str,
        target: str,
        fields: Iterable[str],
        identity: str,
        trigger: str,
        correlation_id: str,
        result: str,
    ) -> None:
        """Record one write that was tried. `fields`: names only. `result`: `done`, or the reason why not."""
        self._count(action, result)
        _log.info(
            "%s %s: %s",
            action,
            target,
            result,
            extra={
                "audit": {
                    "resource": str(resource.key),
                    "uid": resource.uid,
                    "generation": resource.generation,
                    "action": action,
                    "target": target,
                    "fields": list(fields),
                    "identity": identity,
                    "trigger": str(trigger),
                    "correlationID": correlation_id,
                    "result": result,
                }
            },
        )
