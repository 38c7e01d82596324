"""How a Microsoft.Cache/redis cache is compared with its spec, and who owns it."""

from collections.abc import Iterable
from dataclasses import replace

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DriftClass, Mode, Provision, RedisProvision
from secure_redis.domain.assess import ownership, persistence
from secure_redis.domain.assess.disruption import effect
from secure_redis.domain.assess.drift import (
    NONE,
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
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis

# `provision.tags` and `network.firewallRules` continue with a name in brackets.
COMPARED: tuple[str, ...] = (
    "transport.nonTLSPort",
    "transport.minimumTLSVersion",
    "network.publicAccess",
    "network.firewallRules",
    *persistence.PATHS,
    "provision.location",
    "provision.tags",
    "provision.redis.sku.name",
    "provision.redis.sku.capacity",
    "provision.redis.redisVersion",
    "provision.redis.zones",
    "provision.redis.replicas",
    "provision.redis.shards",
    "provision.identity.type",
    "provision.identity.userAssignedIDs",
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
    if declared is not None and isinstance(firewall_rules, tuple):
        rules = tuple(FirewallRuleFacts(rule.name, rule.start_ip, rule.end_ip) for rule in declared)
        found += _firewall(rules, firewall_rules)
    found += (
        Drift(one.path, one.declared, short(one.observed), one.drift_class, one.correctable, one.note)
        for one in persistence.differences(resource, cache)
    )
    if resource.spec.mode is Mode.PROVISION and resource.spec.provision is not None:
        found += _provision(resource.spec.provision, cache)
    found.sort(key=lambda entry: ORDER[entry.drift_class])
    return tuple(replace(one, effect=effect(one.path, one.declared, one.observed, cache)) for one in found)


def _non_tls_port(cache: Redis) -> Iterable[Drift]:
    if cache.plaintext_open is not False:
        observed = "Enabled" if cache.plaintext_open else NOT_SET
        yield Drift(
            "transport.nonTLSPort", "Disabled", observed, DriftClass.SECURITY, True, "keys and data can travel in clear"
        )


def _firewall(declared: tuple[FirewallRuleFacts, ...], observed: tuple[FirewallRuleFacts, ...]) -> Iterable[Drift]:
    there = {normalise.rule_name(rule.name).lower(): rule for rule in observed}
    for rule in declared:
        found = there.pop(normalise.rule_name(rule.name).lower(), None)
        path = indexed("network.firewallRules", rule.name)
        if found is None:
            # With no rule at all, every address can connect while public access is on.
            worst = DriftClass.SECURITY if not observed else DriftClass.AVAILABILITY
            note = "no rule at all is open to every address" if not observed else "these addresses cannot connect"
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


# --- provision: reported, never corrected ---------------------------------------------------------------------------


def _provision(declared: Provision, cache: Redis) -> Iterable[Drift]:
    yield from location(declared, cache)
    if declared.redis is not None:
        yield from _settings(declared.redis, cache)
    yield from _identity(declared, cache)
    yield from tags(declared, cache)


def _settings(declared: RedisProvision, cache: Redis) -> Iterable[Drift]:
    sku, path, created = declared.sku, "provision.redis", "can only be chosen when the cache is created"
    availability = DriftClass.AVAILABILITY
    if not normalise.same_word(sku.name, cache.sku_name):
        # Basic and C0 share a machine with other customers, so this difference is one of isolation.
        worse = normalise.same_word(cache.sku_name, "Basic")
        yield Drift(f"{path}.sku.name", sku.name, short(cache.sku_name), DriftClass.SECURITY if worse else availability)
    if sku.capacity != cache.sku_capacity:
        yield Drift(f"{path}.sku.capacity", str(sku.capacity), str(cache.sku_capacity), availability)
    if declared.redis_version is not None and not normalise.same_version(declared.redis_version, cache.redis_version):
        shown = short(cache.redis_version or NOT_SET)
        yield Drift(f"{path}.redisVersion", declared.redis_version, shown, availability)
    if declared.zones and normalise.zones(declared.zones) != normalise.zones(cache.zones):
        yield Drift(f"{path}.zones", listed(declared.zones), listed(cache.zones), availability, note=created)
    if declared.replicas is not None and declared.replicas != normalise.replicas(cache.replicas):
        shown = str(normalise.replicas(cache.replicas))
        yield Drift(f"{path}.replicas", str(declared.replicas), shown, availability, note=created)
    if declared.shards is not None and declared.shards != normalise.shards(cache.shards):
        yield Drift(f"{path}.shards", str(declared.shards), str(normalise.shards(cache.shards)), availability)


def _identity(provision: Provision, cache: Redis) -> Iterable[Drift]:
    declared = provision.identity
    if not normalise.same_identity_type(declared.type, cache.identity_type):
        shown = short(cache.identity_type or "None")
        yield Drift("provision.identity.type", declared.type, shown, DriftClass.AVAILABILITY)
    elif normalise.id_set(declared.user_assigned_ids) != normalise.id_set(cache.user_assigned_ids):
        yield Drift(
            "provision.identity.userAssignedIDs",
            listed(declared.user_assigned_ids),
            listed(cache.user_assigned_ids),
            DriftClass.AVAILABILITY,
        )


def _range(rule: FirewallRuleFacts) -> str:
    return short(f"{normalise.address(rule.start_ip)}-{normalise.address(rule.end_ip)}")
