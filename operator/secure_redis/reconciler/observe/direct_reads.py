"""Decides when a cache is read directly instead of from the inventory. It is the same for every service."""

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Mode
from secure_redis.domain.observe.normalise import is_busy
from secure_redis.domain.plan import types
from secure_redis.domain.plan.cache.creation import was_observed


def needs_direct_read(resource: SecureRedisCache) -> bool:
    """Whether the inventory is not fresh enough, because something irreversible is due or an operation runs."""
    if resource.deleting or resource.status.pending is not None:
        return True
    if resource.spec.mode is Mode.PROVISION and not was_observed(resource):
        return True
    state = resource.status.cache.provisioning_state if resource.status.cache else None
    return state is not None and is_busy(state)


def about_to_create(resource: SecureRedisCache) -> bool:
    """Whether the next step may be a creation, so that the name is checked first."""
    pending = resource.status.pending
    provision = resource.spec.mode is Mode.PROVISION and not resource.deleting
    return provision and pending is not None and pending.action == types.CREATE
