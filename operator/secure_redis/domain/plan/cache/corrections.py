"""Choose the one difference that is corrected next. It never opens the cache or cuts clients off without a request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.disruption import SENTENCES, allowed
from secure_redis.domain.assess.drift import Drift
from secure_redis.domain.assess.persistence import PATHS as PERSISTENCE
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.grants import CreationTarget
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.normalise import rule_name, same_range, same_word
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.plan import windows
from secure_redis.domain.plan.actions import (
    AzureAction,
    DeleteFirewallRule,
    PutFirewallRule,
    UpdateCache,
)
from secure_redis.domain.plan.cache import correction_history
from secure_redis.domain.plan.cache.persistence import RETRY_SECONDS, next_step
from secure_redis.domain.plan.cache.setting_corrections import next_setting
from secure_redis.domain.plan.types import sooner

NON_TLS_PORT = "transport.nonTLSPort"
MINIMUM_TLS = "transport.minimumTLSVersion"
PUBLIC_ACCESS = "network.publicAccess"
IDENTITY = "provision.identity"
FIREWALL = "network.firewallRules"


@dataclass(frozen=True, slots=True)
class Correction:
    """The next correction, if any, what is blocked, and the time of the next pass for one that was first recorded.

    `paths`: the drift that the action corrects. `to_correct`: every path that the spec allows to correct.
    `not_corrected`: why some of them are not corrected.
    """

    action: AzureAction | None = None
    blocked: tuple[Blocked, ...] = ()
    next_pass_in: float | None = None
    persisting: bool = False  # all that is left is persistence
    owing: bool = False  # something is not requested again that a creation has still to bring
    network_left: bool = False  # a creation has still to bring something of the network, now or later
    paths: tuple[str, ...] = ()  # what the action puts right
    to_correct: tuple[str, ...] = ()
    not_corrected: Mapping[str, Blocked] = field(default_factory=dict)
    target: CreationTarget | None = None  # the cache as it would be, where the action scales it
    opens_in: float | None = None  # seconds until a window opens that corrections wait for, if that is soon


class Owed(Enum):
    """The parts that a creation by the operator still owes the cache. The spec need not allow its correction."""

    NOTHING = 0
    PERSISTENCE = 1
    ALL = 2


def next_correction(
    resource: SecureRedisCache,
    observed: Observation,
    cache: Redis,
    found: tuple[Drift, ...],
    owes: Owed = Owed.NOTHING,
) -> Correction:
    """Choose from the drift that the spec allows to correct and that an earlier pass has already reported.

    `owes`: what a creation by the operator still owes; that is set as declared, whatever the spec allows to correct.
    """
    correct = resource.spec.drift.correct
    to_correct = [d for d in found if d.correctable and d.drift_class in correct]
    not_corrected = {d.path: why for d in to_correct if (why := _blocked(resource, observed, d)) is not None}
    closed = _closed(resource, observed)
    reported = {entry.path for entry in resource.status.drift}
    due = {d.path for d in to_correct if d.path in reported}
    missing = _missing(resource, observed)
    owed = _to_complete(resource, observed, found, missing) if owes is Owed.ALL else set()
    if owes is not Owed.NOTHING:
        owed |= {d.path for d in found if d.correctable and d.path in PERSISTENCE}
    # It needs no consent, but what Azure refused is not requested again in every pass.
    refused_before = {
        path: why for path in owed if (why := correction_history.blocked(resource, path, observed.now)) is not None
    }
    not_corrected |= refused_before
    if closed is not None:  # a creation is completed at any time, and what was requested by name is done at once
        waiting = [d.path for d in to_correct if d.path not in owed and not allowed(resource, d.path)]
        not_corrected = {**dict.fromkeys(waiting, closed), **not_corrected}
    due |= owed
    due -= not_corrected.keys()
    # A difference is shown before it is corrected: the first pass never writes.
    next_pass_in = 0.0 if any(d.path not in due and d.path not in not_corrected for d in to_correct) else None
    choice = _choose(resource, observed, cache, found, due, missing)
    not_corrected |= choice.not_corrected
    if choice.action is not None:
        next_pass_in = None
    elif choice.persisting:
        next_pass_in = sooner(next_pass_in, RETRY_SECONDS)
    return Correction(
        action=choice.action,
        blocked=tuple(_distinct(not_corrected.values())),
        next_pass_in=next_pass_in,
        persisting=choice.persisting
        or (choice.action is None and bool(refused_before) and refused_before.keys() <= set(PERSISTENCE)),
        # Also a record of a contested path, which a creation never writes: the cache is not complete without it.
        owing=bool(refused_before),
        network_left=not owed <= set(PERSISTENCE),
        paths=choice.paths,
        to_correct=tuple(d.path for d in to_correct),
        not_corrected=not_corrected,
        target=choice.target,
        opens_in=_opens_in(resource, observed, not_corrected),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """The one write of a pass with all the paths that it corrects, and by path what must not be done yet."""

    action: AzureAction | None = None
    paths: tuple[str, ...] = ()
    not_corrected: Mapping[str, Blocked] = field(default_factory=dict)
    persisting: bool = False
    target: CreationTarget | None = None


def _choose(
    resource: SecureRedisCache,
    observed: Observation,
    cache: Redis,
    found: tuple[Drift, ...],
    due: set[str],
    missing: list[FirewallRuleFacts],
) -> _Choice:
    """Choose, the worst first; persistence last: it may wait for others, and nothing waits for it."""
    for path in (NON_TLS_PORT, MINIMUM_TLS):
        if path in due:
            return _Choice(_transport(resource, path), (path,))
    rule = next((rule for rule in missing if _path(rule.name) in due), None)
    if rule is not None:
        return _Choice(PutFirewallRule(rule), (_path(rule.name),))
    not_corrected: dict[str, Blocked] = {}
    if PUBLIC_ACCESS in due:
        to_correct = resource.spec.network.public_access
        if not same_word(to_correct, "Disabled") and missing:
            why = _rules_first("public access is not switched on", missing)
            not_corrected[PUBLIC_ACCESS] = Blocked(Reason.WOULD_DISCONNECT, why)
        else:
            change = UpdateCache({"properties": {"publicNetworkAccess": to_correct}}, ("publicNetworkAccess",))
            return _Choice(change, (PUBLIC_ACCESS,))
    surplus = next((name for name in _surplus(resource, observed) if _path(name) in due), None)
    if surplus is not None and missing:
        not_corrected[_path(surplus)] = Blocked(
            Reason.WOULD_DISCONNECT, _rules_first(f"rule {surplus!r} is not removed", missing)
        )
    elif surplus is not None:  # a declared rule is in place, so the last one stays: none is open to all
        return _Choice(DeleteFirewallRule(surplus), (_path(surplus),), not_corrected)
    setting = next_setting(resource.spec.provision, cache, found, due)
    if setting is not None:
        return _Choice(setting.action, setting.paths, not_corrected, target=setting.target)
    return _persist(resource, observed, cache, found, due, not_corrected)


def _persist(
    resource: SecureRedisCache,
    observed: Observation,
    cache: Redis,
    found: tuple[Drift, ...],
    due: set[str],
    not_corrected: dict[str, Blocked],
) -> _Choice:
    """Choose the next step of persistence. One request corrects all its paths; the cache's identity needs its own."""
    step = next_step(resource, observed, cache, due)
    if step is None:
        return _Choice(not_corrected=not_corrected)
    paths = tuple(path for path in PERSISTENCE if path in due)
    if isinstance(step, UpdateCache):
        # Counted apart: that persistence needs two requests must not count as a value that came back once.
        path = next((d.path for d in found if d.path.startswith(f"{IDENTITY}.")), IDENTITY)
        contested = correction_history.blocked(resource, path, observed.now)
        if contested is None:
            return _Choice(step, (path,), not_corrected, persisting=True)
        step = contested
    if isinstance(step, Blocked):
        return _Choice(not_corrected={**not_corrected, **dict.fromkeys(paths, step)}, persisting=True)
    return _Choice(step, paths, not_corrected, persisting=True)


def _blocked(resource: SecureRedisCache, observed: Observation, entry: Drift) -> Blocked | None:
    """Explain why an allowed correction is not made: it is contested, was refused, or needs consent by name."""
    contested = correction_history.blocked(resource, entry.path, observed.now)
    if contested is not None:
        return contested
    if not entry.effect.needs_request or allowed(resource, entry.path):
        return None
    how = f"to have it done all the same annotate {names.ALLOW_DISRUPTION}: {entry.path}"
    if entry.path == PUBLIC_ACCESS:
        return Blocked(Reason.WOULD_DISCONNECT, f"{_NO_ENDPOINT}; {how}")
    return Blocked(Reason.DISRUPTION_NOT_ALLOWED, f"{entry.path}: {SENTENCES[entry.effect]}; {how}")


def _closed(resource: SecureRedisCache, observed: Observation) -> Blocked | None:
    """Explain why corrections wait for one of `drift.windows`."""
    found = windows.waits(resource.spec.drift.windows, "spec.drift.windows", observed.now, "the correction")
    if found is None or found.reason is not Reason.OUTSIDE_WINDOW:
        return None if found is None else Blocked(found.reason, f"{found.message}; no difference is corrected")
    return Blocked(found.reason, f"{found.message}; to have it made now annotate {names.ALLOW_DISRUPTION}: <path>")


def _opens_in(resource: SecureRedisCache, observed: Observation, not_corrected: Mapping[str, Blocked]) -> float | None:
    if not any(why.reason is Reason.OUTSIDE_WINDOW for why in not_corrected.values()):
        return None
    drift = resource.spec.drift
    return windows.opens_within(drift.windows, observed.now, drift.interval_seconds)


def _distinct(refusals: Iterable[Blocked]) -> Iterable[Blocked]:
    return dict.fromkeys(refusals)


def _to_complete(
    resource: SecureRedisCache, observed: Observation, found: tuple[Drift, ...], missing: list[FirewallRuleFacts]
) -> set[str]:
    """Find what a creation still owes the network: missing declared rules, and open public access."""
    rules = observed.firewall_rules if isinstance(observed.firewall_rules, tuple) else ()
    there = {rule_name(rule.name).lower() for rule in rules}
    opening = not same_word(resource.spec.network.public_access, "Disabled")
    owed = {_path(rule.name) for rule in missing if rule.name.lower() not in there} | (
        {PUBLIC_ACCESS} if opening else set()
    )
    return {d.path for d in found if d.correctable} & owed


_NO_ENDPOINT = (
    "public access is not switched off: no approved private endpoint was found, so every client would lose the cache; "
    "create and approve one first"
)


def _transport(resource: SecureRedisCache, path: str) -> AzureAction:
    if path == NON_TLS_PORT:
        return UpdateCache({"properties": {"enableNonSslPort": False}}, ("enableNonSslPort",))
    version = resource.spec.transport.minimum_tls_version
    return UpdateCache({"properties": {"minimumTlsVersion": version}}, ("minimumTlsVersion",))


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
