"""Reads the long-running operation that a write of this process started on a cache, and keeps the one that failed."""

from collections.abc import Awaitable

from secure_redis.api.resource import Key, SecureRedisCache
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.reconciler.edge import guarded
from secure_redis.reconciler.pass_state import PassState


class OperationReader:
    """Keeps, per resource, the operation that failed, with the generation whose write failed."""

    def __init__(self) -> None:
        self._failed: dict[Key, tuple[int, OperationFacts]] = {}

    async def read(
        self, resource: SecureRedisCache, polled: Awaitable[OperationFacts | None], pass_state: PassState
    ) -> OperationFacts | None:
        """Return the operation that runs or failed. A failed one counts until the spec or a refresh changes it."""
        key, found = resource.key, await guarded(polled, "the operation")
        operation = None if isinstance(found, Unknown) else found  # `provisioningState` decides
        failed = self._failed.get(key)
        if operation is not None and operation.status in {"Failed", "Canceled"}:
            self._failed[key] = (resource.generation, operation)
        elif operation is not None or pass_state.refresh or (failed is not None and failed[0] != resource.generation):
            self._failed.pop(key, None)
        failed = self._failed.get(key)
        return operation or (failed[1] if failed is not None else None)

    def has_failed(self, key: Key) -> bool:
        """Whether the last operation failed."""
        return key in self._failed

    def forget(self, key: Key) -> None:
        """Forget a resource that is gone, or a failure that was dealt with."""
        self._failed.pop(key, None)
