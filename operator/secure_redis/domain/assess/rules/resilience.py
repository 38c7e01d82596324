"""Rules on the cache's tier, and on the data when a part fails or memory is full."""

from collections.abc import Iterable

from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import Mode
from secure_redis.domain.assess import managed_redis
from secure_redis.domain.assess.disruption import Effect
from secure_redis.domain.assess.drift import Drift
from secure_redis.domain.assess.redis import provision_differences
from secure_redis.domain.assess.rules.managed_redis import on_observed_cluster, on_observed_database
from secure_redis.domain.assess.rules.redis import on_observed_redis, on_redis
from secure_redis.domain.assess.rules.rule import (
    NOT_APPLICABLE,
    PASS,
    READ_CACHE,
    READ_DATABASE,
    READ_MANAGED,
    Result,
    Rule,
    Severity,
    Verdict,
    by_service,
    fail,
    on_cache,
    some,
    unknown,
    unread,
)
from secure_redis.domain.observe.cache import Cache
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.normalise import same_word
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.tier import Isolation
from secure_redis.domain.observe.unknown import NotRead, Unknown

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
    if same_word(cache.redundancy, "None"):
        return fail("high availability is off, so the cache has no second node in any zone")
    used = cache.zones_used
    return fail(f"the cache is in zone {used[0]} only" if used else "the cache spans no availability zones")


def _replica_elsewhere(cache: Redis) -> Verdict:
    if not cache.premium or cache.persists:
        # Premium alone can, and not together with persistence (docs/internals/azure-facts.md#tiers).
        return NOT_APPLICABLE
    return PASS if cache.geo_linked else fail("no other region holds a copy")


def _group_elsewhere(_: Observation, cluster: ManagedRedis, __: ManagedDatabase) -> Verdict:
    if cluster.persists:
        return Verdict(Result.NOT_APPLICABLE, "Azure geo-replicates no database that is persisted")
    if cluster.geo_linked:
        return PASS
    if not cluster.can_replicate:
        return Verdict(Result.NOT_APPLICABLE, f"Azure geo-replicates no database of {cluster.sku_name}")
    return fail("no other region holds a copy")


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
    return _evicted(cache.eviction_policy, "maxmemory-policy") if cache.persists else NOT_APPLICABLE


def _database_eviction(_: Observation, cluster: ManagedRedis, database: ManagedDatabase) -> Verdict:
    return _evicted(database.eviction_policy, "evictionPolicy") if cluster.persists else NOT_APPLICABLE


def _evicted(policy: str | None, setting: str) -> Verdict:
    """Judge the policy of what is persisted. A cache without persistence may evict any key."""
    if policy is None:
        return unknown(f"Azure did not report which keys are evicted when memory is full ({setting})")
    if policy.strip().lower().startswith("allkeys"):
        return fail(f"data is persisted, and evicted when memory is full ({policy})")
    return PASS


def _replacement(resource: SecureRedisCache, observed: Observation) -> Verdict:
    if resource.spec.mode is not Mode.PROVISION:
        return NOT_APPLICABLE
    return _needs_new_cache(resource, observed)


def _redis_replacement(resource: SecureRedisCache, _: Observation, cache: Redis) -> Verdict:
    declared = resource.spec.provision
    if declared is None or declared.redis is None:
        return NOT_APPLICABLE
    if cache.size.rank is None:
        return unknown("Azure reports a tier that is not known here")
    return _replaced(provision_differences(declared, cache), "provision.redis.") or PASS


def _cluster_replacement(resource: SecureRedisCache, observed: Observation, cluster: ManagedRedis) -> Verdict:
    declared = resource.spec.provision
    if declared is None or declared.managed_redis is None:
        return NOT_APPLICABLE
    found = _replaced(managed_redis.differences(cluster, resource, observed), "provision.managedRedis.")
    if found is None and isinstance(cluster.database, Unknown | NotRead):
        return unread("the database", cluster.database, READ_DATABASE)
    return found or PASS


_needs_new_cache = by_service(
    {Redis: on_observed_redis(_redis_replacement), ManagedRedis: on_observed_cluster(_cluster_replacement)}
)


def _replaced(differences: Iterable[Drift], below: str) -> Verdict | None:
    """Judge what is declared below a field. None: no part of it needs a new cache."""
    found = [one for one in differences if one.path.startswith(below) and one.effect is Effect.NEEDS_REPLACEMENT]
    certain = [f"{one.path} {one.declared} (it is {one.observed})" for one in found if one.is_known]
    if certain:
        return fail(f"the spec declares what only a new cache can have: {some(certain)}")
    return unknown(f"Azure did not report {found[0].path}") if found else None


RULES = (
    Rule(
        "R1",
        "The cache runs on machines of its own",
        Severity.MEDIUM,
        on_redis(_own_machine, "no tier of Managed Redis is documented to share machines"),
        "scale to Standard C1 or above, or Premium",
        ("PSRule AZR-000159", "Checkov CKV_AZURE_230"),
        strict=Severity.HIGH,
        why="Azure does not encrypt memory. Caches on a shared machine are less isolated from each other.",
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
        why="A failure of one data centre stops the whole cache.",
        reads=(
            "the cache's zones, zonalAllocationPolicy and the zones of its nodes. For Managed Redis, redundancyMode. "
            "Its tiers have no zones, so the check of Azure Policy fails them all; not applicable to Basic and "
            "Standard"
        ),
        needs=(READ_CACHE, READ_MANAGED),
    ),
    Rule(
        "R3",
        "Another region holds a copy",
        Severity.INFO,
        by_service({Redis: on_redis(_replica_elsewhere), ManagedRedis: on_observed_database(_group_elsewhere)}),
        "link the cache to one in another region, if a region's failure must be survived (keys are then not rotated)",
        ("AzTS Azure_RedisCache_BCDR_Configure_Allowed_Redundancy", "CloudGuard D9.AZU.DR.01"),
        why="A failure of the region loses the cache and its data.",
        reads=(
            "the cache's geo-replication links (a database's linkedDatabases); not applicable to Basic, Standard, "
            "Balanced_B0, Balanced_B1 and FlashOptimized, and where data is persisted"
        ),
        needs=(READ_CACHE, READ_DATABASE),
    ),
    Rule(
        "R4",
        "A tenth of the memory is reserved",
        Severity.LOW,
        on_redis(_reserved, "Managed Redis reserves a fifth of its memory by itself"),
        "raise maxmemory-reserved",
        ("PSRule AZR-000160",),
        why="Without it, failover and persistence run out of memory under load.",
        reads="the cache's redisConfiguration.maxmemory-reserved and size; not applicable to Basic",
        needs=(READ_CACHE,),
    ),
    Rule(
        "R5",
        "Persisted data is not evicted",
        Severity.LOW,
        by_service({Redis: on_redis(_eviction), ManagedRedis: on_observed_database(_database_eviction)}),
        "set maxmemory-policy to noeviction or to one of volatile-* (Managed Redis: evictionPolicy to NoEviction or to "
        "one of Volatile*)",
        strict=Severity.MEDIUM,
        why="Persistence shows that the data matters. An allkeys policy evicts any of it when memory is full.",
        reads=(
            "the cache's redisConfiguration.maxmemory-policy (a database's evictionPolicy); not applicable while "
            "nothing is persisted"
        ),
        needs=(READ_CACHE, READ_DATABASE),
    ),
    Rule(
        "R6",
        "The spec declares nothing that needs a new cache",
        Severity.MEDIUM,
        _replacement,
        "correct the spec, or create a second cache and move; the operator never replaces one",
        why="Azure refuses the change, or a new and empty cache with new keys would have to replace this one.",
        reads=(
            "spec.provision and the cache's tier, zones, replicas and shards (Managed Redis: its high availability, "
            "clustering policy and modules); not applicable to mode Validate"
        ),
        needs=(READ_CACHE, READ_MANAGED, READ_DATABASE),
    ),
)
