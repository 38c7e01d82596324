"""The state of a long-running operation."""

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
