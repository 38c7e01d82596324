"""Define how old the answers that a pass uses may be."""

from dataclasses import dataclass

from secure_redis.api.resource import SecureRedisCache


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds, except `of_interval`: the cache's and the vault's ages are a part of the resource's own interval."""

    of_interval: float = 0.9
    children: float = 900.0
    proof: float = 3600.0
    proof_in_rotation: float = 30.0  # a key may be regenerated in the portal meanwhile

    def of(self, resource: SecureRedisCache) -> float:
        """Return how old an answer about the cache or the vault may be."""
        return resource.spec.drift.interval_seconds * self.of_interval
