"""Rules on who can reach the cache."""

from ipaddress import IPv4Address, summarize_address_range

from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.rules.redis import on_observed_redis, on_redis
from secure_redis.domain.assess.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    READ_CACHE,
    READ_FIREWALL,
    READ_MANAGED,
    Rule,
    Severity,
    Verdict,
    fail,
    on_cache,
    on_endpoint,
    some,
    unknown,
    unread,
    unread_cache,
)
from secure_redis.domain.observe.cache import Cache, PublicAddress
from secure_redis.domain.observe.endpoint import AddressScope, EndpointFacts
from secure_redis.domain.observe.firewall import FirewallRuleFacts
from secure_redis.domain.observe.normalise import address, bounds, same_word
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import NotRead, Unknown

# The figures of the checks that N4 refers to (AZR-000299, AZR-000300).
MOST_RULES = 10
MOST_PUBLIC_ADDRESSES = 10


def _public_access(cache: Cache) -> Verdict:
    match cache.public_address:
        case PublicAddress.NONE:
            return NOT_APPLICABLE  # inside a virtual network, whose own rules decide (N6)
        case PublicAddress.NOT_REPORTED:
            return unknown(f"Azure did not report whether public network access is on ({cache.PUBLIC_ACCESS_UNSET})")
        case PublicAddress.CLOSED:
            return PASS
        case PublicAddress.OPEN:
            return fail("the cache answers on its public address")


def _approved_endpoint(cache: Cache) -> Verdict:
    if cache.in_virtual_network:
        return NOT_APPLICABLE  # private endpoints and virtual network injection exclude each other
    return PASS if cache.has_approved_private_endpoint else fail("no approved private endpoint leads to the cache")


def _stuck_endpoints(cache: Cache) -> Verdict:
    if not cache.private_endpoints:
        return NOT_APPLICABLE
    odd = [f"{e.name} is {e.status or 'in no state'}" for e in cache.private_endpoints if not _approved(e.status)]
    return fail(f"private endpoint connections: {some(odd)}") if odd else PASS


def _approved(status: str) -> bool:
    return same_word(status, "Approved")


def _firewall(_: SecureRedisCache, observed: Observation, cache: Redis) -> Verdict:
    rules = observed.firewall_rules
    if cache.public_address in {PublicAddress.NONE, PublicAddress.CLOSED}:
        return NOT_APPLICABLE
    if isinstance(rules, Unknown | NotRead):
        return unread("the list of firewall rules", rules, READ_FIREWALL)
    if not rules:
        return fail("there is no firewall rule, so Azure admits every address")
    unread_ranges = [rule.name for rule in rules if bounds(rule) is None]
    zero = [rule.name for rule in rules if address(rule.start_ip) == "0.0.0.0"]  # noqa: S104 - a range, no socket
    if zero:
        return fail(f"open to all of Azure or to the internet (a range from 0.0.0.0): {some(zero)}")
    if unread_ranges:
        return unknown(f"the ranges of these firewall rules are no IPv4 addresses: {some(unread_ranges)}")
    if len(rules) > MOST_RULES:
        return fail(f"there are {len(rules)} firewall rules; more than {MOST_RULES} are hard to keep right")
    count = sum(map(_public_addresses, rules))
    if count > MOST_PUBLIC_ADDRESSES:
        return fail(f"the firewall rules admit {count} public addresses, more than {MOST_PUBLIC_ADDRESSES}")
    return PASS


def _public_addresses(rule: FirewallRuleFacts) -> int:
    ends = bounds(rule)
    if ends is None or ends[0] > ends[1]:
        return 0
    networks = summarize_address_range(IPv4Address(ends[0]), IPv4Address(ends[1]))
    return sum(network.num_addresses for network in networks if not network.is_private)


def _virtual_network(cache: Redis) -> Verdict:
    # Azure reports a subnet only for a cache that has one, so its absence proves nothing and passes nothing.
    if cache.in_virtual_network:
        return fail("the cache is injected into a virtual network (deprecated)")
    return NOT_APPLICABLE


def _private_name(resource: SecureRedisCache, observed: Observation) -> Verdict:
    cache = observed.cache
    if not isinstance(cache, Cache):
        return unread_cache(resource, cache)
    if cache.public_address is not PublicAddress.CLOSED and not cache.has_private_address:
        return NOT_APPLICABLE  # the public address is the only one there is
    return _resolved(resource, observed)


@on_endpoint
def _resolved(endpoint: EndpointFacts, _: Observation) -> Verdict:
    found = endpoint.addresses
    if isinstance(found, Unknown):
        return unread("the answer of the cluster's DNS", found)
    public = [one.address for one in found if one.scope is AddressScope.PUBLIC]
    if public:
        return fail(f"in this cluster the cache's name leads to the public address {some(public)}")
    odd = [f"{one.address} ({one.scope})" for one in found if one.scope is not AddressScope.PRIVATE]
    return unknown(f"the cache's name leads to {some(odd)}, which is neither private nor public") if odd else PASS


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
        strict=Severity.CRITICAL,
        why="Anyone on the internet can try keys, unless firewall rules prevent it.",
        reads="publicNetworkAccess, whose default is Enabled; not applicable inside a virtual network",
        needs=(READ_CACHE, READ_MANAGED),
    ),
    Rule(
        "N2",
        "An approved private endpoint leads to the cache",
        Severity.MEDIUM,
        on_cache(_approved_endpoint),
        "create a private endpoint (group redisCache, or redisEnterprise) and approve its connection",
        (
            "Azure Policy 7803067c-7d34-46e3-8c79-0ca68fc4036d",
            "Azure Policy 960e650e-9ce3-4316-9590-8ee2c016ca2f (Enterprise)",
            "CloudSploit redisCachePrivateEndpoint",
        ),
        strict=Severity.HIGH,
        why="Traffic leaves the private network, and you cannot switch public access off.",
        reads="the private endpoint connections; not applicable inside a virtual network",
        needs=(READ_CACHE, READ_MANAGED),
    ),
    Rule(
        "N3",
        "No private endpoint connection is pending, rejected or disconnected",
        Severity.LOW,
        on_cache(_stuck_endpoints),
        "approve the connection or remove it",
        why="A person waits for it, or it points to an endpoint that no longer exists.",
        reads="the private endpoint connections; not applicable to a cache without one",
        needs=(READ_CACHE, READ_MANAGED),
    ),
    Rule(
        "N4",
        "Firewall rules are few and narrow while public access is on",
        Severity.HIGH,
        on_observed_redis(_firewall, "Managed Redis has no firewall rules: rules N1 and N2 judge who reaches it"),
        "add rules for exactly the addresses that connect, or switch public access off",
        (
            "PSRule AZR-000299",
            "PSRule AZR-000300",
            "KICS 5089d055 (Redis Publicly Accessible)",
            "Terrascan AC_AZURE_0391",
            "Terrascan AC_AZURE_0392",
            "AzTS CheckRedisCacheFirewallIPAddressRange",
        ),
        strict=Severity.CRITICAL,
        why=(
            "Without a rule, every address can connect. A range from 0.0.0.0 admits all of Azure. More than "
            f"{MOST_RULES} rules or {MOST_PUBLIC_ADDRESSES} public addresses are hard to keep correct."
        ),
        reads="the firewall rules; not applicable while public access is off",
        needs=(READ_CACHE, READ_FIREWALL),
    ),
    Rule(
        "N5",
        "In the cluster, the cache's name leads to a private address",
        Severity.MEDIUM,
        _private_name,
        "link the private DNS zone (privatelink.redis.cache.windows.net; Managed Redis: privatelink.redis.azure.net) "
        "to the cluster's network",
        strict=Severity.HIGH,
        why="Pods leave the private network although there is a private endpoint, or cannot connect at all.",
        reads=(
            "the answer of the cluster's DNS, if the cache has a private address. It is unknown if "
            "spec.transport.probe is Disabled; not applicable where there is no endpoint to probe"
        ),
        needs=("the probe (spec.transport.probe)",),
    ),
    Rule(
        "N6",
        "The cache is not injected into a virtual network",
        Severity.INFO,
        on_redis(_virtual_network, "Managed Redis cannot be injected into a virtual network"),
        "plan the move to a private endpoint",
        (
            "Azure Policy 7d092e0a-7acd-40d2-a975-dca21cae48c4 (deprecated, asks for the opposite)",
            "CloudSploit redisCacheVNetIntegrated",
            "Powerpipe azure_redis_cache_in_virtual_network",
        ),
        why="Injection is deprecated and cannot be undone. Azure Managed Redis does not have it.",
        reads="the cache's subnetId; not applicable to a cache without one",
        needs=(READ_CACHE,),
    ),
)
