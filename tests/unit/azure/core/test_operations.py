"""An operation that never ends is followed for an hour; from then on the states of the cache decide."""

import json
from types import SimpleNamespace
from typing import Any, cast

from secure_redis.api.azure_ids import CacheID
from secure_redis.azure.core.calls import Calls
from secure_redis.azure.core.credentials import Credentials
from secure_redis.azure.core.failures import Source
from secure_redis.azure.core.operations import DEADLINE_SECONDS, Operations
from secure_redis.domain.observe.cache import OperationFacts
from tests.builders.world import CACHE_ID, IDENTITY

CACHE = CacheID.parse(CACHE_ID)
SIGNED = "https://management.test/operations/1?s=secret"


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


async def running(url: str) -> Any:
    """Azure's answer about an operation that goes on: it repeats the URL."""
    text = json.dumps({"status": "InProgress"})
    return SimpleNamespace(status_code=200, headers={"Azure-AsyncOperation": url}, text=lambda: text)


async def test_an_operation_that_never_ends_is_given_up_after_an_hour() -> None:
    cloud = SimpleNamespace(resource_manager="https://management.test", is_resource_manager=lambda _url: True)
    clock = Clock()
    calls = Calls(cast("Credentials", None), Source.RESOURCE_MANAGER)
    operations = Operations(cast("Any", SimpleNamespace(cloud=cloud)), calls, clock)
    operations.keep(IDENTITY, CACHE, {"Azure-AsyncOperation": SIGNED})
    while clock.now < 50.0 + DEADLINE_SECONDS:
        assert await operations.poll(IDENTITY, CACHE, running) == OperationFacts("InProgress")
        clock.now += DEADLINE_SECONDS / 4
    assert await operations.poll(IDENTITY, CACHE, running) is None
    operations.keep(IDENTITY, CACHE, {"Azure-AsyncOperation": SIGNED})  # the next write has an hour of its own
    assert await operations.poll(IDENTITY, CACHE, running) == OperationFacts("InProgress")
