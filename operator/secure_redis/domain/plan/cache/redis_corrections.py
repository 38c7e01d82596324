"""Choose the next correction of a Microsoft.Cache/redis cache, the worst difference first. Pure."""

from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.drift import Drift
from secure_redis.domain.assess.persistence import PATHS as PERSISTENCE
from secure_redis.domain.assess.redis import WINDOWS
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.governance import PatchWindow
from secure_redis.domain.observe.normalise import rule_name, same_range, same_word
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.plan.actions import (
    AzureAction,
    DeleteFirewallRule,
    PutFirewallRule,
    PutPatchSchedule,
    UpdateCache,
)
from secure_redis.domain.plan.cache import correction_history
from secure_redis.domain.plan.cache.corrections import PUBLIC_ACCESS, Choice, Correction, Owed
from secure_redis.domain.plan.cache.corrections import next_correction as next_of
from secure_redis.domain.plan.cache.persistence import next_step
from secure_redis.domain.plan.cache.setting_corrections import next_setting

NON_TLS_PORT = "transport.nonTLSPort"
MINIMUM_TLS = "transport.minimumTLSVersion"
IDENTITY = "provision.identity"
FIREWALL = "network.firewallRules"
AFTER_NETWORK = frozenset({*PERSISTENCE, WINDOWS})  # what a creation brings once the network is as declared


def next_correction(
    resource: SecureRedisCache,
    observed: Observation,
    cache: Redis,
    found: tuple[Drift, ...],
    owes: Owed = Owed.NOTHING,
) -> Correction:
    """Choose the next correction. `owes`: what a creation by the operator still has to set on the cache."""
    missing = _missing(resource, observed)
    owed = _to_complete(resource, observed, found, missing) if owes is Owed.ALL else set()
    if owes is not Owed.NOTHING:
        owed |= {d.path for d in found if d.correctable and d.path in AFTER_NETWORK}

    def choose(due: set[str]) -> Choice:
        return _choose(resource, observed, cache, found, due, missing)

    return next_of(resource, observed, found, owed, AFTER_NETWORK, choose)


def _choose(
    resource: SecureRedisCache,
    observed: Observation,
    cache: Redis,
    found: tuple[Drift, ...],
    due: set[str],
    missing: list[FirewallRuleFacts],
) -> Choice:
    """Choose, the worst first; persistence last: it may wait for others, and nothing waits for it."""
    for path in (NON_TLS_PORT, MINIMUM_TLS):
        if path in due:
            return Choice(_transport(resource, path), (path,))
    rule = next((rule for rule in missing if _path(rule.name) in due), None)
    if rule is not None:
        return Choice(PutFirewallRule(rule), (_path(rule.name),))
    not_corrected: dict[str, Blocked] = {}
    if PUBLIC_ACCESS in due:
        to_correct = resource.spec.network.public_access
        if not same_word(to_correct, "Disabled") and missing:
            why = _rules_first("public access is not switched on", missing)
            not_corrected[PUBLIC_ACCESS] = Blocked(Reason.WOULD_DISCONNECT, why)
        else:
            change = UpdateCache({"properties": {"publicNetworkAccess": to_correct}}, ("publicNetworkAccess",))
            return Choice(change, (PUBLIC_ACCESS,))
    surplus = next((name for name in _surplus(resource, observed) if _path(name) in due), None)
    if surplus is not None and missing:
        not_corrected[_path(surplus)] = Blocked(
            Reason.WOULD_DISCONNECT, _rules_first(f"rule {surplus!r} is not removed", missing)
        )
    elif surplus is not None:  # a declared rule is in place, so the last one stays: none is open to all
        return Choice(DeleteFirewallRule(surplus), (_path(surplus),), not_corrected)
    setting = next_setting(resource.spec.provision, cache, found, due)
    if setting is not None:
        return Choice(setting.action, setting.paths, not_corrected, target=setting.target)
    if WINDOWS in due:
        return Choice(PutPatchSchedule(_windows(resource)), (WINDOWS,), not_corrected)
    return _persist(resource, observed, cache, found, due, not_corrected)


def _persist(
    resource: SecureRedisCache,
    observed: Observation,
    cache: Redis,
    found: tuple[Drift, ...],
    due: set[str],
    not_corrected: dict[str, Blocked],
) -> Choice:
    """Choose the next step of persistence. One request corrects all its paths; the cache's identity needs its own."""
    step = next_step(resource, observed, cache, due)
    if step is None:
        return Choice(not_corrected=not_corrected)
    paths = tuple(path for path in PERSISTENCE if path in due)
    if isinstance(step, UpdateCache):
        # Counted apart: that persistence needs two requests must not count as a value that came back once.
        path = next((d.path for d in found if d.path.startswith(f"{IDENTITY}.")), IDENTITY)
        contested = correction_history.blocked(resource, path, observed.now)
        if contested is None:
            return Choice(step, (path,), not_corrected, persisting=True)
        step = contested
    if isinstance(step, Blocked):
        return Choice(not_corrected={**not_corrected, **dict.fromkeys(paths, step)}, persisting=True)
    return Choice(step, paths, not_corrected, persisting=True)


def _to_complete(
    resource: SecureRedisCache, observed: Observation, found: tuple[Drift, ...], missing: list[FirewallRuleFacts]
) -> set[str]:
    """Find what a creation still has to set on the network: missing declared rules, and open public access."""
    rules = observed.firewall_rules if isinstance(observed.firewall_rules, tuple) else ()
    there = {rule_name(rule.name).lower() for rule in rules}
    opening = not same_word(resource.spec.network.public_access, "Disabled")
    owed = {_path(rule.name) for rule in missing if rule.name.lower() not in there} | (
        {PUBLIC_ACCESS} if opening else set()
    )
    return {d.path for d in found if d.correctable} & owed


def _transport(resource: SecureRedisCache, path: str) -> AzureAction:
    if path == NON_TLS_PORT:
        return UpdateCache({"properties": {"enableNonSslPort": False}}, ("enableNonSslPort",))
    version = resource.spec.transport.minimum_tls_version
    return UpdateCache({"properties": {"minimumTlsVersion": version}}, ("minimumTlsVersion",))


def _windows(resource: SecureRedisCache) -> tuple[PatchWindow, ...]:
    declared = resource.spec.provision.redis if resource.spec.provision is not None else None
    windows = declared.maintenance_windows if declared is not None else ()
    return tuple(PatchWindow(one.day, one.start_hour, one.duration_hours * 60) for one in windows)


def _path(rule: str) -> str:
    return f"{FIREWALL}[{rule}]"


def _rules_first(what: str, missing: list[FirewallRuleFacts]) -> str:
    return (
        f"{what}: the declared rule {missing[0].name!r} is not in place and may not be added (its class is not in "
        "spec.drift.correct, or it was not reported yet)"
    )


def _missing(resource: SecureRedisCache, observed: Observation) -> list[FirewallRuleFacts]:
    """Declared rules that are not there, or there with another range."""
    if not isinstance(observed.firewall_rules, tuple):
        return []
    there = {rule_name(rule.name).lower(): rule for rule in observed.firewall_rules}
    to_correct = [FirewallRuleFacts(r.name, r.start_ip, r.end_ip) for r in resource.spec.network.firewall_rules]
    return [
        rule for rule in to_correct if rule.name.lower() not in there or not same_range(there[rule.name.lower()], rule)
    ]


def _surplus(resource: SecureRedisCache, observed: Observation) -> list[str]:
    """Names of rules that are there and not declared; none where no rule is declared, and so none is compared."""
    if not isinstance(observed.firewall_rules, tuple) or not resource.spec.network.firewall_rules:
        return []
    declared = {rule.name.lower() for rule in resource.spec.network.firewall_rules}
    names = [rule_name(rule.name) for rule in observed.firewall_rules]
    return [name for name in names if name.lower() not in declared]
