"""Which one difference is corrected next. One update at a time, only what differs, never a way into an outage."""

from dataclasses import dataclass

from secure_redis.api.reasons import Reason
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.actions import AzureAction, DeleteFirewallRule, PutFirewallRule, UpdateCache
from secure_redis.domain.drift import Drift
from secure_redis.domain.grants import Refusal
from secure_redis.domain.normalise import same_rule
from secure_redis.domain.observation import CacheFacts, FirewallRuleFacts, Observation

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


def next_correction(
    resource: SecureRedisCache, seen: Observation, cache: CacheFacts, found: tuple[Drift, ...]
) -> Correction:
    """Choose from the drift that the spec allows to correct and that an earlier pass has already reported."""
    allowed = [d for d in found if d.correctable and d.drift_class in resource.spec.drift.correct]
    reported = {entry.path for entry in resource.status.drift}
    due = [d for d in allowed if d.path in reported]
    refused: list[Refusal] = []
    # A difference is shown before it is corrected: the first look never writes.
    next_look = 0.0 if len(due) < len(allowed) else None
    paths = {d.path for d in due}
    if NON_TLS_PORT in paths:
        return Correction(UpdateCache({"properties": {"enableNonSslPort": False}}, ("enableNonSslPort",)))
    if MINIMUM_TLS in paths:
        version = resource.spec.transport.minimum_tls_version
        return Correction(UpdateCache({"properties": {"minimumTlsVersion": version}}, ("minimumTlsVersion",)))
    rules = any(path.startswith(FIREWALL) for path in paths)
    if rules:
        missing = _missing(resource, seen)
        if missing is not None:
            return Correction(PutFirewallRule(missing))
    if PUBLIC_ACCESS in paths:
        wanted = resource.spec.network.public_access
        if wanted == "Disabled" and not cache.has_approved_private_endpoint:
            refused.append(
                Refusal(
                    Reason.WOULD_DISCONNECT,
                    "public access is not switched off: no approved private endpoint was seen, so every client would "
                    "lose the cache; create and approve one first",
                )
            )
        else:
            change = UpdateCache({"properties": {"publicNetworkAccess": wanted}}, ("publicNetworkAccess",))
            return Correction(change, tuple(refused))
    if rules:
        surplus = _surplus(resource, seen)
        public = (cache.public_network_access or "Enabled") != "Disabled"
        count = len(seen.firewall_rules) if isinstance(seen.firewall_rules, tuple) else 0
        if surplus is not None and count == 1 and public:
            refused.append(
                Refusal(
                    Reason.WOULD_DISCONNECT,
                    f"the last firewall rule {surplus!r} is not removed while public access is on: no rule at all "
                    "means open to everyone",
                )
            )
        elif surplus is not None:
            return Correction(DeleteFirewallRule(surplus), tuple(refused))
    return Correction(refused=tuple(refused), next_look=next_look)


def _missing(resource: SecureRedisCache, seen: Observation) -> FirewallRuleFacts | None:
    if not isinstance(seen.firewall_rules, tuple):
        return None
    there = {rule.name.lower(): rule for rule in seen.firewall_rules}
    for rule in resource.spec.network.firewall_rules or ():
        wanted = FirewallRuleFacts(rule.name, rule.start_ip, rule.end_ip)
        observed = there.get(rule.name.lower())
        if observed is None or not same_rule(observed, wanted):
            return wanted
    return None


def _surplus(resource: SecureRedisCache, seen: Observation) -> str | None:
    if not isinstance(seen.firewall_rules, tuple) or resource.spec.network.firewall_rules is None:
        return None
    declared = {rule.name.lower() for rule in resource.spec.network.firewall_rules}
    return next((rule.name for rule in seen.firewall_rules if rule.name.lower() not in declared), None)
