"""Predict the effect of a correction before it is made. Pure; one entry per path of the spec.

Sources: docs/internals/azure-facts.md#updates-that-azure-refuses and
docs/internals/azure-facts.md#updates-that-disturb-clients. Where no source states the effect, the worse one is assumed.
The effect of a change of tier or size follows from both: `of_scaling`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.normalise import same_word, version
from secure_redis.domain.observe.tier import Scaling


class Effect(StrEnum):
    """From harmless to grave. Values are API (`status.drift[].effect`)."""

    NONE = "None"
    DROPS_CONNECTIONS = "DropsConnections"  # of clients that use what the spec forbids
    RESTARTS = "Restarts"  # nodes restart one after the other: every client reconnects
    DISCONNECTS = "Disconnects"  # clients are left without a way to the cache
    LOSES_DATA = "LosesData"
    NEEDS_REPLACEMENT = "NeedsReplacement"  # Azure refuses the change: another cache is needed

    @property
    def needs_request(self) -> bool:
        """Whether a correction is made only where the annotation requests it, path by path."""
        return self in {Effect.RESTARTS, Effect.DISCONNECTS, Effect.LOSES_DATA, Effect.NEEDS_REPLACEMENT}


SENTENCES: Final[Mapping[Effect, str]] = {
    Effect.NONE: "correcting it disturbs no client",
    Effect.DROPS_CONNECTIONS: "correcting it drops the connections that the spec forbids",
    Effect.RESTARTS: "correcting it restarts the cache's nodes one after the other: every client has to reconnect",
    Effect.DISCONNECTS: "correcting it leaves clients without a way to the cache",
    Effect.LOSES_DATA: "correcting it can lose data",
    Effect.NEEDS_REPLACEMENT: "Azure does not make this change to an existing cache: it needs another one",
}


def effect(path: str, declared: str, observed: str, cache: Cache) -> Effect:
    """Predict the effect on this cache of a change of `path` from `observed` to `declared`."""
    known = _EFFECTS.get(path.partition("[")[0])
    return Effect.NONE if known is None else known(declared, observed, cache)


def of_scaling(found: Scaling) -> Effect:
    """Return the effect of scaling."""
    return _SCALING[found]


def allowed(resource: SecureRedisCache, path: str) -> bool:
    """Whether a grave correction of this path was requested: the annotation lists paths, separated by commas."""
    requested = resource.requests.get(names.ALLOW_DISRUPTION, "")
    return path in {one.strip() for one in requested.split(",")}


# --- by path --------------------------------------------------------------------------------------------------------

_SCALING: Final[Mapping[Scaling, Effect]] = {
    Scaling.SAME: Effect.NONE,
    Scaling.RESTARTS: Effect.RESTARTS,
    Scaling.LOSES_DATA: Effect.LOSES_DATA,
    Scaling.REFUSED: Effect.NEEDS_REPLACEMENT,
}


def _always(what: Effect) -> Callable[[str, str, Cache], Effect]:
    return lambda _declared, _observed, _cache: what


def _public_access(declared: str, _observed: str, cache: Cache) -> Effect:
    if not same_word(declared, "Disabled"):
        return Effect.NONE
    return Effect.DROPS_CONNECTIONS if cache.has_approved_private_endpoint else Effect.DISCONNECTS


def _firewall(_declared: str, observed: str, _cache: Cache) -> Effect:
    # A missing rule is only added. Whether open connections end with a rule is not documented: assume that they do.
    return Effect.NONE if observed == "missing" else Effect.DROPS_CONNECTIONS


def _shards(declared: str, observed: str, _cache: Cache) -> Effect:
    if not (declared.isdigit() and observed.isdigit()):
        return Effect.LOSES_DATA
    if int(declared) == 0:
        return Effect.NEEDS_REPLACEMENT  # clustering cannot be switched off again
    return Effect.LOSES_DATA if int(declared) < int(observed) else Effect.RESTARTS


def _identity(declared: str, observed: str, cache: Cache) -> Effect:
    # Persistence stops without the identity that it writes as, and the next failure loses the data.
    removed = _listed(observed) - _listed(declared)
    return Effect.LOSES_DATA if removed and cache.persists is not False else Effect.NONE


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",")) - {"none"}


def _version(declared: str, observed: str, _cache: Cache) -> Effect:
    # Azure only upgrades the version of a cache. A version that is not known may be the newer one.
    required, found = version(declared), version(observed)
    newer = required is not None and found is not None and required > found
    return Effect.RESTARTS if newer else Effect.NEEDS_REPLACEMENT


def _setting(_declared: str, _observed: str, cache: Cache) -> Effect:
    # Whether a PATCH of one setting leaves those of persistence alone is not documented, and a connection string
    # cannot be read back.
    return Effect.LOSES_DATA if cache.persists is not False else Effect.NONE


def _memory_reserved(declared: str, observed: str, cache: Cache) -> Effect:
    # Reserved memory is no longer there for data: Redis removes keys, or refuses writes.
    known = declared.isdigit() and observed.isdigit()
    lower = known and int(declared) < int(observed)
    return _setting(declared, observed, cache) if lower else Effect.LOSES_DATA


def _access_keys(declared: str, _observed: str, cache: Cache) -> Effect:
    if same_word(declared, "Disabled"):
        return Effect.DISCONNECTS
    return Effect.RESTARTS if cache.KEY_SWITCH_CUTS else Effect.NONE


def _managed_size(_declared: str, _observed: str, cache: Cache) -> Effect:
    # Without a replica the memory of a node is lost while its size changes.
    return Effect.RESTARTS if cache.redundancy and not same_word(cache.redundancy, "None") else Effect.LOSES_DATA


_EFFECTS: Final[Mapping[str, Callable[[str, str, Cache], Effect]]] = {
    "transport.nonTLSPort": _always(Effect.DROPS_CONNECTIONS),
    "transport.minimumTLSVersion": _always(Effect.DROPS_CONNECTIONS),
    "network.publicAccess": _public_access,
    "network.firewallRules": _firewall,
    "provision.location": _always(Effect.NEEDS_REPLACEMENT),
    "provision.redis.redisVersion": _version,
    "provision.redis.zones": _always(Effect.NEEDS_REPLACEMENT),
    "provision.redis.replicas": _always(Effect.NEEDS_REPLACEMENT),
    "provision.redis.shards": _shards,
    "provision.redis.evictionPolicy": _setting,
    "provision.redis.memoryReservedMB": _memory_reserved,
    "provision.redis.updateChannel": _always(Effect.NONE),
    "provision.redis.maintenanceWindows": _always(Effect.NONE),
    "provision.identity.type": _identity,
    "provision.identity.userAssignedIDs": _identity,
    "provision.tags": _always(Effect.NONE),
    # Without persistence the next failure of the cache loses its data; switching it on or elsewhere loses nothing.
    "persistence.type": lambda declared, _o, _c: Effect.LOSES_DATA if declared == "None" else Effect.NONE,
    "persistence.frequencyMinutes": _always(Effect.NONE),
    "persistence.storage.accountID": _always(Effect.NONE),
    "persistence.storage.authentication": _always(Effect.NONE),
    "authentication.accessKeys": _access_keys,
    "transport.clientProtocol": _always(Effect.DROPS_CONNECTIONS),
    # Azure moves the disks to the other key: long, and it disturbs clients.
    "persistence.encryption.keySource": _always(Effect.RESTARTS),
    "persistence.encryption.keyURL": _always(Effect.RESTARTS),
    "persistence.encryption.identityID": _always(Effect.RESTARTS),
    "provision.managedRedis.sku": _managed_size,
    "provision.managedRedis.highAvailability": lambda declared, _o, _c: (
        Effect.RESTARTS if same_word(declared, "Enabled") else Effect.NEEDS_REPLACEMENT
    ),
    "provision.managedRedis.clusteringPolicy": lambda _d, observed, _c: (
        Effect.RESTARTS if same_word(observed, "NoCluster") else Effect.NEEDS_REPLACEMENT
    ),
    "provision.managedRedis.evictionPolicy": _always(Effect.NONE),
    "provision.managedRedis.modules": _always(Effect.NEEDS_REPLACEMENT),
    "provision.managedRedis.maintenanceWindows": _always(Effect.NONE),
}
