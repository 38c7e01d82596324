"""Long-running operations on clusters: Pending, InProgress, and then their end, without any Retry-After."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import Enum

from sandbox.azure.access.call import Call
from sandbox.azure.arm.common import operation_url
from sandbox.azure.arm.managed_redis_refusals import conflict
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.state.managed_redis import ManagedState
from sandbox.azure.state.operation import ManagedOperation

_NO_TIME = "0001-01-01T00:00:00+00:00"  # an operation that is Pending (recorded)
_FAILED = frozenset({"Failed", "FailedWithoutError"})


class Result(Enum):
    """The result of an operation: UNDONE ends as if it had succeeded, and changed nothing."""

    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


Finish = Callable[[Result], Awaitable[None]]
Trouble = Callable[[], Json | None]


def no_trouble() -> Json | None:
    """Return that no part of the request itself makes the operation fail."""
    return None


def start(
    call: Call,
    cluster: ManagedState,
    seconds: float,
    finish: Finish,
    version: str,
    *,
    child: str = "",
    trouble: Trouble = no_trouble,
) -> ManagedOperation:
    """Start an operation that ends after `seconds` with `finish(result)`. The cluster is busy until then.

    `child` is the path below the cluster that it works on. `trouble` is asked at the end for the error of a failure.
    """
    world = call.world
    identifier = str(uuid.uuid4())
    url = operation_url(call, cluster.location, "operationsStatus", identifier, version)
    query = url.partition("?")[2]
    results = f"{world.names.management}{cluster.scope}{child}/operationresults/{identifier}?{query}"
    operation = ManagedOperation(identifier, url, results, world.timeline.now())
    world.managed_operations[identifier] = operation
    cluster.operation = identifier
    # The outcome is decided when the operation begins, so that a test can set it for exactly one.
    outcome = world.settings.operation_outcome
    operation.forgotten = outcome == "Forgotten"
    error = _error(call, identifier) if outcome == "Failed" else None

    async def proceed() -> None:
        if operation.status == "Pending":
            operation.status = "InProgress"

    async def end() -> None:
        cluster.operation = None
        problem = trouble()
        failed = problem is not None or outcome in _FAILED
        if failed or outcome == "SucceededButResourceFailed":
            await finish(Result.FAILED)
        else:
            await finish(Result.UNDONE if outcome == "NotCarriedOut" else Result.DONE)
        operation.error = problem or error
        operation.ended = world.timeline.now()
        operation.status = "Failed" if failed else "Succeeded"

    world.timeline.after(min(seconds, world.settings.managed_pending_seconds), proceed)
    if outcome != "NeverEnds":
        world.timeline.after(seconds, end)
    return operation


def _error(call: Call, identifier: str) -> Json:
    settings = call.world.settings
    text = f"{settings.operation_error_message} Request Id: {call.request_id}, Correlation id: {identifier}"
    return {"code": settings.operation_error_code, "message": text}


def addresses(operation: ManagedOperation) -> dict[str, str]:
    """Return the headers of an answer that begins an operation."""
    return {"Azure-AsyncOperation": operation.url, "Location": operation.results_url}


def show(call: Call, identifier: str, *, results: bool) -> Answer:
    """Return an operation's answer at its URL; `results`: at the one of the header Location, 202 while it runs."""
    operation = call.world.managed_operations.get(identifier.lower())
    if operation is None or operation.forgotten:
        raise Refusal(404, "NotFound", f"The operation '{identifier}' could not be found.")
    now = call.world.timeline.now()
    running = operation.status in ("Pending", "InProgress")
    status: Json = {
        "id": call.path,
        "name": identifier,
        "status": operation.status,
        "startTime": _time(operation.started),
        # Filled although it has not ended (recorded).
        "endTime": _NO_TIME if operation.status == "Pending" else _time(operation.ended or now),
    }
    if operation.error is not None:
        status["error"] = operation.error
    if results and running:
        return Answer(202, None, addresses(operation))
    return Answer(200, status)


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}0+00:00"


def check_busy(call: Call, cluster: ManagedState) -> None:
    """Raise Refusal 409 while an operation runs, and where a setting says so until its resource state shows it."""
    settings = call.world.settings
    if settings.busy_during_operation and not cluster.at_rest:
        raise conflict(call)
    if settings.managed_state_lag_refuses and cluster.lags:
        raise conflict(call)


def settle(call: Call, cluster: ManagedState, states: Callable[[], Json | None]) -> None:
    """Show that an operation on a resource has succeeded: `resourceState` follows later (a setting).

    `states` returns the object that has the states: the cluster's properties, or its database.
    """
    world = call.world
    shown = states()
    if shown is None:
        return
    shown["provisioningState"] = "Succeeded"
    lagging = shown["resourceState"]
    seconds = world.settings.managed_state_lag_seconds
    if seconds <= 0:
        shown["resourceState"] = "Running"
        return

    async def run() -> None:
        late = states()
        if late is not None and (late["provisioningState"], late["resourceState"]) == ("Succeeded", lagging):
            late["resourceState"] = "Running"
            await world.changed_cluster(cluster)

    world.timeline.after(seconds, run)
