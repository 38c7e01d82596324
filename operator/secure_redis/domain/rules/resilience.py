"""Rules on the cache's tier, version, state and future."""

from secure_redis.api.resource_id import Service
from secure_redis.domain.normalise import is_busy, is_dead, same_word, version, zones
from secure_redis.domain.observation import CacheFacts
from secure_redis.domain.rules.rule import NOT_APPLICABLE, PASS, Rule, Severity, Verdict, fail, on_cache, unknown

LOWEST_MAJOR = 6
FEWEST_ZONES = 2
# facts/azure.md B.3, from Microsoft's retirement FAQ.
RETIREMENT = "2028-09-30"


def _own_machine(cache: CacheFacts) -> Verdict:
    if same_word(cache.sku_name, "Premium"):
        return PASS
    if same_word(cache.sku_name, "Standard"):
        if cache.sku_capacity >= 1:
            return PASS
        return fail("Standard C0 shares a machine with other customers' caches")
    if same_word(cache.sku_name, "Basic"):
        return fail("Basic shares a machine with other customers' caches, has no replica and no SLA")
    return unknown("Azure reports a tier that is not known here")


def _zones(cache: CacheFacts) -> Verdict:
    if not same_word(cache.sku_name, "Premium"):
        return NOT_APPLICABLE
    found = zones(cache.zones)
    if not found:
        return unknown("Azure lists no availability zones; the service may have chosen them")
    return PASS if len(found) >= FEWEST_ZONES else fail(f"the cache is in zone {found[0]} only")


def _version(cache: CacheFacts) -> Verdict:
    found = version(cache.redis_version)
    if found is None:
        return unknown("Azure did not say which version of Redis runs")
    return PASS if found[0] >= LOWEST_MAJOR else fail(f"Redis {cache.redis_version} gets no security updates any more")


def _state(cache: CacheFacts) -> Verdict:
    if is_dead(cache.provisioning_state):
        return fail(f"Azure reports provisioningState {cache.provisioning_state}")
    return NOT_APPLICABLE if is_busy(cache.provisioning_state) else PASS


def _retirement(cache: CacheFacts) -> Verdict:
    if cache.resource_id.service is not Service.REDIS:
        return NOT_APPLICABLE
    return fail(f"Microsoft retires Azure Cache for Redis on {RETIREMENT} and disables what is left")


RULES = (
    Rule(
        "R1",
        "The tier runs on machines of its own",
        Severity.MEDIUM,
        on_cache(_own_machine),
        "scale to Standard C1 or above, or Premium",
        ("PSRule AZR-000159", "Checkov CKV_AZURE_230"),
    ),
    Rule(
        "R2",
        "A Premium cache spans availability zones",
        Severity.INFO,
        on_cache(_zones),
        "zones can only be chosen when a cache is created",
        ("Azure Policy 1bf67da8-b100-45bf-b89d-e4669fc54411", "PSRule AZR-000161"),
    ),
    Rule(
        "O3",
        "Redis is version 6 or newer",
        Severity.MEDIUM,
        on_cache(_version),
        "upgrade the cache to Redis 6",
        ("PSRule AZR-000347", "CloudSploit redisVersion"),
    ),
    Rule(
        "O7",
        "The cache is not in a failed state",
        Severity.HIGH,
        on_cache(_state),
        "look at the cache's activity log in Azure and repair it",
    ),
    Rule(
        "L1",
        "The service has a future",
        Severity.INFO,
        on_cache(_retirement),
        "plan the move to Azure Managed Redis (port 10000, one database)",
        ("PSRule AZR-000533",),
    ),
)
