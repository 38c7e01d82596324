"""Build the request that creates a cache, and the messages about a cache that exists or does not."""

import shlex
from collections.abc import Mapping
from typing import Any

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.grants import CreationTarget
from secure_redis.domain.observe.cache import Cache, OperationFacts
from secure_redis.domain.observe.normalise import same_word, tag
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.plan.actions import AzureAction, UpdateCache
from secure_redis.domain.plan.cache.setting_corrections import memory_settings

CREATING = "Azure is creating the cache; this takes 10 to 20 minutes"
FOREIGN = (
    f"the cache carries the tag {names.OWNER_TAG} of another SecureRedisCache: one resource provisions a cache, any "
    "number may validate it (mode: Validate)"
)


def was_observed(resource: SecureRedisCache) -> bool:
    """Whether the status reports that an earlier pass read the cache."""
    cache = resource.status.cache
    return cache is not None and cache.provisioning_state is not None


def existed(resource: SecureRedisCache, observed: Observation) -> bool:
    """Whether the cache existed. One that once existed is not created again without a request.

    The status may be lost. The Secret of this very resource was published from the cache, and this process remembers
    what it read. Neither allows a creation: they prevent one.
    """
    found = (observed.secret, *(observed.former_secrets if isinstance(observed.former_secrets, tuple) else ()))
    published = any(isinstance(one, SecretFacts) and one.owner_uid == resource.uid for one in found)
    return was_observed(resource) or observed.cache_existed or published


def denied(resource: SecureRedisCache, message: str) -> str:
    """Explain a missing right for a cache that was never observed. Azure refuses before it checks whether it exists.

    A role cannot be assigned on a cache that does not exist, so the command names the resource group.
    """
    cache = resource.cache
    group = f"/subscriptions/{cache.subscription}/resourceGroups/{cache.group}"
    on_cache, on_group = (f"--scope {shlex.quote(scope.lower())}" for scope in (cache.text, group))
    return (
        f"{message.replace(on_cache, on_group)}; Azure answers the same for a name that does not exist: are the "
        f"subscription and the resource group {cache.group!r} in spec.resourceID right?"
    )


def gone(resource: SecureRedisCache) -> str:
    """Return the sentence for a cache that is not there any more."""
    return (
        f"cache {resource.cache.name!r} existed and is gone. Its data is lost, so the operator does not create it "
        "again by itself: to have it created, delete and re-create this resource"
    )


def name_taken(resource: SecureRedisCache) -> str:
    """Explain that another cache has the name."""
    return (
        f"the name {resource.cache.name!r} is taken (cache names are unique over all of Azure): choose another in a "
        "new resource"
    )


def adoption(resource: SecureRedisCache) -> str:
    """Explain how an existing cache is adopted."""
    return (
        "the cache exists and was not created by this resource, so the operator does not change it. status.drift "
        f"shows the differences. To take it over annotate {names.ADOPT}: {resource.cache.name}"
    )


def busy_reason(state: str) -> Reason:
    """Return the reason that goes with a busy provisioning state."""
    return {"creating": Reason.CREATING, "deleting": Reason.DELETING}.get(state.lower(), Reason.UPDATING)


def busy(state: str) -> str:
    """Return the sentence that goes with a busy provisioning state."""
    return CREATING if state.lower() == "creating" else f"Azure is working on the cache ({state})"


def failed(operation: OperationFacts | None) -> Blocked:
    """Report how an accepted operation ended; it is retried when the spec changes or a refresh is requested."""
    parts = (operation.status, operation.code, operation.message) if operation else ()
    detail = ": ".join(part for part in parts if part)
    return Blocked(
        Reason.PROVISIONING_FAILED,
        f"Azure accepted the last change and then ended it as {detail}; repair the cause, then change the spec or set "
        f"the annotation {names.REFRESH} to a new value",
    )


def target(resource: SecureRedisCache) -> CreationTarget:
    """Return where and how large the cache would be. The schema requires these for Provision."""
    declared = resource.spec.provision
    if declared is None or declared.redis is None:
        return CreationTarget("", "", 0)
    return CreationTarget(declared.location, declared.redis.sku.name, declared.redis.sku.capacity)


def tags(resource: SecureRedisCache, owner: str, observed: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Observed, declared and the ownership tag together: Azure replaces all tags together; names have no case."""
    declared = dict(resource.spec.provision.tags) if resource.spec.provision else {}
    taken = {name.lower() for name in (*declared, names.OWNER_TAG)}
    kept = {name: value for name, value in (observed or {}).items() if name.lower() not in taken}
    return {**kept, **declared, names.OWNER_TAG: owner}


def _incomplete(resource: SecureRedisCache) -> Mapping[str, str]:
    """Return the tag by which a creation in several writes goes on after a crash; empty: one write is all of it.

    Only the tag allows the later writes, which need no consent, and only the tag says which. The status anyone may
    forge.
    """
    if resource.spec.network.firewall_rules:
        return {names.CREATION_TAG: names.CREATION_INCOMPLETE}
    return {names.CREATION_TAG: names.CREATION_PERSISTENCE} if _owes_more(resource) else {}


def is_incomplete(cache: Cache) -> bool:
    """Whether the operator created the cache, and its network, persistence or windows are not as declared yet."""
    return tag(cache.tags, names.CREATION_TAG) in {names.CREATION_INCOMPLETE, names.CREATION_PERSISTENCE}


def owes_network(cache: Cache) -> bool:
    """Whether the network of a cache in creation was never as declared yet. A later change in it is drift."""
    return tag(cache.tags, names.CREATION_TAG) == names.CREATION_INCOMPLETE


def may_owe_network(resource: SecureRedisCache) -> bool:
    """Whether the spec declares something of the network that a creation could still bring."""
    network = resource.spec.network
    return bool(network.firewall_rules) or not same_word(network.public_access, "Disabled")


def opened(resource: SecureRedisCache, cache: Cache, action: AzureAction) -> AzureAction:
    """Let the request that opens a cache in creation, the last one for its network, also write that into the tag."""
    if not isinstance(action, UpdateCache) or not _owes_more(resource):
        return action
    access = action.body.get("properties", {}).get("publicNetworkAccess", "Disabled")
    if same_word(access, "Disabled"):
        return action
    return UpdateCache({**action.body, **network_brought(cache).body}, (*action.fields, "tags"))


def network_brought(cache: Cache) -> UpdateCache:
    """Write into the tag that the network is there; persistence and windows may be left. It replaces all tags."""
    return UpdateCache({"tags": {**_untagged(cache), names.CREATION_TAG: names.CREATION_PERSISTENCE}}, ("tags",))


def finished(cache: Cache) -> UpdateCache:
    """Remove the tag of an incomplete creation. Azure replaces all tags at the same time."""
    return UpdateCache({"tags": _untagged(cache)}, ("tags",))


def _untagged(cache: Cache) -> dict[str, str]:
    return {name: value for name, value in cache.tags.items() if not same_word(name, names.CREATION_TAG)}


def _owes_more(resource: SecureRedisCache) -> bool:
    """Whether a creation brings something after the network: persistence, or maintenance windows."""
    persistence = resource.spec.persistence
    return maintenance_windows(resource) or (persistence is not None and persistence.type != "None")


def maintenance_windows(resource: SecureRedisCache) -> bool:
    """Whether the spec declares when Azure may patch a Microsoft.Cache/redis cache."""
    declared = resource.spec.provision.redis if resource.spec.provision is not None else None
    return declared is not None and bool(declared.maintenance_windows)


def body(resource: SecureRedisCache, owner: str) -> Mapping[str, Any]:
    """Build the raw PUT body: every security setting explicit, nothing that is not declared."""
    declared = resource.spec.provision
    if declared is None or declared.redis is None:
        raise ValueError("mode Provision without spec.provision.redis")
    sku, network = declared.redis.sku, resource.spec.network
    properties: dict[str, Any] = {
        "sku": {"name": sku.name, "family": sku.family, "capacity": sku.capacity},
        "enableNonSslPort": False,
        "minimumTlsVersion": resource.spec.transport.minimum_tls_version,
        # No rules mean open to all: with declared rules the cache is opened last, once they are in place.
        "publicNetworkAccess": "Disabled" if network.firewall_rules else network.public_access,
    }
    if declared.redis.redis_version is not None:
        properties["redisVersion"] = declared.redis.redis_version
    if declared.redis.replicas is not None:
        properties["replicasPerPrimary"] = declared.redis.replicas
    if declared.redis.shards:
        properties["shardCount"] = declared.redis.shards
    if declared.redis.update_channel is not None:
        properties["updateChannel"] = declared.redis.update_channel
    settings = memory_settings(declared.redis)
    if settings:
        properties["redisConfiguration"] = settings
    document: dict[str, Any] = {
        "location": declared.location,
        "tags": {**tags(resource, owner), **_incomplete(resource)},
        "properties": properties,
    }
    if declared.redis.zones:
        document["zones"] = list(declared.redis.zones)
    if declared.identity is not None and declared.identity.type != "None":
        document["identity"] = {"type": declared.identity.type}
        if declared.identity.user_assigned_ids:
            document["identity"]["userAssignedIdentities"] = {item: {} for item in declared.identity.user_assigned_ids}
    return document
