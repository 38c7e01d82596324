"""The edge where a pass meets the outside: what fails there is Unknown or failed, and no read lasts for ever.

Every read of an observation uses `guarded`. An answer that no code expects is then a fact about one part, with
the class of the exception. It is never a failed pass, which would leave the last status in place. A write uses
`attempted`, which has no deadline: a write that is cut off may or may not have been done. The clients bound it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.kube.client import ApiFailure
from secure_redis.kube.history import HistoryRewritten
from secure_redis.kube.lease import LeadershipLost
from secure_redis.kube.resources import ResourceChanged, ResourceGone
from secure_redis.telemetry.logs import stack

_log = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds for all reads of a pass in Azure, in vaults and at the endpoint. One request waits up to 20 s for its turn and
# 60 s for its answer (`azure.core`). A service that does not answer ends a part after one or two of those, so only a
# list or a chain of reads that crawls takes longer than this.
AZURE_SECONDS: Final = 240.0
# Seconds for the reads in Kubernetes. One request takes up to 20 s (`kube.client`).
KUBERNETES_SECONDS: Final = 60.0
# Seconds after its beginning from which a pass begins no write any more. The next pass makes it.
LAST_WRITE_SECONDS: Final = 360.0
# How much later the deadline of a whole part is, so that a read that is cut off is reported by itself.
_GRACE_SECONDS: Final = 1.0
# They end the process or belong to the pass as a whole.
_PASSED_ON: Final = (ApiFailure, HistoryRewritten, LeadershipLost, ResourceChanged, ResourceGone)

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def reading_within(seconds: float) -> Iterator[None]:
    """Cut off every read inside the context that has not ended after so many seconds."""
    token = _deadline.set(asyncio.get_running_loop().time() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


async def guarded(read: Awaitable[T], what: str) -> T | Unknown:
    """Await one read of `what`. Unknown if it takes too long, or raises what no code expects.

    Raises:
        ApiFailure, HistoryRewritten, LeadershipLost: as the read raised them.

    """
    return await _guard(read, what, _deadline.get())


async def guarded_part(read: Awaitable[T], what: str) -> T | Unknown:
    """Await all reads of one part, and the code between them. Raises as `guarded`."""
    deadline = _deadline.get()
    return await _guard(read, what, None if deadline is None else deadline + _GRACE_SECONDS)


async def _guard(read: Awaitable[T], what: str, deadline: float | None) -> T | Unknown:
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            return await read
    except _PASSED_ON:
        raise
    except Exception as error:
        if limit.expired():
            return Unknown(Reason.PASS_DEADLINE, f"reading {what} took longer than a reconcile may take")
        name = _logged(error, "a read failed unexpectedly", what)
        return Unknown(Reason.INTERNAL_ERROR, f"the operator failed to read {what} ({name})")


async def attempted(write: Awaitable[T], what: str) -> T | WriteFailure:
    """Await one write. An exception that no code expects is a failure after which the write may have been done.

    Raises:
        ApiFailure, HistoryRewritten, LeadershipLost, ResourceChanged, ResourceGone: as the write raised them.

    """
    try:
        return await write
    except _PASSED_ON:
        raise
    except Exception as error:
        name = _logged(error, "a write failed unexpectedly", what)
        return WriteFailure(Reason.INTERNAL_ERROR, f"the operator failed at {what} ({name})", maybe_done=True)


def _logged(error: Exception, message: str, what: str) -> str:
    """Log where the exception was raised, and return its class. Its text may quote a value: it goes nowhere."""
    name = type(error).__name__
    _log.error(message, extra={"what": what, "error": name, "stack": stack(error)})
    return name
