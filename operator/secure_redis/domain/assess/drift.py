"""Where Azure differs from the spec, field by field, with what each difference endangers. Pure comparison."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import (
    DriftClass,
    Mode,
    Provision,
    RedisProvision,
)
from secure_redis.domain.assess import persistence
from secure_redis.domain.assess.disruption import Effect, effect
from secure_redis.domain.observe import normalise
from secure_redis.domain.observe.redis import CacheAbsent, CacheFacts, FirewallRuleFacts
from secure_redis.domain.observe.unknown import NotRead, Unknown

MOST_ENTRIES = 50
NOT_SET = "not set"
NONE = "none"
_LONGEST = 256  # of a path or a value, so that a status stays small

# Every field that is compared; `provision.tags` and `network.firewallRules` go on with a name in brackets.
COMPARED = (
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

ORDER = {DriftClass.SECURITY: 0, DriftClass.AVAILABILITY: 1, DriftClass.COSMETIC: 2}


@dataclass(frozen=True, slots=True)
class Drift:
    """One field that differs. `path` as in spec; `correctable`: the operator could set it (in mode Provision).

    `effect`: what putting it right would cause, by whomever it is done.
    """

    path: str
    declared: str
    observed: str
    drift_class: DriftClass
    correctable: bool = False
    note: str = ""
    effect: Effect = Effect.NONE


def drift(
    resource: SecureRedisCache,
    cache: CacheFacts,
    firewall_rules: tuple[FirewallRuleFacts, ...] | Unknown | NotRead,
) -> tuple[Drift, ...]:
    """Compare spec and observation. Worst class first, at most MOST_ENTRIES; the last one then counts the rest."""
    return bounded(differences(resource, cache, firewall_rules))


def differences(
    resource: SecureRedisCache,
    cache: CacheFacts,
    firewall_rules: tuple[FirewallRuleFacts, ...] | Unknown | NotRead,
) -> tuple[Drift, ...]:
    """All differences between spec and observation, however many. Worst class first.

    Transport and network always; firewall rules only if declared and read; `provision.*` in mode Provision only.
    """
    found = [*_transport(resource, cache), *public(resource, cache.public_network_access)]
    declared = resource.spec.network.firewall_rules
    if declared is not None and isinstance(firewall_rules, tuple):
        wanted = tuple(FirewallRuleFacts(rule.name, rule.start_ip, rule.end_ip) for rule in declared)
        found += _firewall(wanted, firewall_rules)
    found += (
        Drift(one.path, one.declared, _short(one.observed), one.drift_class, one.correctable, one.note)
        for one in persistence.differences(resource, cache)
    )
    if resource.spec.mode is Mode.PROVISION and resource.spec.provision is not None:
        found += _provision(resource.spec.provision, cache)
    found.sort(key=lambda entry: ORDER[entry.drift_class])
    return tuple(_with_effect(entry, cache) for entry in found)


def gone(resource: SecureRedisCache, absent: CacheAbsent) -> tuple[Drift, ...] | None:
    """A cache that was seen and is not there any more is a difference of its own. None: not believed yet, or new."""
    known, before = resource.status.cache, resource.status.condition(ConditionType.CACHE_AVAILABLE)
    if known is None or known.provisioning_state is None:
        return None
    believed = before is not None and before.reason in {Reason.CACHE_GONE, Reason.CACHE_NOT_FOUND}
    if not (absent.confirmed or believed):
        return None
    note = "its data is lost, so it is not made anew by itself"
    shown = _short(resource.cache.text)
    return (Drift("resourceID", shown, "gone", DriftClass.AVAILABILITY, note=note, effect=Effect.NEEDS_REPLACEMENT),)


def _with_effect(entry: Drift, cache: CacheFacts) -> Drift:
    return replace(entry, effect=effect(entry.path, entry.declared, entry.observed, cache))


def bounded(found: tuple[Drift, ...]) -> tuple[Drift, ...]:
    """At most MOST_ENTRIES of them; the last one then counts the rest."""
    if len(found) <= MOST_ENTRIES:
        return found
    kept, rest = found[: MOST_ENTRIES - 1], found[MOST_ENTRIES - 1 :]
    more = Drift(
        "(more)", "", f"{len(rest)} more differences", rest[0].drift_class, note="shown once others are mended"
    )
    return (*kept, more)


# --- transport and network ------------------------------------------------------------------------------------------


def _transport(resource: SecureRedisCache, cache: CacheFacts) -> Iterable[Drift]:
    if cache.non_tls_port_enabled is not False:
        observed = "Enabled" if cache.non_tls_port_enabled else NOT_SET
        yield Drift(
            "transport.nonTLSPort", "Disabled", observed, DriftClass.SECURITY, True, "keys and data can travel in clear"
        )
    yield from minimum_tls(resource, cache.minimum_tls_version)


def minimum_tls(resource: SecureRedisCache, observed: str | None) -> Iterable[Drift]:
    """The difference in the minimum TLS version; the same for both services."""
    declared = resource.spec.transport.minimum_tls_version
    wanted, seen_version = normalise.tls_version(declared), normalise.tls_version(observed)
    if wanted == seen_version and wanted is not None:
        return
    path, shown = "transport.minimumTLSVersion", _short(observed) if observed else NOT_SET
    if wanted is not None and seen_version is not None and seen_version > wanted:
        yield Drift(path, declared, shown, DriftClass.AVAILABILITY, note="stricter than declared, so it is left so")
    else:
        note = "" if observed else "Azure's default is not promised to stay what it is: set it explicitly"
        yield Drift(path, declared, shown, DriftClass.SECURITY, True, note)


def public(
    resource: SecureRedisCache, observed: str | None, absent: str = f"{NOT_SET} (Azure's default is Enabled)"
) -> Iterable[Drift]:
    """The difference in public network access; the same for both services."""
    declared = resource.spec.network.public_access
    # Absent is the API's default, Enabled (docs/internals/azure-facts.md#properties-and-defaults): as good as declared
    # Enabled, not as Disabled.
    if normalise.same_word(declared, observed or "Enabled"):
        return
    closing = normalise.same_word(declared, "Disabled")
    yield Drift(
        "network.publicAccess",
        declared,
        _short(observed) if observed else absent,
        DriftClass.SECURITY if closing else DriftClass.AVAILABILITY,
        True,
    )


def _firewall(wanted: tuple[FirewallRuleFacts, ...], observed: tuple[FirewallRuleFacts, ...]) -> Iterable[Drift]:
    there = {normalise.rule_name(rule.name).lower(): rule for rule in observed}
    for rule in wanted:
        found = there.pop(normalise.rule_name(rule.name).lower(), None)
        path = _indexed("network.firewallRules", rule.name)
        if found is None:
            # With no rule at all Azure lets everyone in while public access is on.
            worst = DriftClass.SECURITY if not observed else DriftClass.AVAILABILITY
            note = "no rule at all is open to every address" if not observed else "these addresses cannot connect"
            yield Drift(path, _range(rule), "missing", worst, True, note)
        elif not normalise.same_range(rule, found):
            worst = DriftClass.AVAILABILITY if _inside(found, rule) else DriftClass.SECURITY
            yield Drift(path, _range(rule), _range(found), worst, True)
    for rule in there.values():
        path = _indexed("network.firewallRules", normalise.rule_name(rule.name))
        yield Drift(path, NONE, _range(rule), DriftClass.SECURITY, True, "lets in addresses that are not declared")


def _inside(inner: FirewallRuleFacts, outer: FirewallRuleFacts) -> bool:
    a, b = normalise.bounds(inner), normalise.bounds(outer)
    return a is not None and b is not None and b[0] <= a[0] and a[1] <= b[1]


# --- provision: reported, never corrected ---------------------------------------------------------------------------


def _provision(wanted: Provision, cache: CacheFacts) -> Iterable[Drift]:
    if normalise.location(wanted.location) != normalise.location(cache.location):
        note = "a cache cannot be moved; create another one"
        yield Drift("provision.location", wanted.location, _short(cache.location), DriftClass.AVAILABILITY, note=note)
    if wanted.redis is not None:
        yield from _redis(wanted.redis, cache)
    yield from _identity(wanted, cache)
    for name, value in wanted.tags.items():
        observed = normalise.tag(cache.tags, name)
        if observed != value:
            shown = NOT_SET if observed is None else _short(observed)
            yield Drift(_indexed("provision.tags", name), _short(value), shown, DriftClass.COSMETIC)


def _redis(wanted: RedisProvision, cache: CacheFacts) -> Iterable[Drift]:
    sku, path, created = wanted.sku, "provision.redis", "can only be chosen when the cache is created"
    availability = DriftClass.AVAILABILITY
    if not normalise.same_word(sku.name, cache.sku_name):
        # Basic and C0 share a machine with strangers; leaving for them is a matter of isolation.
        worse = normalise.same_word(cache.sku_name, "Basic")
        yield Drift(
            f"{path}.sku.name", sku.name, _short(cache.sku_name), DriftClass.SECURITY if worse else availability
        )
    if sku.capacity != cache.sku_capacity:
        yield Drift(f"{path}.sku.capacity", str(sku.capacity), str(cache.sku_capacity), availability)
    if wanted.redis_version is not None and not normalise.same_version(wanted.redis_version, cache.redis_version):
        shown = _short(cache.redis_version or NOT_SET)
        yield Drift(f"{path}.redisVersion", wanted.redis_version, shown, availability)
    if wanted.zones and normalise.zones(wanted.zones) != normalise.zones(cache.zones):
        yield Drift(f"{path}.zones", _listed(wanted.zones), _listed(cache.zones), availability, note=created)
    if wanted.replicas is not None and wanted.replicas != normalise.replicas(cache.replicas):
        shown = str(normalise.replicas(cache.replicas))
        yield Drift(f"{path}.replicas", str(wanted.replicas), shown, availability, note=created)
    if wanted.shards is not None and wanted.shards != normalise.shards(cache.shards):
        yield Drift(f"{path}.shards", str(wanted.shards), str(normalise.shards(cache.shards)), availability)


def _identity(wanted: Provision, cache: CacheFacts) -> Iterable[Drift]:
    declared = wanted.identity
    if not normalise.same_identity_type(declared.type, cache.identity_type):
        shown = _short(cache.identity_type or "None")
        yield Drift("provision.identity.type", declared.type, shown, DriftClass.AVAILABILITY)
    elif normalise.id_set(declared.user_assigned_ids) != normalise.id_set(cache.user_assigned_ids):
        yield Drift(
            "provision.identity.userAssignedIDs",
            _listed(declared.user_assigned_ids),
            _listed(cache.user_assigned_ids),
            DriftClass.AVAILABILITY,
        )


# --- words ----------------------------------------------------------------------------------------------------------


def _range(rule: FirewallRuleFacts) -> str:
    return _short(f"{normalise.address(rule.start_ip)}-{normalise.address(rule.end_ip)}")


def _listed(values: Iterable[str]) -> str:
    return _short(", ".join(sorted(values)) or NONE)


def _indexed(path: str, name: str) -> str:
    room = _LONGEST - len(path) - 2
    return f"{path}[{name if len(name) <= room else name[: room - 1] + '…'}]"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def ignoring(found: Iterable[Drift], paths: Sequence[str]) -> tuple[tuple[Drift, ...], tuple[str, ...]]:
    """The differences that are left, in their order, and what has to be told about the paths."""
    kept: list[Drift] = []
    notes = [
        f"drift.ignore: {path!r} names no field that is compared, so it does nothing"
        for path in paths
        if not any(below(field, path) or below(path, field) for field in COMPARED)
    ]
    for entry in found:
        by = next((path for path in paths if below(entry.path, path)), None)
        if by is None:
            kept.append(entry)
        elif entry.drift_class is DriftClass.SECURITY:
            kept.append(entry)
            notes.append(f"drift.ignore: {entry.path} is not ignored, because the difference is one of class Security")
    return tuple(kept), tuple(notes)


def below(path: str, above: str) -> bool:
    """Whether `path` is the field `above` or lies below it, by whole segments: `a.b` and `a[x]` lie below `a`."""
    return path == above or (path.startswith(above) and path[len(above)] in ".[")
