"""Long-running operations: their states on the simulator's clock, and their effect when they end."""

import uuid
from collections.abc import Awaitable, Callable

from sandbox.azure.access.call import Call
from sandbox.azure.arm.common import operation_url
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.state.operation import Operation
from sandbox.azure.state.redis import CacheState
from sandbox.azure.state.world import World

Finish = Callable[[bool], Awaitable[None]]


def start(call: Call, cache: CacheState, kind: str, seconds: float, finish: Finish, version: str) -> Operation:
    """Start an operation that ends after `seconds` with `finish(succeeded)`. The cache is busy until then."""
    world = call.world
    identifier = str(uuid.uuid4())
    path = "operationresults" if kind == "delete" else "asyncOperations"
    operation = Operation(identifier, kind, cache, operation_url(call, cache.location, path, identifier, version))
    world.operations[identifier] = operation
    cache.operation = identifier
    # The outcome is decided when the operation begins, so that a test can set it for exactly one.
    outcome = world.settings.operation_outcome
    error: Json | None = None
    if outcome == "Failed":
        text = f"{world.settings.operation_error_message} Request Id: {call.request_id}, Correlation id: {identifier}"
        error = {"code": world.settings.operation_error_code, "message": text}

    async def end() -> None:
        cache.operation = None
        await finish(outcome == "Succeeded")
        operation.error = error
        operation.status = "Failed" if outcome in ("Failed", "FailedWithoutError") else "Succeeded"

    world.timeline.after(seconds, end)
    return operation


def show(call: Call, identifier: str, *, results: bool) -> Answer:
    """Return an operation's answer at its URL. A deletion is polled in the form `results` (202 while it runs)."""
    operation = call.world.operations.get(identifier)
    if operation is None:
        raise Refusal(404, "NotFound", f"The operation '{identifier}' could not be found.")
    # The signature in the query is not part of an operation's id.
    status: Json = {"id": call.path, "name": identifier, "status": operation.status}
    if results:
        if operation.status == "InProgress":
            return Answer(202, status, {"Azure-AsyncOperation": operation.url, "Location": operation.url})
        return Answer(200, {**status, **({"error": operation.error} if operation.error else {})})
    status |= {
        "startTime": None,
        "endTime": None,
        "percentComplete": None,
        "properties": None,
        "error": operation.error,
    }
    return Answer(200, status, {"Azure-AsyncOperation": operation.url})


_RESTING = frozenset({"Succeeded", "Failed", "Disabled"})


def busy(world: World, cache: CacheState) -> bool:
    """Return whether the cache accepts no update now."""
    at_work = cache.operation is not None or cache.state not in _RESTING
    return cache.busy or (at_work and world.settings.busy_during_operation)
