"""How a Microsoft.Cache/redis cache is compared with its spec, and who owns it."""

from collections.abc import Iterable
from dataclasses import replace

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DriftClass, Mode, Provision, RedisProvision
from secure_redis.domain.assess import ownership, persistence
from secure_redis.domain.assess.disruption import Effect, effect, of_scaling
from secure_redis.domain.assess.drift import (
    NONE,
    NOT_REPORTED,
    NOT_SET,
    ORDER,
    Drift,
    indexed,
    listed,
    location,
    minimum_tls,
    public_access,
    short,
    tags,
)
from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.cache import PublicAddress
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import PatchWindow
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.tier import Isolation, Size, scaling
from secure_redis.domain.observe.unknown import NotRead, Unknown

SKU_NAME = "provision.redis.sku.name"
SKU_CAPACITY = "provision.redis.sku.capacity"
VERSION = "provision.redis.redisVersion"
SHARDS = "provision.redis.shards"
EVICTION = "provision.redis.evictionPolicy"
MEMORY_RESERVED = "provision.redis.memoryReservedMB"
CHANNEL = "provision.redis.updateChannel"
WINDOWS = "provision.redis.maintenanceWindows"
IDENTITY_TYPE = "provision.identity.type"
IDENTITY_IDS = "provision.identity.userAssignedIDs"
# Azure's defaults, where an answer omits the setting (docs/internals/azure-facts.md#properties-and-defaults).
_DEFAULT_POLICY = "volatile-lru"
_DEFAULT_CHANNEL = "Stable"
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
GEO_LINKED = "Azure does not scale a geo-linked cache: remove its link first"
# `provision.tags` and `network.firewallRules` continue with a name in brackets.
COMPARED: tuple[str, ...] = (
    "transport.nonTLSPort",
    "transport.minimumTLSVersion",
    "network.publicAccess",
    "network.firewallRules",
    *persistence.PATHS,
    "provision.location",
    "provision.tags",
    SKU_NAME,
    SKU_CAPACITY,
    VERSION,
    "provision.redis.zones",
    "provision.redis.replicas",
    SHARDS,
    EVICTION,
    MEMORY_RESERVED,
    CHANNEL,
    WINDOWS,
    IDENTITY_TYPE,
    IDENTITY_IDS,
)


def owner(cache: Redis, cluster_uid: str, resource_uid: str) -> ownership.Ownership | None:
    """Read from the cache's tag which resource owns it."""
    return ownership.ownership(cache, cluster_uid, resource_uid)


def differences(cache: Redis, resource: SecureRedisCache, observed: Observation) -> tuple[Drift, ...]:
    """List all differences between spec and cache, worst class first.

    Transport and network always; firewall rules only if declared and read; `provision.*` in mode Provision only.
    """
    found = [*_non_tls_port(cache), *minimum_tls(resource, cache), *public_access(resource, cache)]
    declared, firewall_rules = resource.spec.network.firewall_rules, observed.firewall_rules
    if declared and isinstance(firewall_rules, tuple):
        rules = tuple(FirewallRuleFacts(rule.name, rule.start_ip, rule.end_ip) for rule in declared)
        found += _firewall(rules, firewall_rules, cache)
    found += (
        Drift(one.path, one.declared, short(one.observed), one.drift_class, one.correctable, one.note)
        for one in persistence.differences(resource, cache)
    )
    found = [_with_effect(one, cache) for one in found]
    if resource.spec.mode is Mode.PROVISION and resource.spec.provision is not None:
        found += provision_differences(resource.spec.provision, cache)
        found += _windows(resource.spec.provision.redis, cache, observed.patch_schedule)
    found.sort(key=lambda entry: ORDER[entry.drift_class])
    return tuple(found)


def _non_tls_port(cache: Redis) -> Iterable[Drift]:
    if cache.plaintext_open is not False:
        observed = "Enabled" if cache.plaintext_open else NOT_SET
        yield Drift(
            "transport.nonTLSPort",
            "Disabled",
            observed,
            DriftClass.SECURITY,
            True,
            "keys and data can travel unencrypted",
        )


def _firewall(
    declared: tuple[FirewallRuleFacts, ...], observed: tuple[FirewallRuleFacts, ...], cache: Redis
) -> Iterable[Drift]:
    there = {normalise.rule_name(rule.name).lower(): rule for rule in observed}
    # With no rule at all, every address that reaches the cache can connect. None does while its address is closed.
    open_to_all = not observed and cache.public_address is not PublicAddress.CLOSED
    for rule in declared:
        found = there.pop(normalise.rule_name(rule.name).lower(), None)
        path = indexed("network.firewallRules", rule.name)
        if found is None:
            worst = DriftClass.SECURITY if open_to_all else DriftClass.AVAILABILITY
            note = "no rule at all is open to every address" if open_to_all else "these addresses cannot connect"
            yield Drift(path, _range(rule), "missing", worst, True, note)
        elif not normalise.same_range(rule, found):
            worst = DriftClass.AVAILABILITY if _inside(found, rule) else DriftClass.SECURITY
            yield Drift(path, _range(rule), _range(found), worst, True)
    for rule in there.values():
        path = indexed("network.firewallRules", normalise.rule_name(rule.name))
        yield Drift(path, NONE, _range(rule), DriftClass.SECURITY, True, "lets in addresses that are not declared")


def _inside(inner: FirewallRuleFacts, outer: FirewallRuleFacts) -> bool:
    a, b = normalise.bounds(inner), normalise.bounds(outer)
    return a is not None and b is not None and b[0] <= a[0] and a[1] <= b[1]


# --- provision ------------------------------------------------------------------------------------------------------


def provision_differences(declared: Provision, cache: Redis) -> tuple[Drift, ...]:
    """List the differences of `spec.provision`, each with the effect of its correction."""
    found = [*location(declared, cache), *_identity(declared, cache), *tags(declared, cache)]
    if declared.redis is not None:
        found += [*_settings(declared.redis, cache), *_memory(declared.redis, cache)]
    return tuple(_with_effect(one, cache) for one in found) + (
        tuple(_size(declared.redis, cache)) if declared.redis is not None else ()
    )


def _with_effect(found: Drift, cache: Redis) -> Drift:
    """Add the effect. A value that an existing cache cannot have is not corrected, whichever party requests it."""
    known = effect(found.path, found.declared, found.observed, cache)
    correctable = found.correctable and known is not Effect.NEEDS_REPLACEMENT
    return replace(found, effect=known, correctable=correctable)


def _size(declared: RedisProvision, cache: Redis) -> Iterable[Drift]:
    """Compare tier and size. They go together: isolation, memory and what Azure refuses depend on both."""
    size = Size(declared.sku.name, declared.sku.capacity)
    caused = of_scaling(scaling(cache.size, size))
    isolated = size.isolation is Isolation.OWN_MACHINE and cache.isolation is not Isolation.OWN_MACHINE
    drift_class = DriftClass.SECURITY if isolated else DriftClass.AVAILABILITY
    note = "the cache shares its machine with other customers' caches" if isolated else ""
    correctable = caused is not Effect.NEEDS_REPLACEMENT
    if cache.geo_linked:
        correctable, note = False, GEO_LINKED
    if not normalise.same_word(declared.sku.name, cache.sku_name):
        shown = short(cache.sku_name)
        yield Drift(SKU_NAME, declared.sku.name, shown, drift_class, correctable, note, caused)
    if declared.sku.capacity != cache.sku_capacity:
        wanted, shown = str(declared.sku.capacity), str(cache.sku_capacity)
        yield Drift(SKU_CAPACITY, wanted, shown, drift_class, correctable, note, caused)


def _settings(declared: RedisProvision, cache: Redis) -> Iterable[Drift]:
    path, created = "provision.redis", "can only be chosen when the cache is created"
    availability = DriftClass.AVAILABILITY
    if declared.redis_version is not None and not normalise.same_version(declared.redis_version, cache.redis_version):
        shown, known = short(cache.redis_version or NOT_SET), normalise.version(cache.redis_version) is not None
        yield Drift(VERSION, declared.redis_version, shown, availability, known)
    if declared.zones and normalise.zones(declared.zones) != cache.zones_used:
        shown = NOT_REPORTED if cache.zones_used is None else listed(cache.zones_used)
        yield Drift(f"{path}.zones", listed(declared.zones), shown, availability, note=created)
    if declared.replicas is not None and declared.replicas != normalise.replicas(cache.replicas):
        shown = str(normalise.replicas(cache.replicas))
        yield Drift(f"{path}.replicas", str(declared.replicas), shown, availability, note=created)
    if declared.shards is not None and declared.shards != normalise.shards(cache.shards):
        shown, note = str(normalise.shards(cache.shards)), GEO_LINKED if cache.geo_linked else ""
        yield Drift(SHARDS, str(declared.shards), shown, availability, not cache.geo_linked, note)


def _memory(declared: RedisProvision, cache: Redis) -> Iterable[Drift]:
    """Compare how Redis uses its memory, and when it gets updates."""
    availability = DriftClass.AVAILABILITY
    policy = cache.eviction_policy or _DEFAULT_POLICY
    if declared.eviction_policy is not None and (
        normalise.maxmemory_policy(declared.eviction_policy) != normalise.maxmemory_policy(policy)
    ):
        yield Drift(EVICTION, declared.eviction_policy, short(policy), availability, True)
    reserved = declared.memory_reserved_mb
    if reserved is not None and reserved != cache.memory_reserved_mb:
        shown = NOT_REPORTED if cache.memory_reserved_mb is None else str(cache.memory_reserved_mb)
        yield Drift(MEMORY_RESERVED, str(reserved), shown, availability, True)
    channel = cache.update_channel or _DEFAULT_CHANNEL
    if declared.update_channel is not None and not normalise.same_word(declared.update_channel, channel):
        yield Drift(CHANNEL, declared.update_channel, short(channel), availability, True)


def _windows(
    declared: RedisProvision | None, cache: Redis, schedule: tuple[PatchWindow, ...] | Unknown | NotRead
) -> Iterable[Drift]:
    """Compare the maintenance windows, where some are declared and the cache's could be read."""
    if declared is None or not declared.maintenance_windows or not isinstance(schedule, tuple):
        return
    wanted = frozenset((one.day, one.start_hour, one.duration_hours * 60) for one in declared.maintenance_windows)
    there = frozenset((day, one.start_hour, one.minutes) for one in schedule for day in _days(one.day))
    if wanted != there:
        shown = listed(map(_window, sorted(there)))
        yield _with_effect(
            Drift(WINDOWS, listed(map(_window, sorted(wanted))), shown, DriftClass.AVAILABILITY, True), cache
        )


def _days(answered: str) -> tuple[str, ...]:
    """Return the days of a window: Azure has words for several (API, DayOfWeek)."""
    return {"everyday": _WEEK, "weekend": _WEEK[5:]}.get(answered.lower(), (answered.capitalize(),))


def _window(one: tuple[str, int, int]) -> str:
    day, hour, minutes = one
    return f"{day} {hour:02}:00 for {minutes / 60:g} h"


def _identity(provision: Provision, cache: Redis) -> Iterable[Drift]:
    """Compare the cache's own identity, where one is declared."""
    declared = provision.identity
    if declared is None:
        return
    if normalise.identity_kinds(declared.type) != cache.identity_kinds:
        shown = short(cache.identity_type or "None")
        yield Drift(IDENTITY_TYPE, declared.type, shown, DriftClass.AVAILABILITY, True)
    elif normalise.id_set(declared.user_assigned_ids) != normalise.id_set(cache.user_assigned_ids):
        yield Drift(
            IDENTITY_IDS,
            listed(declared.user_assigned_ids),
            listed(cache.user_assigned_ids),
            DriftClass.AVAILABILITY,
            True,
        )


def _range(rule: FirewallRuleFacts) -> str:
    return short(f"{normalise.address(rule.start_ip)}-{normalise.address(rule.end_ip)}")
