"""Choose the next correction of `spec.provision`: identity, tier and size, shards, version, tags. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from secure_redis.api import names
from secure_redis.api.spec.spec import CacheIdentity, Provision, RedisProvision
from secure_redis.domain.assess.drift import Drift, indexed
from secure_redis.domain.assess.redis import (
    CHANNEL,
    EVICTION,
    IDENTITY_IDS,
    IDENTITY_TYPE,
    MEMORY_RESERVED,
    SHARDS,
    SKU_CAPACITY,
    SKU_NAME,
    VERSION,
)
from secure_redis.domain.grants import CreationTarget
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.normalise import identity_kinds, maxmemory_policy
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.tier import Size, next_size
from secure_redis.domain.plan.actions import UpdateCache

_OWN_TAGS = frozenset({names.OWNER_TAG.lower(), names.LEADER_TAG.lower(), names.CREATION_TAG.lower()})
_USER_ASSIGNED = "userassigned"


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One write, the paths that it corrects, and for a change of size the cache as it would be, for the grants."""

    action: UpdateCache
    paths: tuple[str, ...]
    target: CreationTarget | None = None


def next_setting(
    declared: Provision | None, cache: Redis, found: tuple[Drift, ...], due: set[str]
) -> SettingChange | None:
    """Return the next write. None: nothing is due. `found`: every difference that counts; `due`: those to correct."""
    if declared is None:
        return None
    return (
        identity_change(declared.identity, due)
        or (_settings(declared.redis, cache, found, due) if declared.redis is not None else None)
        or tags_change(declared.tags, cache, due)
    )


def identity_change(declared: CacheIdentity | None, due: set[str]) -> SettingChange | None:
    """Set exactly the declared identity. Removing one that persistence may use was requested by name before."""
    paths = tuple(path for path in (IDENTITY_TYPE, IDENTITY_IDS) if path in due)
    if declared is None or not paths:
        return None
    body: dict[str, Any] = {"type": declared.type}
    if _USER_ASSIGNED in identity_kinds(declared.type):
        body["userAssignedIdentities"] = {one: {} for one in declared.user_assigned_ids}
    return SettingChange(UpdateCache({"identity": body}, ("identity",)), paths)


def _settings(declared: RedisProvision, cache: Redis, found: tuple[Drift, ...], due: set[str]) -> SettingChange | None:
    scaled = _scaled(declared, cache, {one.path for one in found}, due)
    if scaled is not None:
        return scaled
    if SHARDS in due:
        return _property("shardCount", declared.shards, SHARDS)
    if VERSION in due:
        return _property("redisVersion", declared.redis_version, VERSION)
    return _memory(declared, due) or (
        _property("updateChannel", declared.update_channel, CHANNEL) if CHANNEL in due else None
    )


def _memory(declared: RedisProvision, due: set[str]) -> SettingChange | None:
    """Set what is due of redisConfiguration. Azure ignores it in one request with a size, so it goes alone."""
    settings = memory_settings(declared)
    names = {EVICTION: "maxmemory-policy", MEMORY_RESERVED: "maxmemory-reserved"}
    changed = {path: name for path, name in names.items() if path in due and name in settings}
    if not changed:
        return None
    body = {"properties": {"redisConfiguration": {name: settings[name] for name in changed.values()}}}
    fields = tuple(f"redisConfiguration.{name}" for name in changed.values())
    return SettingChange(UpdateCache(body, fields), tuple(changed))


def memory_settings(declared: RedisProvision) -> Mapping[str, str]:
    """Return what `redisConfiguration` says about memory, where it is declared. Its values are always strings."""
    settings = {}
    if declared.eviction_policy is not None:
        settings["maxmemory-policy"] = maxmemory_policy(declared.eviction_policy)
    if declared.memory_reserved_mb is not None:
        settings["maxmemory-reserved"] = str(declared.memory_reserved_mb)
    return settings


def _scaled(declared: RedisProvision, cache: Redis, differing: set[str], due: set[str]) -> SettingChange | None:
    """Scale. One request sets tier and size, so both must be due; a size that is ignored stays as it is."""
    wanted = Size(
        declared.sku.name if SKU_NAME in differing else cache.sku_name,
        declared.sku.capacity if SKU_CAPACITY in differing else cache.sku_capacity,
    )
    size = next_size(cache.size, wanted)
    changes = {SKU_NAME: SKU_NAME in differing, SKU_CAPACITY: size.capacity != cache.sku_capacity}
    paths = tuple(path for path, changed in changes.items() if changed)
    if not paths or not due.issuperset(paths):
        return None
    sku = {"name": size.name, "family": size.family, "capacity": size.capacity}
    target = CreationTarget(cache.location, size.name, size.capacity)
    return SettingChange(UpdateCache({"properties": {"sku": sku}}, ("sku",)), paths, target)


def _property(name: str, value: Any, path: str) -> SettingChange:
    return SettingChange(UpdateCache({"properties": {name: value}}, (name,)), (path,))


def tags_change(declared: Mapping[str, str], cache: Cache, due: set[str]) -> SettingChange | None:
    """Set the tags that are due.

    Azure replaces all tags at the same time, so all others are sent as they were observed.
    """
    paths = {name: indexed("provision.tags", name) for name in declared}
    changed = {name: value for name, value in declared.items() if paths[name] in due and name.lower() not in _OWN_TAGS}
    if not changed:
        return None
    taken = {name.lower() for name in changed}
    kept = {name: value for name, value in cache.tags.items() if name.lower() not in taken}
    corrected = tuple(dict.fromkeys(paths[name] for name in changed))
    return SettingChange(UpdateCache({"tags": {**kept, **changed}}, ("tags",)), corrected)
