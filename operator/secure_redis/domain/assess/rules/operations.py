"""Rules on operations: version, state, maintenance, logs, protection, retirement, and who changes the cache."""

from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache
from secure_redis.api.spec.spec import DeletionPolicy, Mode
from secure_redis.domain.assess.rules.managed_redis import on_cluster, on_database, on_observed_database
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
    date,
    fail,
    on_cache,
    unknown,
    unread,
)
from secure_redis.domain.observe.cache import CLOSED_TO_NEW_TENANTS, Cache
from secure_redis.domain.observe.managed_redis import ManagedDatabase, ManagedRedis
from secure_redis.domain.observe.normalise import (
    is_busy,
    is_dead,
    same_word,
    version,
)
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import NOT_READ, NotRead, Unknown

LOWEST_MAJOR = 6
_NO_WINDOW = "no maintenance window is chosen: patches and their failovers come at any time"
_OUR_TAGS = frozenset({names.OWNER_TAG.lower(), names.LEADER_TAG.lower(), names.CREATION_TAG.lower()})
READ_SCHEDULE = "Microsoft.Cache/redis/patchSchedules/read"
READ_DIAGNOSTICS = "Microsoft.Insights/diagnosticSettings/read"
READ_LOCKS = "Microsoft.Authorization/locks/read"
READ_ACTIVITY = "Microsoft.Insights/eventtypes/values/read"


def _schedule(_: SecureRedisCache, observed: Observation, __: Redis) -> Verdict:
    found = observed.patch_schedule
    if isinstance(found, Unknown | NotRead):
        return unread("the patch schedule", found, READ_SCHEDULE)
    return PASS if found else fail(_NO_WINDOW)


def _windows(cluster: ManagedRedis) -> Verdict:
    if cluster.maintenance_windows is None:
        return unknown("the interface version that the region serves does not show maintenance windows")
    return PASS if cluster.maintenance_windows else fail(_NO_WINDOW)


def _diagnostics(_: SecureRedisCache, observed: Observation) -> Verdict:
    found = observed.diagnostics
    if isinstance(found, Unknown | NotRead):
        return unread("the diagnostic settings", found, READ_DIAGNOSTICS)
    return PASS if any(setting.logs for setting in found) else fail("no log of the cache is kept anywhere")


def _database_version(_: Observation, cluster: ManagedRedis, __: ManagedDatabase) -> Verdict:
    return _version(cluster)


def _version(cache: Cache) -> Verdict:
    found = version(cache.redis_version)
    if found is None:
        return unknown("Azure did not report which version of Redis runs")
    return PASS if found[0] >= LOWEST_MAJOR else fail(f"Redis {cache.redis_version} gets no security updates any more")


def _tags(cache: Cache) -> Verdict:
    others = [name for name in cache.tags if name.lower() not in _OUR_TAGS]
    return PASS if others else fail("no tag names the owner of the cache")


def _identity(cache: Redis) -> Verdict:
    if not cache.premium:
        return NOT_APPLICABLE  # it is of use for persistence and export only
    if not cache.identity_kinds:
        return fail("the cache has no managed identity, so persistence and export need account keys")
    return PASS


def _channel(cache: Redis) -> Verdict:
    if cache.update_channel is None:
        return unknown("Azure did not report which update channel the cache follows (its default is Stable)")
    return PASS if same_word(cache.update_channel, "Stable") else fail("the cache gets updates weeks before others do")


def _state(cache: Cache) -> Verdict:
    dead = next((state for state in cache.states if is_dead(state)), None)
    if dead is not None:
        return fail(f"Azure reports provisioningState {dead}")
    return NOT_APPLICABLE if any(map(is_busy, cache.states)) else PASS


def _cluster_state(cluster: ManagedRedis) -> Verdict:
    """Judge both states of the cluster and of its database: a serving part can fail while the last write succeeded."""
    verdict = _state(cluster)
    if verdict.result is Result.FAIL:
        return verdict
    failed = next((state for state in cluster.serving_states if state.strip().lower().endswith("failed")), None)
    if failed is not None:
        return fail(f"Azure reports resourceState {failed}")
    if isinstance(cluster.database, Unknown | NotRead):
        return unread("the database", cluster.database, READ_DATABASE)
    return verdict


def _deferred(database: ManagedDatabase) -> Verdict:
    if database.defer_upgrade is None:
        return unknown("Azure did not report whether upgrades are deferred (deferUpgrade)")
    return fail("upgrades of Redis are deferred") if same_word(database.defer_upgrade, "Deferred") else PASS


def _locked(resource: SecureRedisCache, observed: Observation) -> Verdict:
    if resource.spec.deletion_policy is DeletionPolicy.DELETE:
        return NOT_APPLICABLE  # a lock would prevent the deletion that the spec declares
    if isinstance(observed.locks, Unknown | NotRead):
        return unread("the locks", observed.locks, READ_LOCKS)
    locked = any(same_word(lock.level, "CanNotDelete") or same_word(lock.level, "ReadOnly") for lock in observed.locks)
    return PASS if locked else fail("no lock keeps the cache from being deleted")


def _retirement(cache: Cache) -> Verdict:
    found = cache.retirement
    if found is None:
        return Verdict(Result.NOT_APPLICABLE, f"Microsoft has announced no retirement of {cache.sku}")
    return fail(
        f"Microsoft retires {found.product} on {found.on} and disables what is left; since {CLOSED_TO_NEW_TENANTS}, "
        f"{found.creators} can create any"
    )


def _changed_by(resource: SecureRedisCache, observed: Observation) -> Verdict:
    found = observed.changes
    if resource.spec.mode is not Mode.PROVISION or found == NOT_READ:
        return NOT_APPLICABLE  # others are expected to change it, or the activity log is not read
    if isinstance(found, Unknown | NotRead):
        return unread("the activity log", found, READ_ACTIVITY)
    others = [change for change in found if not change.own]
    if not others:
        return PASS
    last = max(others, key=lambda change: change.at)
    return fail(f"{last.caller} changed the cache's settings on {date(last.at)} ({last.operation})")


RULES = (
    Rule(
        "O1",
        "A maintenance window is chosen",
        Severity.LOW,
        by_service({Redis: on_observed_redis(_schedule), ManagedRedis: on_cluster(_windows)}),
        "set a patch schedule for hours of low load (Managed Redis: maintenanceConfiguration)",
        (
            "KICS b947809d-dd2f-4de9-b724-04d101c515aa",
            "Terrascan AC_AZURE_0393",
            "CloudSploit redisCacheScheduledUpdates",
            "CloudGuard D9.AZU.NET.14",
        ),
        why="Patches cut connections and fail over at any hour.",
        reads=(
            "the cache's patch schedule (a cluster's maintenanceConfiguration, unknown where the region serves no "
            "interface version that has it)"
        ),
        needs=(READ_SCHEDULE, READ_MANAGED),
    ),
    Rule(
        "O2",
        "Logs of the cache are kept",
        Severity.LOW,
        _diagnostics,
        "create a diagnostic setting with the category ConnectedClientList (Managed Redis: on the database, with "
        "ConnectionEvents) or allLogs",
        (
            "Azure Policy a142867f-3142-4ac6-b952-ab950a29fca5",
            "Azure Policy aec4c33f-2f2a-4fd3-91cd-24a939513c60",
            "Azure Policy d3e11828-02c8-40d2-a518-ad01508bb4d7",
            "Azure Policy 145ff119-bfcf-443a-834c-b59859ec3ee7 (Enterprise)",
            "Azure Policy fa570aa1-acca-4eea-8e5a-233cf2c5e4c2 (Enterprise)",
            "Azure Policy e76ef589-c7d6-42cf-a61a-13471f6f50cd (Enterprise)",
            "CloudSploit redisCacheDiagnosticLogs",
            "AzTS Azure_RedisCache_Audit_Enable_Diagnostics_Log",
        ),
        strict=Severity.MEDIUM,
        why="After an incident, no record shows who was connected.",
        reads="the diagnostic settings of the cache (Managed Redis: of its database, which has the logs)",
        needs=(READ_DIAGNOSTICS,),
    ),
    Rule(
        "O3",
        "Redis is version 6 or newer",
        Severity.MEDIUM,
        by_service({Redis: on_redis(_version), ManagedRedis: on_observed_database(_database_version)}),
        "upgrade the cache to Redis 6",
        ("PSRule AZR-000347", "CloudSploit redisVersion", "Datadog redis_not_updated_regularly"),
        strict=Severity.HIGH,
        why="Older versions receive no security updates and have no ACLs.",
        reads="the cache's (or the database's) redisVersion",
        needs=(READ_CACHE, READ_DATABASE),
    ),
    Rule(
        "O4",
        "A tag names the owner of the cache",
        Severity.INFO,
        on_cache(_tags),
        "tag the cache with its owner",
        ("CloudSploit redisCacheHasTags",),
        strict=Severity.LOW,
        why="Without it, no one knows whom to contact when the cache is found unsafe.",
        reads="the cache's tags, without the operator's own",
        needs=(READ_CACHE, READ_MANAGED),
    ),
    Rule(
        "O5",
        "A Premium cache has a managed identity",
        Severity.INFO,
        on_redis(_identity, "Managed Redis needs an identity for a customer-managed key only: rule P9 judges it"),
        "give it one (spec.provision.identity)",
        ("CloudSploit redisCacheManagedIdentity", "monkey365 azure-cache-redis-lack-of-system-managed-identity"),
        why="Without one, persistence and export need the account keys of a storage account.",
        reads="the cache's identity; not applicable to Basic and Standard, which have no use for it",
        needs=(READ_CACHE,),
    ),
    Rule(
        "O6",
        "The cache follows the stable update channel",
        Severity.INFO,
        on_redis(_channel, "Managed Redis has no update channel: see rule O9"),
        "set updateChannel to Stable",
        strict=Severity.LOW,
        why="On the preview channel updates come at least four weeks before they reach others.",
        reads="the cache's updateChannel",
        needs=(READ_CACHE,),
    ),
    Rule(
        "O7",
        "The cache is not in a failed state",
        Severity.HIGH,
        by_service({Redis: on_redis(_state), ManagedRedis: on_cluster(_cluster_state)}),
        "read the cache's activity log in Azure and repair the cache",
        why="The cache may still serve, but Azure can neither change nor patch it.",
        reads=(
            "the cache's provisioningState (Managed Redis: provisioningState and resourceState of cluster and "
            "database); not applicable while Azure changes the cache"
        ),
        needs=(READ_CACHE, READ_MANAGED, READ_DATABASE),
    ),
    Rule(
        "O8",
        "A lock keeps the cache from being deleted",
        Severity.LOW,
        _locked,
        "set a CanNotDelete lock on the cache or its group (ReadOnly would also stop listing and rotating keys)",
        strict=Severity.MEDIUM,
        why="One command deletes the cache and its data. Others can then use its name.",
        reads="the locks on the cache, its group and its subscription; not applicable with deletionPolicy Delete",
        needs=(READ_LOCKS,),
    ),
    Rule(
        "O9",
        "Upgrades of the Managed Redis database are not deferred",
        Severity.INFO,
        on_database(_deferred),
        "set deferUpgrade to NotDeferred, once clients are tested with the newer version",
        strict=Severity.LOW,
        why="Azure then upgrades Redis up to 90 days later, and security fixes arrive equally late.",
        reads="deferUpgrade of the cluster's database `default`",
        needs=(READ_DATABASE,),
    ),
    Rule(
        "L1",
        "The service is not being retired",
        Severity.INFO,
        on_cache(_retirement),
        "plan the move to Azure Managed Redis (port 10000, one database)",
        ("PSRule AZR-000533", "PSRule AZR-000534"),
        strict=Severity.LOW,
        why="Microsoft disables the cache on the day after. status.cache.retiresOn contains the date.",
        reads="the resource's type and tier",
        needs=(READ_CACHE, READ_MANAGED),
    ),
    Rule(
        "L2",
        "Only the operator changes the cache's settings",
        Severity.LOW,
        _changed_by,
        "find out who else manages the cache, and let one of the two do it",
        strict=Severity.MEDIUM,
        why="Two managers undo each other's work. One of them may undo a safe setting.",
        reads="the last three days of the activity log of the cache (and of a cluster's database); not applicable to "
        "mode Validate, or with `activityLog.enabled: false` in the operator's configuration",
        needs=(READ_ACTIVITY,),
    ),
)
