"""Which one difference is corrected next. One update at a time, only what differs, never a way into an outage."""

from dataclasses import dataclass
from enum import Enum

from secure_redis.api.reasons import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.actions import AzureAction, DeleteFirewallRule, PutFirewallRule, UpdateCache
from secure_redis.domain.drift import Drift
from secure_redis.domain.grants import Refusal
from secure_redis.domain.intent import sooner
from secure_redis.domain.normalise import rule_name, same_range, same_word
from secure_redis.domain.observation import CacheFacts, FirewallRuleFacts, Observation
from secure_redis.domain.persistence import PATHS as PERSISTENCE
from secure_redis.domain.persisting import LOOK_AGAIN, next_step

NON_TLS_PORT = "transport.nonTLSPort"
MINIMUM_TLS = "transport.minimumTLSVersion"
PUBLIC_ACCESS = "network.publicAccess"
FIREWALL = "network.firewallRules"


@dataclass(frozen=True, slots=True)
class Correction:
    """The next correction, if any; what is refused; when to look again for a correction that was first recorded."""

    action: AzureAction | None = None
    refused: tuple[Refusal, ...] = ()
    next_look: float | None = None
    persisting: bool = False  # all that is left is persistence


class Owed(Enum):
    """What a creation of ours has still to bring: it needs no leave to correct."""

    NOTHING = 0
    PERSISTENCE = 1
    ALL = 2


def next_correction(
    resource: SecureRedisCache,
    seen: Observation,
    cache: CacheFacts,
    found: tuple[Drift, ...],
    owes: Owed = Owed.NOTHING,
) -> Correction:
    """Choose from the drift that the spec allows to correct and that an earlier pass has already reported.

    `owes`: the cache was created by us; then that is brought to what is declared without being told.
    """
    correct = resource.spec.drift.correct
    allowed = [d for d in found if d.correctable and d.drift_class in correct]
    reported = {entry.path for entry in resource.status.drift}
    due = {d.path for d in allowed if d.path in reported}
    missing = _missing(resource, seen)
    if owes is Owed.ALL:
        due |= _to_complete(resource, seen, found, missing)
    if owes is not Owed.NOTHING:
        due |= {d.path for d in found if d.correctable and d.path in PERSISTENCE}
    # A difference is shown before it is corrected: the first look never writes.
    next_look = 0.0 if any(d.path not in due for d in allowed) else None
    action = _transport(resource, due)
    if action is not None:
        return Correction(action)
    allowed_rule = next((rule for rule in missing if _path(rule.name) in due), None)
    if allowed_rule is not None:
        return Correction(PutFirewallRule(allowed_rule))
    refused: list[Refusal] = []
    if PUBLIC_ACCESS in due:
        wanted = resource.spec.network.public_access
        closing = same_word(wanted, "Disabled")
        if closing and not cache.has_approved_private_endpoint:
            refused.append(Refusal(Reason.WOULD_DISCONNECT, _NO_ENDPOINT))
        elif not closing and missing:
            refused.append(Refusal(Reason.WOULD_DISCONNECT, _rules_first("public access is not switched on", missing)))
        else:
            change = UpdateCache({"properties": {"publicNetworkAccess": wanted}}, ("publicNetworkAccess",))
            return Correction(change)
    surplus = [name for name in _surplus(resource, seen) if _path(name) in due]
    if surplus and missing:
        refused.append(Refusal(Reason.WOULD_DISCONNECT, _rules_first(f"rule {surplus[0]!r} is not removed", missing)))
    elif surplus and _last(seen, cache):
        refused.append(
            Refusal(
                Reason.WOULD_DISCONNECT,
                f"the last firewall rule {surplus[0]!r} is not removed while public access is on: no rule at all means "
                "open to everyone",
            )
        )
    elif surplus:
        return Correction(DeleteFirewallRule(surplus[0]), tuple(refused))
    step = next_step(resource, seen, cache, due)  # last: it may wait for others, and nothing waits for it
    if isinstance(step, Refusal):
        refused.append(step)
        return Correction(None, tuple(refused), sooner(next_look, LOOK_AGAIN), persisting=True)
    return Correction(step, tuple(refused), next_look, persisting=step is not None)


def _to_complete(
    resource: SecureRedisCache, seen: Observation, found: tuple[Drift, ...], missing: list[FirewallRuleFacts]
) -> set[str]:
    """What a creation still owes the network: declared rules that are not there, and an open door. Nothing else."""
    rules = seen.firewall_rules if isinstance(seen.firewall_rules, tuple) else ()
    there = {rule_name(rule.name).lower() for rule in rules}
    opening = not same_word(resource.spec.network.public_access, "Disabled")
    owed = {_path(rule.name) for rule in missing if rule.name.lower() not in there} | (
        {PUBLIC_ACCESS} if opening else set()
    )
    return {d.path for d in found if d.correctable} & owed


_NO_ENDPOINT = (
    "public access is not switched off: no approved private endpoint was seen, so every client would lose the cache; "
    "create and approve one first"
)


def _transport(resource: SecureRedisCache, due: set[str]) -> AzureAction | None:
    if NON_TLS_PORT in due:
        return UpdateCache({"properties": {"enableNonSslPort": False}}, ("enableNonSslPort",))
    if MINIMUM_TLS in due:
        version = resource.spec.transport.minimum_tls_version
        return UpdateCache({"properties": {"minimumTlsVersion": version}}, ("minimumTlsVersion",))
    return None


def _path(rule: str) -> str:
    return f"{FIREWALL}[{rule}]"


def _rules_first(what: str, missing: list[FirewallRuleFacts]) -> str:
    return (
        f"{what}: the declared rule {missing[0].name!r} is not in place and may not be added (its class is not in "
        "spec.drift.correct, or it was not reported yet)"
    )


def _last(seen: Observation, cache: CacheFacts) -> bool:
    count = len(seen.firewall_rules) if isinstance(seen.firewall_rules, tuple) else 0
    return count <= 1 and not same_word(cache.public_network_access, "Disabled")


def _missing(resource: SecureRedisCache, seen: Observation) -> list[FirewallRuleFacts]:
    """Declared rules that are not there, or there with another range."""
    if not isinstance(seen.firewall_rules, tuple):
        return []
    there = {rule_name(rule.name).lower(): rule for rule in seen.firewall_rules}
    wanted = [FirewallRuleFacts(r.name, r.start_ip, r.end_ip) for r in resource.spec.network.firewall_rules or ()]
    return [rule for rule in wanted if rule.name.lower() not in there or not same_range(there[rule.name.lower()], rule)]


def _surplus(resource: SecureRedisCache, seen: Observation) -> list[str]:
    """Names of rules that are there and not declared; none where rules are not compared."""
    if not isinstance(seen.firewall_rules, tuple) or resource.spec.network.firewall_rules is None:
        return []
    declared = {rule.name.lower() for rule in resource.spec.network.firewall_rules}
    names = [rule_name(rule.name) for rule in seen.firewall_rules]
    return [name for name in names if name.lower() not in declared]
