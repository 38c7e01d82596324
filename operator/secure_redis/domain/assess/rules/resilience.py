"""Rules on the cache's tier, and on the data when a part fails or memory is full."""

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Mode
from secure_redis.domain.assess.disruption import Effect
from secure_redis.domain.assess.redis import provision_differences
from secure_redis.domain.assess.rules.redis import on_observed_redis, on_redis
from secure_redis.domain.assess.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    READ_CACHE,
    READ_MANAGED,
    Rule,
    Severity,
    Verdict,
    fail,
    on_cache,
    some,
    unknown,
)
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.normalise import same_word
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.tier import Isolation

RESERVED_SHARE = 0.1  # of a node's memory (AZR-000160)


def _own_machine(cache: Redis) -> Verdict:
    match cache.isolation:
        case Isolation.OWN_MACHINE:
            return PASS
        case Isolation.SHARED_MACHINE:
            return fail(
                f"{cache.sku} shares a machine with other customers' caches; Azure does not encrypt memory, so the "
                "isolation by tier is what counts"
            )
        case Isolation.UNKNOWN:
            return unknown("Azure reports a tier that is not known here, so its isolation in memory is not known")


def _zones(cache: Cache) -> Verdict:
    if not cache.can_span_zones:
        return NOT_APPLICABLE
    spans = cache.spans_zones
    if spans is None:
        return unknown(
            "Azure did not report in which availability zones the cache runs; the service may have chosen some"
        )
    if spans:
        return PASS
    used = cache.zones_used
    return fail(f"the cache is in zone {used[0]} only" if used else "the cache spans no availability zones")


def _replica_elsewhere(cache: Redis) -> Verdict:
    if not cache.premium or cache.persists:
        # Premium alone can, and not together with persistence (docs/internals/azure-facts.md#tiers).
        return NOT_APPLICABLE
    return PASS if cache.geo_linked else fail("no other region holds a copy")


def _reserved(cache: Redis) -> Verdict:
    if same_word(cache.sku_name, "Basic"):
        return NOT_APPLICABLE  # the setting is not allowed there
    memory = cache.size.memory_mb
    if memory is None:
        return unknown("Azure reports a size that is not known here")
    if cache.memory_reserved_mb is None:
        return unknown("Azure did not report how much memory is reserved (maxmemory-reserved)")
    required = int(memory * RESERVED_SHARE)
    if cache.memory_reserved_mb >= required:
        return PASS
    return fail(f"{cache.memory_reserved_mb} MB of {memory} MB are reserved, less than {required} MB")


def _eviction(cache: Redis) -> Verdict:
    if not cache.persists:
        return NOT_APPLICABLE  # a cache without persistence may evict any key
    if cache.eviction_policy is None:
        return unknown("Azure did not report which keys are evicted when memory is full (maxmemory-policy)")
    if cache.eviction_policy.strip().lower().startswith("allkeys"):
        return fail(f"data is persisted, and evicted when memory is full ({cache.eviction_policy})")
    return PASS


def _replacement(resource: SecureRedisCache, observed: Observation) -> Verdict:
    if resource.spec.mode is not Mode.PROVISION:
        return NOT_APPLICABLE
    return _needs_new_cache(resource, observed)


@on_observed_redis
def _needs_new_cache(resource: SecureRedisCache, _: Observation, cache: Redis) -> Verdict:
    declared = resource.spec.provision
    if declared is None or declared.redis is None:
        return NOT_APPLICABLE
    if cache.size.rank is None:
        return unknown("Azure reports a tier that is not known here")
    found = [
        one
        for one in provision_differences(declared, cache)
        if one.path.startswith("provision.redis.") and one.effect is Effect.NEEDS_REPLACEMENT
    ]
    certain = [f"{one.path} {one.declared} (it is {one.observed})" for one in found if one.is_known]
    if certain:
        return fail(f"the spec declares what only a new cache can have: {some(certain)}")
    return unknown(f"Azure did not report {found[0].path}") if found else PASS


RULES = (
    Rule(
        "R1",
        "The cache runs on machines of its own",
        Severity.MEDIUM,
        on_redis(_own_machine),
        "scale to Standard C1 or above, or Premium",
        ("PSRule AZR-000159", "Checkov CKV_AZURE_230"),
        strict=Severity.HIGH,
        why="Azure does not encrypt memory: isolation is what counts, and caches on a shared machine have less of it.",
        reads="the cache's tier and size",
        needs=(READ_CACHE,),
    ),
    Rule(
        "R2",
        "A Premium cache or Managed Redis spans availability zones",
        Severity.INFO,
        on_cache(_zones),
        "zones can only be chosen when a cache is created",
        (
            "Azure Policy 1bf67da8-b100-45bf-b89d-e4669fc54411",
            "Azure Policy 408934a8-941a-4c1e-ba88-dd035d9688f4 (Enterprise)",
            "PSRule AZR-000161",
            "PSRule AZR-000162",
        ),
        strict=Severity.LOW,
        why="A failure of one data centre takes the whole cache.",
        reads=(
            "the cache's zones, zonalAllocationPolicy and the zones of its nodes (a cluster's zones and redundancy); "
            "not applicable to Basic and Standard"
        ),
        needs=(READ_CACHE, READ_MANAGED),
    ),
    Rule(
        "R3",
        "Another region holds a copy",
        Severity.INFO,
        on_redis(_replica_elsewhere),
        "link the cache to one in another region, if a region's failure must be survived (keys are then not rotated)",
        ("AzTS Azure_RedisCache_BCDR_Configure_Allowed_Redundancy", "CloudGuard D9.AZU.DR.01"),
        why="A failure of the region takes the cache and its data.",
        reads="the cache's geo-replication links; Premium only, and not applicable where data is persisted",
        needs=(READ_CACHE,),
    ),
    Rule(
        "R4",
        "A tenth of the memory is reserved",
        Severity.LOW,
        on_redis(_reserved),
        "raise maxmemory-reserved",
        ("PSRule AZR-000160",),
        why="Without it, failover and persistence run out of memory under load.",
        reads="the cache's redisConfiguration.maxmemory-reserved and size; not applicable to Basic",
        needs=(READ_CACHE,),
    ),
    Rule(
        "R5",
        "What is persisted is not evicted",
        Severity.LOW,
        on_redis(_eviction),
        "set maxmemory-policy to noeviction or to one of volatile-*",
        strict=Severity.MEDIUM,
        why="Persistence shows that the data matters; an allkeys policy evicts any of it when memory is full.",
        reads="the cache's redisConfiguration.maxmemory-policy; not applicable while nothing is persisted",
        needs=(READ_CACHE,),
    ),
    Rule(
        "R6",
        "The spec declares nothing that needs a new cache",
        Severity.MEDIUM,
        _replacement,
        "correct the spec, or create a second cache and move; the operator never replaces one",
        why="Azure refuses it or a new cache, empty and under new keys, would have to take the place of this one.",
        reads="spec.provision and the cache's tier, zones, replicas and shards; not applicable to mode Validate",
        needs=(READ_CACHE,),
    ),
)
