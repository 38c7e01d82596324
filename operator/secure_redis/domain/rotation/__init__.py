"""Led rotation: when a key is regenerated, and how the new one reaches every consumer before the old one dies."""

from secure_redis.domain.rotation.machine import rotate
from secure_redis.domain.rotation.sight import (
    candidate,
    needs_holders,
    needs_keys,
    occasion_in,
    occasion_of,
    under_way,
    wave_limit,
)
from secure_redis.domain.rotation.told import after

__all__ = [
    "after",
    "candidate",
    "needs_holders",
    "needs_keys",
    "occasion_in",
    "occasion_of",
    "rotate",
    "under_way",
    "wave_limit",
]
