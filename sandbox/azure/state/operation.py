"""The state of a long-running operation, of either service."""

from dataclasses import dataclass

from sandbox.azure.responses import Json
from sandbox.azure.state.redis import CacheState


@dataclass(slots=True)
class Operation:
    """An operation on a cache. `status` as its URL shows it; `signed_url` is what a poll of it repeats."""

    id: str
    kind: str
    cache: CacheState
    url: str
    status: str = "InProgress"
    error: Json | None = None


@dataclass(slots=True)
class ManagedOperation:
    """An operation on a cluster or its database. `started` and `ended` are Unix seconds of the simulator's clock."""

    id: str
    url: str
    results_url: str
    started: float
    ended: float | None = None
    status: str = "Pending"
    error: Json | None = None
    forgotten: bool = False
