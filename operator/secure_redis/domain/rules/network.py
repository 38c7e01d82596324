"""Rules on who can reach the cache."""

from collections.abc import Iterable
from ipaddress import IPv4Address, summarize_address_range

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.normalise import address, bounds, same_word
from secure_redis.domain.observation import CacheFacts, FirewallRuleFacts, NotRead, Observation, Unknown
from secure_redis.domain.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    Rule,
    Severity,
    Verdict,
    fail,
    on_cache,
    unknown,
    unread,
)

# The figures of the checks that N4 refers to (AZR-000299, AZR-000300).
MOST_RULES = 10
MOST_PUBLIC_ADDRESSES = 10
_LISTED = 5


def _public_access(cache: CacheFacts) -> Verdict:
    if cache.subnet_id is not None:
        return NOT_APPLICABLE  # inside a virtual network, whose own rules decide (N6)
    if cache.public_network_access is None:
        return unknown("Azure did not say whether public network access is on (its default is on)")
    if same_word(cache.public_network_access, "Disabled"):
        return PASS
    return fail("the cache answers on its public address")


def _approved_endpoint(cache: CacheFacts) -> Verdict:
    if cache.subnet_id is not None:
        return NOT_APPLICABLE  # private endpoints and virtual network injection exclude each other
    return PASS if cache.has_approved_private_endpoint else fail("no approved private endpoint leads to the cache")


def _stuck_endpoints(cache: CacheFacts) -> Verdict:
    if not cache.private_endpoints:
        return NOT_APPLICABLE
    odd = [f"{e.name} is {e.status or 'in no state'}" for e in cache.private_endpoints if not _approved(e.status)]
    return fail(f"private endpoint connections: {_some(odd)}") if odd else PASS


def _approved(status: str) -> bool:
    return same_word(status, "Approved")


def _firewall(_: SecureRedisCache, seen: Observation) -> Verdict:
    cache, rules = seen.cache, seen.firewall_rules
    if not isinstance(cache, CacheFacts):
        return unread("the cache", cache)
    if cache.subnet_id is not None or same_word(cache.public_network_access, "Disabled"):
        return NOT_APPLICABLE
    if isinstance(rules, Unknown | NotRead):
        return unread("the list of firewall rules", rules)
    if not rules:
        return fail("there is no firewall rule, which Azure takes as open to every address")
    unread_ranges = [rule.name for rule in rules if bounds(rule) is None]
    zero = [rule.name for rule in rules if address(rule.start_ip) == "0.0.0.0"]  # noqa: S104 - a range, no socket
    if zero:
        return fail(f"open to all of Azure or to the internet (a range from 0.0.0.0): {_some(zero)}")
    if unread_ranges:
        return unknown(f"the ranges of these firewall rules are no IPv4 addresses: {_some(unread_ranges)}")
    if len(rules) > MOST_RULES:
        return fail(f"there are {len(rules)} firewall rules; more than {MOST_RULES} are hard to keep right")
    count = sum(map(_public_addresses, rules))
    if count > MOST_PUBLIC_ADDRESSES:
        return fail(f"the firewall rules let in {count} public addresses, more than {MOST_PUBLIC_ADDRESSES}")
    return PASS


def _public_addresses(rule: FirewallRuleFacts) -> int:
    ends = bounds(rule)
    if ends is None or ends[0] > ends[1]:
        return 0
    networks = summarize_address_range(IPv4Address(ends[0]), IPv4Address(ends[1]))
    return sum(network.num_addresses for network in networks if not network.is_private)


def _virtual_network(cache: CacheFacts) -> Verdict:
    return PASS if cache.subnet_id is None else fail("the cache is injected into a virtual network (deprecated)")


def _some(items: Iterable[str]) -> str:
    listed = list(items)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more


RULES = (
    Rule(
        "N1",
        "Public network access is off",
        Severity.HIGH,
        on_cache(_public_access),
        "create and approve a private endpoint, then set publicNetworkAccess to Disabled",
        (
            "Azure Policy 470baccb-7e51-4549-8b1a-3e5be069f663",
            "PSRule AZR-000165",
            "Checkov CKV_AZURE_89",
            "Powerpipe terraform_azure_compliance benchmark.redis",
        ),
    ),
    Rule(
        "N2",
        "An approved private endpoint leads to the cache",
        Severity.MEDIUM,
        on_cache(_approved_endpoint),
        "create a private endpoint (group redisCache) and approve its connection",
        ("Azure Policy 7803067c-7d34-46e3-8c79-0ca68fc4036d", "CloudSploit redisCachePrivateEndpoint"),
    ),
    Rule(
        "N3",
        "No private endpoint connection is pending, rejected or disconnected",
        Severity.LOW,
        on_cache(_stuck_endpoints),
        "approve the connection or remove it",
    ),
    Rule(
        "N4",
        "Firewall rules are few and narrow while public access is on",
        Severity.HIGH,
        _firewall,
        "add rules for exactly the addresses that connect, or switch public access off",
        (
            "PSRule AZR-000299",
            "PSRule AZR-000300",
            "Terrascan AC_AZURE_0391",
            "Terrascan AC_AZURE_0392",
            "AzTS CheckRedisCacheFirewallIPAddressRange",
        ),
    ),
    Rule(
        "N6",
        "The cache is not injected into a virtual network",
        Severity.INFO,
        on_cache(_virtual_network),
        "plan the move to a private endpoint",
        (
            "Azure Policy 7d092e0a-7acd-40d2-a975-dca21cae48c4 (deprecated, asks for the opposite)",
            "CloudSploit redisCacheVNetIntegrated",
            "Powerpipe azure_redis_cache_in_virtual_network",
        ),
    ),
)
